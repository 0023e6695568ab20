"""The registry of link types: complete, asked everywhere, and what must repeat a type elsewhere does."""

from __future__ import annotations

import ast
import json
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer, interface_tunnel, removal, way_back_program
from ansible_collections.xuegao.net.plugins.modules import host_facts
from ansible_collections.xuegao.net.plugins.plugin_utils.common import link_types
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import LAYERS, fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.interface_names import interface_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, ONLINE, LinkType, LinkTypeError, link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import End, Link, LinkOptions, Node, WrittenEnd
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.failover_test import _tunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.firewall import ports_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.vrf import tunnel_unit
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import END_MARKS, WIDTHS
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import plan_files
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import KIND_LEGEND
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import KIND_WORDS
from ansible_collections.xuegao.net.plugins.plugin_utils.report.wires import TELLING, TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.validate import variable_rules
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import JUDGED, host_requirements
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.ownership import is_wanted
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import boot_pairs, expected_units
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

ROOT = Path(__file__).resolve().parents[3]
RULES = "ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules"
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "plugin_utils"
TYPES = list(LINK_TYPES.values())
LINK_OPTIONS = intent_options()["xgn_links"]["options"]

# What the owner of an unmanaged node tells, by key of its end.
IDENTITIES: dict[str, Any] = {"public_key": "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo=", "fingerprints": [":".join(["AB"] * 32)]}


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
    link |= {"insecure": True} if "insecure" in kind.keys else {}
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
        for option in (kind.number_option, kind.ports.protocol_option, kind.ports.number_option, kind.told_apart_by):
            assert not option or option in LINK_OPTIONS
        assert not kind.port_settings or "port_base" in intent_options()[kind.port_settings]["options"]


@pytest.mark.parametrize("kind", TYPES, ids=names)
def test_what_belongs_together_is_there(kind: LinkType) -> None:
    assert {*kind.layers.values(), *(layer for _option, layer in kind.layers_with)} <= set(LAYERS)
    assert {option for option, _layer in kind.layers_with} <= set(kind.keys)
    assert kind.layers or not kind.tunnel, "a tunnel adds headers"
    assert bool(kind.prefix) == kind.tunnel, "what is no tunnel has its name from the device"
    assert bool(kind.ports.listener) == bool(kind.port_settings) == ("listen_port" in kind.end_keys)
    assert not kind.tunnel or kind.ports.listener or kind.ports.common({}), "a tunnel is addressed on some port"
    assert kind.failover or not kind.unit, "the failover test cuts what has a unit"
    assert ("endpoint" in kind.end_keys) == kind.tunnel
    assert all(getattr(kind, field.name) for field in fields(kind) if field.name in ("title", "noun", "legend", "word", "role", "variable"))
    assert kind.width > 0


def test_prefixes_tell_the_types_apart() -> None:
    prefixes = [kind.prefix for kind in TYPES if kind.prefix]
    assert len(set(prefixes)) == len(prefixes)


