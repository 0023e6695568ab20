"""What the error cases cannot show: the rules raise nothing for any input, stay linear, and let correct variables pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.validate import host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, role_variables, variable_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules import openvpn
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.variable_rules import host_problems
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
SPECS = load_role_specs(ROOT / "roles")

# Words that get past the first look of a rule, so that arbitrary input reaches the ones behind it.
WORDS = st.sampled_from(
    ["CORE", "wg0", "10.0.0.1/30", "10.0.0.1", "2001:db8::1/64", "::/0", "any", "[::1]:1", "a:1", "ip address prefix-list X", "match", ""]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS


ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=12
)


def of_spec(spec: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that mostly have the shape of a spec, with anything at all in between."""
    kind = spec.get("elements", "raw") if spec["type"] == "list" else spec["type"]
    if "choices" in spec:
        item: st.SearchStrategy[Any] = st.sampled_from(spec["choices"])
    elif "options" in spec:
        item = st.fixed_dictionaries({}, optional={name: of_spec(option) for name, option in spec["options"].items()})
    elif kind == "int":
        item = st.integers(-1, 70000)
    elif kind == "bool":
        item = st.booleans()
    else:
        item = WORDS
    return (st.lists(item, max_size=3) if spec["type"] == "list" else item) | ANYTHING


VARIABLES = st.fixed_dictionaries({}, optional={name: of_spec(dict(spec)) for name, spec in SPECS.options.items()})


@settings(max_examples=150)
@given(VARIABLES)
def test_nothing_is_raised_for_any_input(variables: dict[str, Any]) -> None:
    for problem in variable_problems(role_variables(variables, SPECS), SPECS):
        assert problem.path.keys
        assert "\n" not in str(problem)


