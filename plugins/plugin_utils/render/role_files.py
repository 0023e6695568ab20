# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every file the roles will write to a host from its variables, rendered offline through their own templates. No secret is known here, so none appears.

Left out are the programs and the files that are the same on every host. Paths are those of Debian.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import placeholder
from ansible_collections.xuegao.net.plugins.module_utils.sysctl import settings_text
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import conf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables, WireguardInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import shown_peer_key
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of, is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.common.tunnel_ends import peer_of
from ansible_collections.xuegao.net.plugins.plugin_utils.render import unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.render.templates import defaults, rendered
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.dns_anycast import dns_anycast_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.docker_macvlan import docker_macvlan_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.firewall import firewall_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.frr import frr_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.gobgp import gobgp_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.l2tp_ipsec import l2tp_ipsec_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.openvpn import OpenvpnValues, openvpn_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.sysctl import sysctl_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.vrf import vrf_values
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.wireguard import SERVICE, TIMER, wireguard_values

Variables = HostVariables
_UNITS = "/etc/systemd/system"
_UNBOUND = "/etc/unbound/unbound.conf.d"
_VALUES: Mapping[str, Callable[[Variables], Any]] = {
    "frr": frr_values,
    "vrf": vrf_values,
    "l2tp_ipsec": l2tp_ipsec_values,
    "gobgp": gobgp_values,
    "dns_anycast": lambda variables: dns_anycast_values(variables, _UNBOUND),
    "docker_macvlan": docker_macvlan_values,
}


@dataclass(frozen=True)
class Row:
    """One templated file.

    Attributes:
        role, template: where its template is.
        destination: path on the host.
    """

    role: str
    template: str
    destination: str


ROWS = (
    Row("frr", "frr.conf.j2", "/etc/frr/frr.conf"),
    Row("frr", "daemons.j2", "/etc/frr/daemons"),
    Row("frr", "frr.service.j2", "/etc/systemd/system/frr.service"),
    Row("vrf", "interface.service.j2", "/etc/systemd/system/interface.service"),
    Row("l2tp_ipsec", "swanctl.conf.j2", "/etc/swanctl/conf.d/xgn-l2tp.conf"),
    Row("l2tp_ipsec", "xl2tpd.conf.j2", "/etc/xl2tpd/xl2tpd.conf"),
    Row("l2tp_ipsec", "strongswan.conf.j2", f"{_UNITS}/strongswan.service.d/90-xgn.conf"),
    Row("l2tp_ipsec", "xl2tpd.service.j2", f"{_UNITS}/xl2tpd.service"),
    Row("l2tp_ipsec", "guard.nft.j2", "/etc/xl2tpd/xgn.nft"),
    Row("l2tp_ipsec", "xgn-l2tp-guard.service.j2", f"{_UNITS}/xgn-l2tp-guard.service"),
    Row("l2tp_ipsec", "nftables.conf.j2", f"{_UNITS}/nftables.service.d/90-xgn-l2tp.conf"),
    Row("l2tp_ipsec", "xgn-l2tp-watch.service.j2", f"{_UNITS}/xgn-l2tp-watch.service"),
    Row("gobgp", "gobgpd.conf.j2", "/etc/gobgpd.conf"),
    Row("gobgp", "gobgpd.service.j2", f"{_UNITS}/gobgpd.service"),
    Row("gobgp", "xgn-steering-health.service.j2", f"{_UNITS}/xgn-steering-health.service"),
    Row("dns_anycast", "unbound.conf.j2", f"{_UNBOUND}/xgn.conf"),
    Row("dns_anycast", "interfaces.conf.j2", f"{_UNBOUND}/xgn-interfaces.conf"),
    Row("dns_anycast", "unbound.service.j2", f"{_UNITS}/unbound.service"),
    Row("dns_anycast", "xgn-anycast.service.j2", f"{_UNITS}/xgn-anycast.service"),
    Row("docker_macvlan", "docker.conf.j2", f"{_UNITS}/docker.service.d/90-xgn.conf"),
)


def _with_defaults(role: str, variables: Variables) -> Variables:
    return cast(Variables, {**defaults(role), **variables})


