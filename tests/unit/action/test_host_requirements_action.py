"""Action host_requirements: what a host lacks is refused on the controller, by the host's own variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.action.host_requirements import ActionModule
from ansible_collections.xuegao.net.plugins.module_utils import owners as written
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import ASKED, JUDGED, owners_problems

Act = Callable[..., dict[str, Any]]
FEATURES = dict.fromkeys(JUDGED, "module")
HOST = {"os_family": "Debian", "systemd": True, "network_manager": False, "kernel": "6.12.41", "kernel_features": FEATURES, "recorded": {}}


def judged(act: Act, host: dict[str, Any], **variables: Any) -> dict[str, Any]:
    return act(ActionModule, {"host": {**HOST, **host}}, {"inventory_hostname": "r1", **variables}, check=True)


def test_a_host_that_brings_everything_passes(act: Act) -> None:
    result = judged(act, {}, wireguard_interfaces=[{"name": "wg0"}])
    assert result == {"changed": False, "msg": "Kernel and tools are as the variables ask for."}


def test_all_that_is_lacking_is_told_at_once(act: Act) -> None:
    result = judged(act, {"systemd": False, "kernel_features": FEATURES | {"vrf": "missing"}}, vrf_vrfs=[{"name": "CORE", "table": 200}])
    assert result["failed"]
    first, *lines = result["msg"].splitlines()
    assert first == "r1 does not meet 2 requirement(s). Nothing was changed on it."
    assert set(result) == {"changed", "failed", "msg"}, "printed once"
    assert [line.split(",")[0] for line in lines] == [
        "- systemd is not running as PID 1",
        "- VRF needs the kernel module vrf; this kernel is 6.12.41",
    ]


@pytest.mark.parametrize("role", [role for role in ROLES.values() if role.removes], ids=lambda role: role.name)
def test_a_roles_last_object_goes_with_a_plain_yes_only(act: Act, role: Any) -> None:
    host = {"recorded": {role.name: ["unit x.service"]}}
    assert f"set {role.remove_all}: true" in judged(act, host)["msg"]
    yes: list[dict[str, Any]] = [{role.remove_all: True}, {"xgn_remove_all": [role.name]}, *([dict([role.absent])] if role.absent else [])]
    for said in yes:
        assert "failed" not in judged(act, host, **said), said


CONF = "file /etc/wireguard/wg0.conf"
OVPN = "file /etc/openvpn"
O1 = {"name": "o1", "role": "server"}


@pytest.mark.parametrize(
    ("owners", "variables", "refused"),
    [
        ({"wireguard": [CONF]}, {"wireguard_interfaces": [{"name": "wg0"}]}, CONF),
        ({"wireguard": ["interface wg0", "interface wg7"]}, {"wireguard_interfaces": [{"name": "wg0"}]}, "interface wg0"),
        # What nobody declares is nobody's business here.
        ({"wireguard": [CONF]}, {"wireguard_interfaces": [{"name": "wg1"}]}, ""),
        ({"wireguard": [CONF]}, {}, ""),
        ({"wireguard": [CONF]}, {"wireguard_interfaces": [{"name": "wg0"}], "xgn_adopt": ["frr"]}, CONF),
        ({"wireguard": [CONF]}, {"wireguard_interfaces": [{"name": "wg0"}], "xgn_adopt": ["wireguard"]}, ""),
        ({"wireguard": [CONF]}, {"wireguard_interfaces": [{"name": "wg0"}], "wireguard_adopt": True}, ""),
        ({"frr": ["file /etc/frr/frr.conf"]}, {}, "file /etc/frr/frr.conf"),
        ({"frr": ["file /etc/frr/frr.conf"]}, {"xgn_adopt": ["frr"]}, ""),
        ({"frr": ["file /etc/frr/frr.conf", "file /etc/frr/daemons"]}, {}, "file /etc/frr/frr.conf, file /etc/frr/daemons"),
        ({"openvpn": [f"{OVPN}/server/o1.conf", f"{OVPN}/server/o2.conf"]}, {"openvpn_tunnels": [O1]}, f"{OVPN}/server/o1.conf"),
        ({"openvpn": [f"{OVPN}/client/o1.conf"]}, {"openvpn_tunnels": [O1]}, ""),
        ({"openvpn": ["interface o1", "interface tap0"]}, {"openvpn_tunnels": [O1]}, "interface o1"),
        ({"openvpn": [f"{OVPN}/server/o1.conf"]}, {"openvpn_tunnels": [O1], "xgn_adopt": ["openvpn"]}, ""),
        (
            {"docker_macvlan": ["file /etc/docker/daemon.json"]},
            {"docker_macvlan_networks": [{"name": "n"}]},
            "file /etc/docker/daemon.json",
        ),
        ({"docker_macvlan": ["file /etc/docker/daemon.json"]}, {}, ""),
        ({"vrf": ["file /etc/systemd/system/interface.service"]}, {"vrf_vrfs": [{"name": "CORE"}], "vrf_adopt": True}, ""),
    ],
)
def test_what_somebody_else_has_made_is_refused_until_it_may_be_taken_over(
    act: Act, owners: dict[str, list[str]], variables: dict[str, Any], refused: str
) -> None:
    result = judged(act, {"owners": owners}, **variables)
    if not refused:
        assert "somebody else" not in result["msg"]
    else:
        (role,) = owners
        assert f"- {refused} would be rewritten by role {role}, and somebody else has made that. " in result["msg"]
        assert f"set {role}_adopt: true, or xgn_adopt: [{role}]" in result["msg"] and "wg7" not in result["msg"]


def test_a_role_alone_is_refused_for_its_own_files_only(act: Act) -> None:
    """And by its own variables: another role's may be of no use here, or be read from what is not there."""
    host = {**HOST, "systemd": False, "owners": {"frr": ["file /etc/frr/frr.conf"], "firewall": ["file /etc/xgn/firewall.nft"]}}
    variables = {"inventory_hostname": "r1", "wireguard_interfaces": "{{ nowhere }}", "firewall_trusted_interfaces": ["eth0"]}
    told = act(ActionModule, {"host": host, "owners_of": "firewall"}, variables, check=True)
    assert told["failed"] and "firewall.nft" in told["msg"] and "frr.conf" not in told["msg"] and "systemd" not in told["msg"]
    allowed = act(ActionModule, {"host": host, "owners_of": "firewall"}, variables | {"firewall_adopt": True}, check=True)
    assert allowed == {"changed": False, "msg": "Nothing there is somebody else's that role firewall would rewrite."}