@pytest.mark.parametrize("host", ["T1", "T2"])
def test_pair_t1_t2_has_no_mistake(host: str) -> None:
    inventory = ROOT / "tests" / "golden" / "t1_t2" / "role_variables"
    variables = read_yaml((inventory / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    variables |= read_yaml((inventory / "host_vars" / f"{host}.yml").read_text(encoding="utf-8"))
    variables["frr_bgp"][0]["neighbors"][0]["password"] = variables["bgp_password"]  # a template in the file
    variables["xgn_uplink_mtu"] = 1492
    assert list(variable_problems(role_variables(variables, SPECS), SPECS)) == []


def test_a_host_without_variables_has_no_mistake() -> None:
    assert list(variable_problems({}, SPECS)) == []


def test_defaults_of_the_rules_are_those_of_the_roles() -> None:
    interface = SPECS.options["wireguard_interfaces"]["options"]
    assert tuple(interface["peers"]["options"]["allowed_ips"]["default"]) == host.ALLOWED_IPS
    tunnel = SPECS.options["openvpn_tunnels"]["options"]
    found = [tunnel[key]["default"] for key in ("ping_interval", "ping_restart", "transport", "family")]
    assert found == [
        openvpn.PING_INTERVAL,
        openvpn.PING_RESTART,
        openvpn.TRANSPORT,
        openvpn.OUTER,
    ]
    assert SPECS.options["frr_prefix_lists"]["options"]["family"]["default"] == host.FAMILY_DEFAULT
    assert SPECS.options["frr_bgp"]["options"]["redistribute"]["options"]["family"]["default"] == host.FAMILY_DEFAULT


def test_frr_alone_does_not_know_where_interfaces_are() -> None:
    """Without role vrf, an interface may be in any VRF: no mistake is claimed that may be none."""
    variables = {
        "frr_vrfs": ["CORE", "GUEST"],
        "frr_interfaces": [{"name": "wg0", "addresses": ["10.0.0.1/30"]}, {"name": "wg1", "addresses": ["10.0.0.1/30"]}],
        "frr_static_routes": [{"prefix": "10.9.0.0/16", "interface": "wg0", "vrf": "CORE"}],
        "frr_route_maps": [{"name": "ALL", "entries": [{"seq": 10, "action": "permit"}]}],
        "frr_bgp": [
            {
                "asn": 65503,
                "vrf": "CORE",
                "router_id": "1.1.1.1",
                "neighbors": [
                    {
                        "address": "10.0.0.2",
                        "remote_as": 65502,
                        "update_source": "10.0.0.1",
                        "families": [{"family": "ipv4", "route_map_in": "ALL", "route_map_out": "ALL"}],
                    }
                ],
            }
        ],
    }
    assert list(variable_problems(variables, SPECS)) == []


def test_same_address_in_two_vrfs_and_same_router_id_are_allowed() -> None:
    variables = {
        "vrf_vrfs": [{"name": "A", "table": 1}, {"name": "B", "table": 2}],
        "frr_vrfs": ["A", "B"],
        "frr_interfaces": [{"name": "A", "addresses": ["1.1.1.1/32"]}, {"name": "B", "addresses": ["1.1.1.1/32"]}],
        "frr_bgp": [{"asn": 65503, "vrf": "A", "router_id": "1.1.1.1"}, {"asn": 65503, "vrf": "B", "router_id": "1.1.1.1"}],
    }
    assert list(variable_problems(variables, SPECS)) == []


def large(count: int) -> dict[str, Any]:
    """A hub with one tunnel, one address and one eBGP session for each of its sites."""
    links = range(count)
    return {
        "vrf_vrfs": [{"name": "CORE", "table": 200}],
        "vrf_interfaces": [{"name": f"wg{n}", "vrf": "CORE"} for n in links],
        "wireguard_interfaces": [{"name": f"wg{n}", "listen_port": n + 1, "peers": [{"name": f"site{n}"}]} for n in links],
        "frr_vrfs": ["CORE"],
        "frr_interfaces": [{"name": f"wg{n}", "addresses": [f"10.{n >> 8}.{n & 255}.1/30"]} for n in links],
        "frr_bgp": [
            {
                "asn": 1,
                "vrf": "CORE",
                "router_id": "1.1.1.1",
                "neighbors": [{"address": f"10.{n >> 8}.{n & 255}.2", "remote_as": n + 2} for n in links],
            }
        ],
    }


def test_work_is_linear(lines: Callable[[Callable[[], object]], int]) -> None:
    small, big = large(100), large(1000)
    assert [*host_problems(small), *host_problems(big)] == []
    assert lines(lambda: host_problems(big)) <= 10 * lines(lambda: host_problems(small))


def test_longest_role_name_owns_a_variable(tmp_path: Path) -> None:
    for role, options in (("frr", {"frr_bgp": {"type": "list"}}), ("frr_build", {"frr_build_version": {"type": "str"}})):
        (tmp_path / role / "meta").mkdir(parents=True)
        text = yaml.safe_dump({"argument_specs": {"main": {"options": options}}})
        (tmp_path / role / "meta" / "argument_specs.yml").write_text(text, encoding="utf-8")
    (tmp_path / "lab").mkdir()
    specs = load_role_specs(tmp_path)
    variables = {"frr_build_version": 1, "frr_build_verison": "1", "frr_bgp": None, "__frr_unit": 1, "lab_x": 1, "other": 1}
    assert [str(problem) for problem in variable_problems(role_variables(variables, specs), specs)] == [
        "frr_build_verison: unknown variable of role frr_build; did you mean 'frr_build_version'? Valid variables: frr_build_version",
        "frr_build_version: 1 is not a string; put it in quotes",
    ]


@pytest.mark.parametrize(
    ("vrf", "address"),
    [("CORE", "198.51.100.1/30"), ("CORE", None), (None, "198.51.100.1/30")],
    ids=["known", "address_of_others", "nic_of_the_host"],
)
def test_a_neighbor_may_be_connected_by_an_interface_that_others_give_its_address(vrf: str | None, address: str | None) -> None:
    """FRR knows the addresses that it sets. A provider behind a NIC, whose address the host's own network manager sets, is no mistake."""
    place = {} if vrf is None else {"vrf": vrf}
    variables = {
        "vrf_vrfs": [{"name": "CORE", "table": 200}],
        "vrf_interfaces": [{"name": "br0", "kind": "bridge", **place}, *([] if vrf is None else [{"name": "eth1", "vrf": vrf}])],
        "frr_vrfs": ["CORE"],
        "frr_interfaces": [
            {"name": "br0", "addresses": ["10.0.0.1/24"]},
            *([{"name": "eth1", "addresses": [address]}] if vrf is not None and address is not None else []),
        ],
        "frr_route_maps": [{"name": "ALL", "entries": [{"seq": 10, "action": "permit"}]}],
        "frr_bgp": [
            {
                "asn": 65503,
                **place,
                "router_id": "10.0.0.1",
                "neighbors": [
                    {
                        "address": "198.51.100.2",
                        "remote_as": 65502,
                        "families": [{"family": "ipv4", "route_map_in": "ALL", "route_map_out": "ALL"}],
                    }
                ],
            }
        ],
    }
    assert [str(problem) for problem in variable_problems(variables, SPECS)] == []