def rendered_files(host: str, variables: Variables) -> Iterator[tuple[str, str]]:
    """Yield path on the host and text of every file a host gets.

    Parameters:
        host: inventory name.
        variables: its variables, as the plan holds them.
    """
    values: dict[str, Any] = {}
    for role, function in _VALUES.items():
        if is_declared(role, variables):
            values[role] = function(_with_defaults(role, variables))
    for row in ROWS:
        if row.role in values:
            own = {"frr_hostname": host.partition(".")[0], **_with_defaults(row.role, variables), f"__{row.role}_values": values[row.role]}
            yield row.destination, rendered(row.role, row.template, own)
    if "vrf" in values:
        declared: dict[str, Any] = {"vrfs": variables.get("vrf_vrfs", []), "interfaces": variables.get("vrf_interfaces", [])}
        if "vrf_default_routes" in variables:
            declared["default_routes"] = variables["vrf_default_routes"]
        for kind in TUNNELS:
            if kind.made_as and entries_of(variables, kind.variable):
                declared[kind.made_as] = entries_of(variables, kind.variable)
        addressed = list(dict.fromkeys(item["name"] for item in variables.get("frr_interfaces", []) if "addresses" in item))
        if addressed:
            declared["addressed"] = addressed
        yield "/etc/xgn/interface.json", json.dumps(declared, indent=1, sort_keys=True) + "\n"
    if is_declared("firewall", variables):
        yield "/etc/xgn/firewall.nft", filter_text(variables)
        yield "/usr/local/sbin/xgn-firewall", filter_text(variables, "xgn-firewall.j2")
    yield from _made_files(values)
    # A container has the roles that it names, any other host has this one with the defaults at least.
    if "sysctl" in variables.get("verify_roles", ("sysctl",)):
        yield "/etc/sysctl.d/90-xgn.conf", settings_text(sysctl_values(variables))
    for tunnel in _openvpn(variables)["tunnels"]:
        name, role = tunnel["name"], tunnel["role"]
        yield f"/etc/openvpn/{role}/{name}.conf", tunnel["config"]
        yield f"/etc/systemd/system/openvpn-{role}@{name}.service.d/80-xgn-openvpn.conf", tunnel["dropin"]
    for interface in variables.get("wireguard_interfaces", []):
        yield f"/etc/wireguard/{interface['name']}.conf", wireguard_text(host, interface)
    wireguard = wireguard_values(variables)
    if wireguard["named"]:
        yield f"{_UNITS}/{SERVICE}", rendered("wireguard", "xgn-wireguard-endpoints.service.j2", {"__wireguard_values": wireguard})
        yield f"{_UNITS}/{TIMER}", rendered("wireguard", "xgn-wireguard-endpoints.timer.j2", {"__wireguard_values": wireguard})


def _made_files(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and text of the files that no template of their own prints: JSON, and one for each entry of a list."""
    if "l2tp_ipsec" in values:
        yield from ((session["path"], session["content"]) for session in values["l2tp_ipsec"]["sessions"])
    if "gobgp" in values:
        yield "/etc/xgn/steering.json", json.dumps(values["gobgp"]["settings"], indent=4, sort_keys=True) + "\n"
    if "docker_macvlan" in values:
        yield "/etc/docker/daemon.json", json.dumps(values["docker_macvlan"]["config"], indent=2, sort_keys=True) + "\n"
    if "dns_anycast" in values:
        dns = values["dns_anycast"]
        yield "/etc/xgn/anycast.json", json.dumps(dns["guard"], indent=1, sort_keys=True) + "\n"
        yield from ((file["path"], file["content"]) for file in (*dns["zones"], *dns["ssh"]["files"]))
        if dns["guard"]["vrf"]:
            yield f"{_UNITS}/xgn-anycast.socket", rendered("dns_anycast", "xgn-anycast.socket.j2", {"dns_anycast_vrf": dns["guard"]["vrf"]})


def _openvpn(variables: Variables) -> OpenvpnValues:
    """Return the tunnels with placeholders for the fingerprints that the registry alone knows."""
    fingerprints: dict[str, dict[str, list[str]]] = {}
    for tunnel in variables.get("openvpn_tunnels", []):
        peer = peer_of(tunnel)
        fingerprints[tunnel["name"]] = {peer["name"]: peer["public_key"] or [unknown.fingerprint(peer["name"], peer["interface"])]}
    return openvpn_values(_with_defaults("openvpn", variables), fingerprints)


def filter_text(variables: Variables, template: str = "firewall.nft.j2") -> str:
    """Return the file of role firewall, or what another of its templates prints."""
    values = firewall_values(_with_defaults("firewall", variables))
    return rendered("firewall", template, {"__firewall_values": values})


def wireguard_text(host: str, interface: WireguardInterface) -> str:
    """Return the wg-quick file of an interface, with placeholders for its keys."""
    name = interface["name"]
    peers = [
        {
            "allowed_ips": list(EVERYTHING.values()),
            **peer,
            "public_key": shown_peer_key(interface, peer, {}),
            **({"preshared_key": placeholder(f"preshared key of {peer['name']}")} if "preshared_key" in peer else {}),
        }
        for peer in interface.get("peers", [])
    ]
    mtu = link_type("wireguard").usual_mtu
    return conf_text({"mtu": mtu, **interface, "peers": peers}, placeholder(f"private key of {host} {name}"))