def test_all_roles_that_would_rewrite_something_are_told_at_once(act: Act) -> None:
    """Each role that writes files can be asked, by its own variable."""
    owners = {name: [f"file /etc/{name}"] for name in written.ROLES if name not in ("wireguard", "openvpn")}
    variables = {name: True for role in owners for name in ROLES[role].declares}
    told = judged(act, {"owners": owners})["msg"]
    assert told.count("and somebody else has made that") == 2, "those of every host"
    problems = owners_problems({"owners": owners}, variables)
    assert [line.split()[1] for line in problems] == [f"/etc/{role}" for role in ROLES if role in owners]
    assert owners_problems({"owners": owners}, {**variables, "xgn_adopt": list(owners)}) == []
    assert {f"{role}_adopt" for role in written.ROLES} <= ASKED


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"vrf_interfaces": [{"name": "eth1", "vrf": "CORE"}]}, []),
        (
            {"vrf_interfaces": [{"name": "eth9", "vrf": "CORE"}, {"name": "eth8"}]},
            ["eth9 is in vrf_interfaces", "eth8 is in vrf_interfaces"],
        ),
        ({"vrf_interfaces": [{"name": "eth9.5", "kind": "vlan", "parent": "eth9"}]}, ["eth9 is the parent of eth9.5"]),
        ({"vrf_interfaces": [{"name": "eth9"}, {"name": "eth9.5", "kind": "vlan", "parent": "eth9"}]}, ["eth9 is in vrf_interfaces"]),
        # What a role makes, or a unit, or what comes and goes.
        ({"vrf_interfaces": [{"name": "br0", "kind": "bridge"}, {"name": "br0.5", "kind": "vlan", "parent": "br0"}]}, []),
        ({"vrf_interfaces": [{"name": "wg1", "vrf": "CORE"}], "wireguard_interfaces": [{"name": "wg1"}]}, []),
        ({"vrf_interfaces": [{"name": "tap1", "unit": "taps.service"}, {"name": "ppp0", "dynamic": True}]}, []),
    ],
)
def test_an_interface_that_is_missing_is_named_before_a_role_fails_on_it(act: Act, variables: dict[str, Any], missing: list[str]) -> None:
    result = judged(act, {"interfaces": ["eth10", "lo", "eth1"]}, **variables)
    lines = [line[2:] for line in result["msg"].splitlines()[1:]] if "failed" in result else []
    assert [line.split(",")[0] for line in lines] == missing
    assert all("(it has eth1, eth10, lo)" in line for line in lines)
    # Nothing is known of a host that was looked at by an older version.
    assert "failed" not in judged(act, {}, **variables)


def test_filters_of_others_are_warned_of_and_refuse_nothing(act: Act) -> None:
    drop = {"verdict": "drop", "protocol": "", "ports": [], "iif": "", "oif": "", "some": False}
    chain = {"table": "ip filter", "owners": ["ufw"], "chain": "INPUT", "hook": "input", "priority": 0, "rules": [drop]}
    result = judged(act, {"filters": [chain]})
    assert "failed" not in result
    (said,) = result["warnings"]
    assert said.startswith("r1: a packet filter of ufw (table ip filter, chain INPUT) drops tcp port 22, which is planned here.")
    # With what is refused, too.
    assert judged(act, {"filters": [chain], "systemd": False})["warnings"] == [said]