@pytest.mark.parametrize("kind", TYPES, ids=names)
def test_its_role_has_all_its_parts(kind: LinkType) -> None:
    assert kind.variable in load_role_specs(ROOT / "roles").options
    specs = read_yaml((ROOT / "roles" / kind.role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    assert kind.variable in specs["argument_specs"]["main"]["options"]
    for folder in ("plan/variables", "validate/rules", "verify/checks"):
        assert (UTILS / folder / f"{kind.role}.py").is_file()


def module_options(name: str) -> dict[str, Any]:
    """Return the documented options of a module."""
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    found = next(
        ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "DOCUMENTATION"
    )
    options: dict[str, Any] = read_yaml(found)["options"]
    return options


def test_what_the_interface_layer_makes_is_declared_to_it() -> None:
    """By the role at a run and by the file at a boot: what is left out of either is not made, and nobody says so."""
    made = {kind.made_as: kind for kind in TYPES if kind.made_as}
    call = read_yaml((ROOT / "roles/vrf/tasks/apply.yml").read_text(encoding="utf-8"))[0]["xuegao.net.interface_layer"]
    assert set(made) == set(interface_layer.TUNNELS)
    for key, kind in made.items():
        assert call[key] == f"{{{{ {kind.variable} | default([]) }}}}"
        options = load_role_specs(ROOT / "roles").options[kind.variable]["options"]
        assert set(module_options("interface_layer")[key]["suboptions"]) == set(options)
        assert module_options("live_state")[kind.name]["type"] == "bool"
        assert set(interface_layer.TUNNELS[key].KINDS) == {kind.kernel_kind, kind.kernel_kind_ipv6} - {""}
        plan = make_plan(intent_with(kind))
        files = dict(rendered_files("a", plan.hosts["a"]))
        assert json.loads(files["/etc/xgn/interface.json"])[key] == entries_of(plan.hosts["a"], kind.variable)


@pytest.mark.parametrize(("kind", "tunnel"), [("vxlan", {}), ("gre", {}), ("gre", {"key": 0})])
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_host_counts_the_same_headers(kind: str, tunnel: dict[str, Any], family: str) -> None:
    """What is installed on a host has no registry to ask."""
    found = LINK_TYPES[kind]
    headers = interface_layer.TUNNELS[found.made_as].headers(tunnel)
    layer = found.encapsulation(tunnel)
    assert layer is not None
    assert interface_tunnel.room(1500, {"ipv4": 4, "ipv6": 6}[family], headers)[1] == fit(1500, layer, family).arithmetic


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.tunnel], ids=names)
def test_verify_asks_for_it_and_judges_it(kind: LinkType) -> None:
    """A type that the list of checks forgets would pass without being looked at."""
    variables = make_plan(intent_with(kind)).hosts["a"]
    checks = host_checks("a", variables, {})
    assert any(check.name.startswith(f"{kind.subject} ") for check in checks)
    assert all(check.status == "failed" for check in checks if check.name.startswith(f"{kind.subject} "))
    bare = cast(HostVariables, {name: value for name, value in variables.items() if name != kind.variable})
    # WireGuard and the interfaces themselves are read on every host.
    assert gather_arguments(variables) != gather_arguments(bare) or kind.name == "wireguard"


@pytest.mark.parametrize("kind", TYPES, ids=names)
def test_its_rules_are_asked(kind: LinkType) -> None:
    assert f"{RULES}.{kind.role}" in {rule.__module__ for rule in variable_rules._RULES}


def test_roles_know_the_protocols() -> None:
    specs = load_role_specs(ROOT / "roles").options
    protocols = {protocol for kind in TYPES for protocol, _port in kind.ports.common({})} | {"tcp", "udp"}
    assert protocols == set(specs["firewall_open_ports"]["options"]["protocol"]["choices"])
    cut = {tunnel["protocol"] for kind in TYPES if kind.failover for tunnel in failover_of(kind)}
    choices = specs["failover_test_paths"]["options"]["tunnels"]["options"]["protocol"]["choices"]
    assert cut <= set(choices)


def failover_of(kind: LinkType) -> list[Any]:
    """Return how a link of a type, and its reserve of another one, are cut."""
    raw = intent_with(kind)
    reserve = LINK_TYPES["wireguard" if kind.name == "openvpn" else "openvpn"]
    raw["xgn_links"].append({"id": 8, "type": reserve.name, "ends": ["a", "b"], "reserve_of": 7})
    paths = make_plan(raw).hosts["a"]["failover_test_paths"]
    return list(paths[0]["tunnels"])


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.failover], ids=names)
def test_the_failover_test_cuts_it(kind: LinkType) -> None:
    assert failover_of(kind)[0]["name"] == f"{kind.prefix}7"


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.tunnel], ids=names)
def test_the_owner_of_a_router_is_told_of_it_in_every_file(kind: LinkType) -> None:
    """As commands, or in a comment: a tunnel that a file leaves out is missed when the network does not work."""
    raw = intent_with(kind)
    raw["xgn_nodes"]["b"]["managed"] = False
    raw["xgn_links"][0]["ends"][1] |= {key: value for key, value in IDENTITIES.items() if key in kind.end_keys}
    files = dict(plan_files(make_plan(raw)))
    for name in ("README.md", "routeros.rsc", "vyos.txt"):
        words = [f"{kind.prefix}7"] + (["tun7"] if kind.name == "gre" and name == "vyos.txt" else [])
        assert any(word in files[f"b/{name}"] for word in words), name


def test_what_tells_tunnels_apart_is_asked_for() -> None:
    raw = intent_with(LINK_TYPES["gre"])
    second = {"id": 8, "type": "gre", "insecure": True, "ends": ["b", "a"], "routing": "none"}
    raw["xgn_links"].append(second)
    assert [str(problem.path) for problem in check_intent(raw)[1]] == ["xgn_links[1].key"]
    second["key"] = 0
    assert list(check_intent(raw)[1]) == []
    raw["xgn_links"][0]["key"] = 0
    assert [str(problem) for problem in check_intent(raw)[1]] == [
        "xgn_links[1].key: 0 is also that of xgn_links[0], which joins the same addresses; the ends tell tunnels between the same addresses apart by it"
    ]


