"""The registry of link types: complete, asked everywhere, and what must repeat a type elsewhere does."""

from __future__ import annotations

import ast
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.common import link_types
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import LAYERS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.interface_names import interface_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, LinkType, LinkTypeError, link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, LinkOptions, Node, WrittenEnd
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.failover_test import _tunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.firewall import _ports_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.vrf import tunnel_unit
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import END_MARKS, WIDTHS
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import KIND_LEGEND
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import KIND_WORDS
from ansible_collections.xuegao.net.plugins.plugin_utils.report.wires import TELLING, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins" / "plugin_utils"
TYPES = list(LINK_TYPES.values())
LINK_OPTIONS = intent_options()["xgn_links"]["options"]


def names(item: LinkType) -> str:
    return item.name


def intent_with(kind: LinkType) -> dict[str, Any]:
    """Return two nodes with a link of a type, and a packet filter."""
    ends: list[dict[str, Any]] = [{"node": "a"}, {"node": "b"}]
    for end in ends:
        end |= {"device": "eth1"} if "device" in kind.end_keys else {}
    link: dict[str, Any] = {"id": 7, "type": kind.name, "ends": ends}
    link |= {"preshared_key_variable": "vault_key"} if kind.preshared_key_required else {}
    link |= {kind.number_option: 7} if kind.number_required else {}
    return {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_nodes": {
            "a": {"id": 1, "asn": 64512, "uplink": {"device": "eth0", "address": "198.51.100.1/24"}},
            "b": {"id": 2, "asn": 64513, "uplink": {"device": "eth0", "address": "198.51.100.2/24"}},
        },
        "xgn_firewall": {},
        "xgn_links": [link],
    }


# ---- complete ------------------------------------------------------------------------------------------------------------------------------


def test_the_schema_of_the_intent_names_the_same_types() -> None:
    assert LINK_OPTIONS["type"]["choices"] == list(LINK_TYPES)
    pattern = intent_options()["xgn_patterns"]["options"]
    for key in ("link", "reserve"):
        assert pattern[key]["options"]["type"]["choices"] == list(LINK_TYPES)


def test_keys_and_variants_are_those_of_the_schema() -> None:
    ends = LINK_OPTIONS["ends"]["options"]
    for kind in TYPES:
        assert set(kind.keys) <= set(LINK_OPTIONS)
        assert set(kind.end_keys) <= set(ends)
        if kind.variant:
            assert set(kind.layers) == set(LINK_OPTIONS[kind.variant]["choices"])
            assert next(iter(kind.layers)) == LINK_OPTIONS[kind.variant]["default"]
        for option in (kind.number_option, kind.ports.protocol_option, kind.ports.number_option):
            assert not option or option in LINK_OPTIONS
        assert not kind.port_settings or "port_base" in intent_options()[kind.port_settings]["options"]


@pytest.mark.parametrize("kind", TYPES, ids=names)
def test_what_belongs_together_is_there(kind: LinkType) -> None:
    assert set(kind.layers.values()) <= set(LAYERS)
    assert kind.layers or not kind.tunnel, "a tunnel adds headers"
    assert bool(kind.prefix) == kind.tunnel, "what is no tunnel has its name from the device"
    assert bool(kind.ports.listener) == bool(kind.port_settings) == ("listen_port" in kind.end_keys)
    assert not kind.tunnel or kind.ports.listener or kind.ports.common({}), "a tunnel is addressed on some port"
    assert bool(kind.failover) == bool(kind.unit), "the failover test cuts what has a unit"
    assert ("endpoint" in kind.end_keys) == kind.tunnel
    assert all(getattr(kind, field.name) for field in fields(kind) if field.name in ("title", "noun", "legend", "word", "role", "variable"))
    assert kind.width > 0


def test_prefixes_tell_the_types_apart() -> None:
    prefixes = [kind.prefix for kind in TYPES if kind.prefix]
    assert len(set(prefixes)) == len(prefixes)


