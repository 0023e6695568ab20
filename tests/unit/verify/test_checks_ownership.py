"""What is left over on a host: verify is red on each thing of ours that nothing asks for, and says who made it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import JUDGED, host_requirements
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.ownership import check_ownership
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger

VARIABLES = cast(
    HostVariables,
    {
        "openvpn_tunnels": [{"name": "ovpn2", "role": "server"}],
        "vrf_vrfs": [{"name": "CORE", "table": 200}],
        "vrf_interfaces": [{"name": "br0", "kind": "bridge"}],
        "vrf_default_routes": [
            {"gateway": "192.0.2.1", "interface": "eth0"},
            {"gateway": "2001:db8::1", "interface": "eth0", "vrf": "CORE"},
        ],
    },
)
HOST = {
    "os_family": "Debian",
    "systemd": True,
    "network_manager": False,
    "kernel": "6.12.1",
    "kernel_features": dict.fromkeys(JUDGED, "module"),
}


def thing(role: str, kind: str, name: str, alive: bool = True, changed: bool = False) -> dict[str, Any]:
    return {"role": role, "kind": kind, "name": name, "alive": alive, "changed": changed}


def found(*objects: dict[str, Any], unrecorded: tuple[str, ...] = (), damaged: tuple[str, ...] = ()) -> dict[str, tuple[str, str, str]]:
    data = {"objects": list(objects), "unrecorded": list(unrecorded), "damaged": list(damaged)}
    ledger = Ledger("E1", {"ownership": {"command": "cat", "data": data, "error": None}})
    check_ownership(ledger, VARIABLES)
    return {check.name: (check.status, check.command, check.detail) for check in ledger.checks}


def test_what_is_wanted_is_no_leftover() -> None:
    wanted = [
        thing("openvpn", "unit", "openvpn-server@ovpn2.service"),
        thing("openvpn", "interface", "ovpn2"),
        thing("vrf", "interface", "CORE"),
        thing("vrf", "interface", "br0"),
        thing("vrf", "route", "IPv4 default"),
        thing("vrf", "unit", "interface.service"),
        thing("frr", "file", "/etc/systemd/system/frr.service"),
        # Recorded, and gone already.
        thing("firewall", "table", "inet xgn", alive=False),
    ]
    assert found(*wanted) == {"Nothing of ours is left over": ("passed", "cat", "8 recorded, each wanted and as written")}


@pytest.mark.parametrize(
    ("role", "kind", "name", "command"),
    [
        ("openvpn", "interface", "ovpn9", "ip -details link show dev ovpn9"),
        ("openvpn", "unit", "openvpn-client@ovpn2.service", "systemctl status openvpn-client@ovpn2.service"),
        ("vrf", "interface", "OLD", "ip -details link show dev OLD"),
        ("vrf", "route", "IPv6 default", "ip -4 route show default; ip -6 route show default"),
        ("l2tp_ipsec", "unit", "xl2tpd.service", "systemctl status xl2tpd.service"),
        ("firewall", "table", "inet xgn", "nft list table inet xgn"),
        ("dns_anycast", "file", "/usr/local/sbin/xgn-anycast", "ls -l /usr/local/sbin/xgn-anycast"),
    ],
)
def test_what_nothing_asks_for_is_a_leftover(role: str, kind: str, name: str, command: str) -> None:
    detail = f"role {role} made it, and nothing asks for it any more. site removes it"
    assert found(thing(role, kind, name)) == {f"Leftover {kind} {name}": ("failed", command, detail)}


def test_a_file_that_is_gone_is_missed_as_long_as_it_is_wanted() -> None:
    name = "/etc/systemd/system/interface.service"
    assert found(thing("vrf", "file", name, alive=False, changed=True)) == {
        f"File {name} as written": ("failed", f"ls -l {name}", "role vrf wrote it, and it is gone. site writes it again")
    }
    assert list(found(thing("dns_anycast", "file", "/etc/xgn/anycast.json", alive=False, changed=True))) == ["Nothing of ours is left over"]


def test_what_nobody_recorded_and_what_was_changed_by_hand() -> None:
    results = found(
        thing("vrf", "file", "/etc/systemd/system/interface.service", changed=True),
        unrecorded=("table inet xgn_old", "file /etc/xgn/old.json"),
        damaged=("/var/lib/xgn/record/vrf.json is damaged; what is recorded comes from its copy",),
    )
    assert {name: status for name, (status, _command, _detail) in results.items()} == {
        "Record /var/lib/xgn/record/vrf.json whole": "failed",
        "File /etc/systemd/system/interface.service as written": "failed",
        "Leftover table inet xgn_old": "failed",
        "Leftover file /etc/xgn/old.json": "failed",
    }


# ---- lost variables ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", sorted(name for name, role in ROLES.items() if role.removes))
def test_the_last_object_of_every_role_needs_a_plain_yes(role: str) -> None:
    host = {**HOST, "recorded": {role: ["unit x.service", "file /etc/x"]}}
    (sentence,) = host_requirements(host, {})
    assert f"role {role} any more, and all that it made on this host would go: unit x.service, file /etc/x." in sentence
    assert f"{role}_remove_all: true" in sentence
    for yes in ({f"{role}_remove_all": True}, {"xgn_remove_all": [role]}):
        assert host_requirements(host, yes) == []


def test_what_is_wanted_or_was_never_there_needs_none() -> None:
    assert host_requirements({**HOST, "recorded": {"openvpn": ["file /etc/x"]}}, {"openvpn_tunnels": [{"name": "a"}]}) == []
    assert host_requirements({**HOST, "recorded": {"sysctl": ["file /etc/x"]}}, {}) == []
    assert host_requirements(HOST, {}) == []