def test_a_type_that_tells_nothing_is_probed_over_the_link_itself() -> None:
    raw = intent_with(LINK_TYPES["gre"])
    reach = make_plan(raw).hosts["a"]["verify_reach"]
    assert {"source": "10.254.0.29", "destination": "10.254.0.30", "mtu": 1476} in reach
    raw["xgn_nodes"]["b"]["managed"] = False
    assert "verify_reach" not in make_plan(raw).hosts["a"]


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
    options = LinkOptions("uplink", None, None, True, None, None, None, None, None, None, None, None, None, None, "", "udp", (), False)
    return Link(1, Place.of("xgn_links", 0), "carrier-pigeon", ends, options, 1)


def test_an_unknown_type_raises_wherever_one_asks() -> None:
    link = unknown_link()
    sentence = "unknown link type 'carrier-pigeon'; valid: wireguard, openvpn, l2tp_ipsec, vxlan, gre, vlan, direct"
    for ask in (
        lambda: link_type(link.type),
        lambda: link.kind,
        lambda: interface_name(link.type, 1),
        lambda: ports_of(link, link.ends[0]),
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

# What tells a type, with its name. The variable of what is no tunnel is that of all interfaces.
WORDS = {word: kind.name for kind in TYPES for word in (kind.name, kind.variable if kind.tunnel else kind.name)}
BEGINNINGS = {word.partition("{")[0]: kind.name for kind in TYPES for word in (kind.unit, *kind.other_units) if word}
FILES = [
    path for folder in ("plugin_utils", "module_utils", "modules", "action", "filter") for path in sorted((PLUGINS / folder).rglob("*.py"))
]
# Files that name several types, and why nothing is missed there.
TABLES = {
    "plugin_utils/common/link_types.py",
    # The encapsulations.
    "plugin_utils/common/encapsulation.py",
    # The roles, of which most types have one of their own.
    "plugin_utils/common/roles.py",
    # How the live state of a link is read: whoever asks it for another type is answered with a KeyError.
    "plugin_utils/report/links.py",
    # What a host is asked for; held to the registry by test_verify_asks_for_it_and_judges_it.
    "modules/live_state.py",
    # Held by test_what_a_host_is_asked_of_its_kernel_is_what_is_judged.
    "modules/host_facts.py",
    # Held by test_a_way_back_starts_its_units_with_the_tunnels.
    "module_utils/removal.py",
    # The files of roles; held by tests/unit/roles/test_written_files.py.
    "module_utils/owners.py",
    # Roles again: of those whose files are named by people, which names the variables ask for.
    "plugin_utils/validate/host_requirements.py",
    # What versions that kept no record have made; none comes to it.
    "module_utils/ownership.py",
}


def types_in(node: ast.AST) -> set[str]:
    """Return the types that an expression names by their own names, their variables' or their units'."""
    texts = {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}
    named = {WORDS[text] for text in texts if text in WORDS}
    return named | {kind for beginning, kind in BEGINNINGS.items() if any(text.startswith(beginning) for text in texts)}


def asks_for_a_type(node: ast.AST, report: bool) -> bool:
    """Tell whether an expression is what an object says of its type. Elsewhere than in the report, a kind is one of the kernel's."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("type", "name", "role", "variable") or (report and node.attr == "kind")
    return report and isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == "kind"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PLUGINS).as_posix())
def test_no_file_compares_the_type_of_a_link(path: Path) -> None:
    """What depends on the type is a field of its entry: a comparison would fall to its other side for a type that is added later."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            asked = any(asks_for_a_type(side, "report" in path.parts) for side in sides)
            assert not (asked and any(map(types_in, sides))), (
                f"{path}:{node.lineno} compares a link's type; ask its entry in common/link_types.py"
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            assert not any(map(types_in, node.args)), f"{path}:{node.lineno} tells a type by its unit's name"


def test_the_registry_stands_in_one_file() -> None:
    """Neither a dictionary by type nor a list of types, of their variables or of their units stands anywhere else."""
    assert Path(str(link_types.__file__)).name == "link_types.py"
    tables = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found: set[str] = set()
            if isinstance(node, ast.Dict):
                found = {kind for key in node.keys if key is not None for kind in types_in(key)}
            elif isinstance(node, (ast.Tuple, ast.Set, ast.List)):
                found = types_in(node)
            if len(found) > 1:
                tables.add(path.relative_to(PLUGINS).as_posix())
    assert tables == TABLES


# ---- what cannot ask the registry ------------------------------------------------------------------------------------------------------------


def test_what_a_host_is_asked_of_its_kernel_is_what_is_judged() -> None:
    """A module of the kernel that is gathered and never judged, or judged and never gathered, is one that nobody misses before the interface fails."""
    assert set(host_facts.KERNEL_FEATURES) == JUDGED
    for kind in TYPES:
        assert bool(kind.kernel_module) == bool(kind.kernel_kind), kind.name
        assert bool(kind.kernel_module_ipv6) == bool(kind.kernel_kind_ipv6), kind.name
        assert {kind.kernel_module, kind.kernel_module_ipv6} - {""} <= JUDGED
    host = {"os_family": "Debian", "systemd": True, "network_manager": False, "kernel": "6.12.1"}
    for kind in TYPES:
        if kind.kernel_module:
            features = {name: "missing" if name == kind.kernel_module else "module" for name in JUDGED}
            variables = cast(dict[str, Any], make_plan(intent_with(kind)).hosts["a"])
            (sentence,) = host_requirements({**host, "kernel_features": features}, variables)
            assert f"kernel module {kind.kernel_module};" in sentence


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.unit], ids=names)
def test_a_way_back_starts_its_units_with_the_tunnels(kind: LinkType) -> None:
    """A unit that its table does not know would be started behind all that is routed over the tunnel."""
    entries = entries_of(make_plan(intent_with(kind)).hosts["a"], kind.variable)
    units = kind.units(entries)
    assert {removal.stage_of(unit) for unit in units if unit not in dict(kind.later_units).values()} == {way_back_program.TUNNELS}


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.unit], ids=names)
def test_the_boot_order_of_its_units_is_checked(kind: LinkType) -> None:
    variables = make_plan(intent_with(kind)).hosts["a"]
    units = kind.units(entries_of(variables, kind.variable))
    assert units and set(units) <= set(expected_units(variables))
    pairs = boot_pairs(variables)
    unit = kind.unit_of(entries_of(variables, kind.variable)[0])
    assert (ONLINE, unit) in pairs
    assert all((first, unit) in pairs for first in kind.other_units)
    assert [second for first, second in pairs if second == "interface.service" and first == unit]


