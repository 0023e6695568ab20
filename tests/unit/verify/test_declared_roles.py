"""What few hosts declare alone: verify looks at it, the plan directory has its files, and nothing else is asked for."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import expected_units
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

ROUTE = [{"gateway": "198.51.100.1", "interface": "eth0"}]
VXLAN = [{"name": "vxlan7", "vni": 7, "local": "198.51.100.1", "remotes": ["198.51.100.2"], "mtu": 1450}]
GRE = [{"name": "gre7", "peer": "b", "local": "198.51.100.1", "remote": "198.51.100.2", "mtu": 1476}]
INTERFACES = ["/etc/systemd/system/interface.service", "/etc/xgn/interface.json"]
FRR = ["/etc/frr/daemons", "/etc/frr/frr.conf", "/etc/systemd/system/frr.service"]


def host(**variables: Any) -> HostVariables:
    return cast(HostVariables, variables)


def files_of(variables: HostVariables) -> list[str]:
    """Without the kernel's settings, which every host gets."""
    return sorted(path for path, _text in rendered_files("a", variables) if path != "/etc/sysctl.d/90-xgn.conf")


def skipped(variables: HostVariables) -> set[str]:
    return {check.name for check in host_checks("a", variables, {}) if check.status == "skipped"}


@pytest.mark.parametrize(
    ("variables", "unit", "role", "files"),
    [
        (host(vrf_default_routes=ROUTE), "interface.service", "vrf", INTERFACES),
        (host(vxlan_interfaces=VXLAN), "interface.service", "vrf", INTERFACES),
        (host(gre_interfaces=GRE), "interface.service", "vrf", INTERFACES),
        (host(vrf_vrfs=[{"name": "CORE", "table": 200}]), "interface.service", "vrf", INTERFACES),
        (host(frr_vrfs=["CORE"]), "frr.service", "frr", FRR),
        (host(frr_static_routes=[{"prefix": "192.0.2.0/24", "blackhole": True}]), "frr.service", "frr", FRR),
        (host(frr_bfd_profiles=[{"name": "fast"}]), "frr.service", "frr", FRR),
        (
            host(firewall_tcp_mss_interfaces=["wg7"]),
            "xgn-firewall.service",
            "firewall",
            ["/etc/xgn/firewall.nft", "/usr/local/sbin/xgn-firewall"],
        ),
    ],
    ids=["default route", "VXLAN", "GRE", "VRF", "FRR's VRFs", "static route", "BFD profile", "MSS"],
)
def test_what_stands_alone_is_a_use_of_its_role(variables: HostVariables, unit: str, role: str, files: list[str]) -> None:
    assert expected_units(variables) == [unit]
    assert f"Role {role}" not in skipped(variables)
    assert files_of(variables) == files


def test_containers_without_a_network_of_ours_are_a_use_of_docker() -> None:
    variables = host(docker_macvlan_containers=[{"name": "app", "image": "app:1", "network": "apps", "ipv4_address": "192.0.2.2"}])
    assert expected_units(variables) == ["docker.service"]
    assert gather_arguments(variables)["docker"] == {"containers": ["app"]}
    assert any(check.name.startswith("Docker ") for check in host_checks("a", variables, {}))


def test_a_filter_that_was_taken_away_is_not_missed() -> None:
    variables = host(firewall_state="absent", firewall_trusted_interfaces=["eth0"])
    assert expected_units(variables) == []
    assert gather_arguments(variables)["filter"] == ""
    assert not any(check.name.startswith("Firewall ") for check in host_checks("a", variables, {}))
    assert files_of(variables) == []


def test_a_role_that_is_left_out_is_named_whichever_variable_it_has() -> None:
    variables = host(firewall_tcp_mss_interfaces=["wg7"], verify_roles=["sysctl"])
    assert skipped(variables) >= {"Role firewall", "Role frr", "Role vrf", "Role wireguard"}
    assert "Role gobgp" not in skipped(variables)
