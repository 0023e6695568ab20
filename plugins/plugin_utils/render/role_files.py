# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every file the roles will write to a host, rendered offline through the roles' own templates. No secret is known here, so none appears."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import conf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables, WireguardInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

Variables = HostVariables
_ROLES = Path(__file__).parents[3] / "roles"
# Daemons frr.conf may speak of, with the variable that needs them.
_FRR_DAEMONS = {"bgpd": "frr_bgp", "ospfd": "frr_ospf", "ospf6d": "frr_ospf6", "bfdd": "frr_bfd_profiles"}


@dataclass(frozen=True)
class Row:
    """One templated file.

    Attributes:
        role, template: where its template is.
        destination: path on the host.
        needs: a host without all of these variables has no such file.
        extra: what the role computes in its own ``vars``, from the variables of the host.
    """

    role: str
    template: str
    destination: str
    needs: tuple[str, ...]
    extra: Callable[[Variables], dict[str, Any]]


def _daemons(variables: Variables) -> dict[str, Any]:
    wanted = [name for name, variable in _FRR_DAEMONS.items() if variables.get(variable)]
    return {"__frr_optional_daemons": list(_FRR_DAEMONS), "__frr_daemons": ["zebra", "staticd", *wanted]}


def _units(variables: Variables) -> dict[str, Any]:
    interfaces = variables.get("vrf_interfaces", [])
    nics = [item for item in interfaces if "kind" not in item and "unit" not in item]
    online = "vrf_default_routes" in variables or any("mtu" in item or "mac" in item for item in nics)
    return {"__vrf_units": sorted({item["unit"] for item in interfaces if "unit" in item}), "__vrf_online": online}


def _nothing(_variables: Variables) -> dict[str, Any]:
    return {}


ROWS = (
    Row("frr", "frr.conf.j2", "/etc/frr/frr.conf", ("frr_interfaces",), _nothing),
    Row("frr", "daemons.j2", "/etc/frr/daemons", ("frr_interfaces",), _daemons),
    Row("frr", "frr.service.j2", "/etc/systemd/system/frr.service", ("frr_interfaces",), _nothing),
    Row("vrf", "interface.service.j2", "/etc/systemd/system/interface.service", ("vrf_interfaces",), _units),
    Row("l2tp_ipsec", "swanctl.conf.j2", "/etc/swanctl/conf.d/xgn-l2tp.conf", ("l2tp_ipsec_tunnels",), _nothing),
    Row("l2tp_ipsec", "xl2tpd.conf.j2", "/etc/xl2tpd/xl2tpd.conf", ("l2tp_ipsec_tunnels",), _nothing),
)
# Templates that make a file for each tunnel.
_EACH_TUNNEL = {"l2tp_ipsec": ["ppp.j2"], "openvpn": ["tunnel.conf.j2", "dropin.conf.j2"]}
_FILTER = ("firewall", "firewall.nft.j2")
_SOURCES = {(row.role, row.template) for row in ROWS} | {_FILTER} | {(role, name) for role, names in _EACH_TUNNEL.items() for name in names}
_RENDERED_ROLES = sorted({role for role, _template in _SOURCES})


class _Environment(Environment):
    """Looks a name up in a dictionary first: variables are dictionaries, and a failed attribute costs more than all the rest."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return ``obj.attribute`` of a template."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@lru_cache(maxsize=1)
def _templates() -> dict[tuple[str, str], Template]:
    """Compile every template once, with the settings Ansible's own template action has."""
    found = {}
    for role in _RENDERED_ROLES:
        loader = FileSystemLoader(_ROLES / role / "templates")
        # The files are configuration, not HTML, so nothing is to be escaped.
        environment = _Environment(loader=loader, trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False)
        for name in sorted(template for owner, template in _SOURCES if owner == role):
            found[role, name] = environment.get_template(name)
    return found


@lru_cache(maxsize=1)
def _defaults() -> dict[str, Any]:
    """Return the defaults of the roles. Those that are templates themselves are given per host."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = {}
    for role in _RENDERED_ROLES:
        path = _ROLES / role / "defaults" / "main.yml"
        if path.is_file():
            found.update(yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {})
    return {name: value for name, value in found.items() if not (isinstance(value, str) and "{{" in value)}


def rendered_files(host: str, variables: Variables) -> Iterator[tuple[str, str]]:
    """Yield path on the host and text of every file a host gets.

    Parameters:
        host: inventory name.
        variables: its variables, as the plan holds them.
    """
    templates = _templates()
    context = {**_defaults(), "inventory_hostname": host, "frr_hostname": host.partition(".")[0], **variables}
    for row in ROWS:
        template = templates.get((row.role, row.template))
        if template is not None and all(variables.get(name) for name in row.needs):
            yield row.destination, template.render(context, **row.extra(variables))
    if variables.get("vrf_interfaces") or variables.get("vrf_vrfs"):
        declared: dict[str, Any] = {"vrfs": variables.get("vrf_vrfs", []), "interfaces": variables.get("vrf_interfaces", [])}
        if "vrf_default_routes" in variables:
            declared["default_routes"] = variables["vrf_default_routes"]
        for kind in TUNNELS:
            if kind.made_as and entries_of(variables, kind.variable):
                declared[kind.made_as] = entries_of(variables, kind.variable)
        yield "/etc/xgn/interface.json", json.dumps(declared, indent=1, sort_keys=True) + "\n"
    if variables.get("firewall_public_interfaces") or variables.get("firewall_tcp_mss_interfaces"):
        yield "/etc/xgn/firewall.nft", filter_text(variables)
    for l2tp in variables.get("l2tp_ipsec_tunnels", []):
        yield f"/etc/ppp/xgn-{l2tp['name']}", templates["l2tp_ipsec", "ppp.j2"].render({**context, "tunnel": l2tp})
    for tunnel in variables.get("openvpn_tunnels", []):
        known = {
            **context,
            "tunnel": tunnel,
            "fingerprint": f"<fingerprint of {tunnel['peer']} {tunnel.get('peer_interface', tunnel['name'])}>",
        }
        name, role = tunnel["name"], tunnel["role"]
        yield f"/etc/openvpn/{role}/{name}.conf", templates["openvpn", "tunnel.conf.j2"].render(known)
        yield (
            f"/etc/systemd/system/openvpn-{role}@{name}.service.d/80-xgn-openvpn.conf",
            templates["openvpn", "dropin.conf.j2"].render(known),
        )
    for interface in variables.get("wireguard_interfaces", []):
        yield f"/etc/wireguard/{interface['name']}.conf", wireguard_text(host, interface)


def filter_text(variables: Variables) -> str:
    """Return the file of role firewall."""
    return _templates()[_FILTER].render({**_defaults(), **variables})


def wireguard_text(host: str, interface: WireguardInterface) -> str:
    """Return the wg-quick file of an interface, with placeholders for its keys."""
    name = interface["name"]
    peers = [
        {
            **peer,
            "public_key": peer.get("public_key") or f"<public key of {peer['name']} {peer.get('interface', name)}>",
            **({"preshared_key": f"<secret preshared key of {peer['name']}>"} if "preshared_key" in peer else {}),
        }
        for peer in interface["peers"]
    ]
    return conf_text({**interface, "peers": peers}, f"<secret private key of {host} {name}>")