@pytest.mark.parametrize("kind", TYPES, ids=names)
def test_its_role_has_all_its_parts(kind: LinkType) -> None:
    assert kind.variable in load_role_specs(ROOT / "roles").options
    specs = yaml.safe_load((ROOT / "roles" / kind.role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    assert kind.variable in specs["argument_specs"]["main"]["options"]
    for folder in ("plan/variables", "validate/rules", "verify/checks"):
        assert (UTILS / folder / f"{kind.role}.py").is_file()


def test_drawings_and_legends_know_every_type() -> None:
    assert set(WIDTHS) == set(END_MARKS) == set(KIND_LEGEND) == {*LINK_TYPES, "docker", "bgp", "both"}
    assert set(KIND_WORDS) == {*LINK_TYPES, "docker"}
    assert {*TUNNELS, *TELLING} == {*LINK_TYPES, "docker"}


@pytest.mark.parametrize("kind", TYPES, ids=names)
def test_a_link_comes_out_as_an_entry_of_its_role_with_open_ports_and_an_mtu(kind: LinkType) -> None:
    plan = make_plan(intent_with(kind))
    link = plan.intent.links[0]
    assert (link.mtu < 1500) == kind.tunnel
    for end in link.ends:
        variables = plan.hosts[end.node.name]
        assert end.interface in [item["name"] for item in entries_of(variables, kind.variable)]
        opened = variables.get("firewall_open_ports", [])
        listens = kind.ports.listener == "each" or (kind.ports.listener == "server" and end.node.id == 1)
        assert bool(opened) == bool(link.options.open_ports or listens)


# ---- unknown -------------------------------------------------------------------------------------------------------------------------------


def unknown_link() -> Link:
    one, two = Node("a", Place.of("xgn_nodes", "a"), id=1), Node("b", Place.of("xgn_nodes", "b"), id=2)
    ends = (End(one, Place(), WrittenEnd(), interface="gre1"), End(two, Place(), WrittenEnd(), interface="gre1"))
    options = LinkOptions("uplink", None, None, True, None, None, None, None, None, "", "udp", ())
    return Link(1, Place.of("xgn_links", 0), "carrier-pigeon", ends, options, 1)


def test_an_unknown_type_raises_wherever_one_asks() -> None:
    link = unknown_link()
    sentence = "unknown link type 'carrier-pigeon'; valid: wireguard, openvpn, l2tp_ipsec, vxlan, vlan, direct"
    for ask in (
        lambda: link_type(link.type),
        lambda: link.kind,
        lambda: interface_name(link.type, 1),
        lambda: _ports_of(link, link.ends[0]),
        lambda: tunnel_unit(link, link.ends[0]),
        lambda: _tunnel(link, link.ends[0]),
    ):
        with pytest.raises(LinkTypeError) as caught:
            ask()
        assert str(caught.value) == sentence


def test_an_intent_with_an_unknown_type_is_answered_by_the_schema() -> None:
    raw = intent_with(LINK_TYPES["direct"])
    raw["xgn_links"][0]["type"] = "carrier-pigeon"
    assert [str(problem.path) for problem in check_intent(raw)[1]] == ["xgn_links[0].type"]


def test_an_unknown_variant_raises() -> None:
    with pytest.raises(LinkTypeError, match="unknown transport 'sctp' of a link of type openvpn; valid: tcp, udp"):
        LINK_TYPES["openvpn"].encapsulation({"transport": "sctp"})


def test_a_type_whose_failover_nobody_knows_raises() -> None:
    link = unknown_link()
    link.type = "vxlan"
    with pytest.raises(LinkTypeError, match="cannot cut links of type vxlan"):
        _tunnel(link, link.ends[0])


def test_an_entry_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        LINK_TYPES["vlan"].layer = 3  # type: ignore[misc]
    assert deepcopy(LINK_TYPES["vlan"]) == LINK_TYPES["vlan"]


# ---- no second table -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path.relative_to(UTILS).as_posix() for path in sorted(UTILS.rglob("*.py"))])
def test_no_file_compares_the_type_of_a_link(path: str) -> None:
    """What depends on the type is a field of its entry: a comparison would fall to its other side for a type that is added later."""
    for node in ast.walk(ast.parse((UTILS / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            words = {
                item.value for side in sides for item in ast.walk(side) if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
            asked = any(isinstance(side, ast.Attribute) and side.attr == "type" for side in sides)
            assert not (asked and words & set(LINK_TYPES)), (
                f"{path}:{node.lineno} compares a link's type; ask its entry in common/link_types.py"
            )


def test_the_registry_stands_in_one_file() -> None:
    assert Path(str(link_types.__file__)).name == "link_types.py"
    tables = []
    for path in sorted(UTILS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if len(keys & set(LINK_TYPES)) > 1:
                    tables.append(f"{path.relative_to(UTILS).as_posix()}")
    # The encapsulations themselves; how each kind of live state is read.
    assert sorted(set(tables)) == ["common/encapsulation.py", "report/links.py"]