def test_units_of_an_entry_that_is_gone_are_left_over() -> None:
    for kind in TYPES:
        if kind.unit_per_entry:
            unit = kind.unit.format(name="gone9", side="server")
            variables = make_plan(intent_with(kind)).hosts["a"]
            assert not is_wanted({"role": kind.role, "kind": "unit", "name": unit}, variables)
            own = kind.unit_of(entries_of(variables, kind.variable)[0])
            assert is_wanted({"role": kind.role, "kind": "unit", "name": own}, variables)


def test_the_mtu_of_an_entry_that_names_none_is_the_roles() -> None:
    for kind in TYPES:
        option = load_role_specs(ROOT / "roles").options[kind.variable]["options"]["mtu"]
        assert option.get("default") == kind.usual_mtu, kind.name


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.tunnel], ids=names)
def test_an_mss_that_it_cannot_carry_is_refused(kind: LinkType) -> None:
    variables = cast(dict[str, Any], make_plan(intent_with(kind)).hosts["a"])
    variables |= {"firewall_tcp_mss_interfaces": [f"{kind.prefix}7"], "firewall_tcp_mss": {"ipv4": 1480}}
    found = [str(problem) for problem in variable_rules.host_problems(variables) if "firewall_tcp_mss" in str(problem.path)]
    assert [f"does not fit into {kind.prefix}7" in text for text in found] == [True]


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.tunnel], ids=names)
def test_it_is_written_for_those_that_the_entry_names(kind: LinkType) -> None:
    """And in words for the others: what is named and not written would be missed by the owner of the router."""
    raw = intent_with(kind)
    raw["xgn_nodes"]["b"]["managed"] = False
    raw["xgn_links"][0]["ends"][1] |= {key: value for key, value in IDENTITIES.items() if key in kind.end_keys}
    files = dict(plan_files(make_plan(raw)))
    name = f"{kind.prefix}7"
    written = {
        "wg-quick": f"b/{name}.conf" in files,
        "iproute2": f"ip link add dev {name}" in files["b/README.md"],
        "routeros": f"name={name} " in files["b/routeros.rsc"],
        "vyos": any(line.startswith("set interfaces") and (name in line or " tun7 " in line) for line in files["b/vyos.txt"].splitlines()),
    }
    assert {target for target, there in written.items() if there} == set(kind.written_for)
