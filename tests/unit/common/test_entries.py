"""The registry of lists: every list of dictionaries has what tells its entries apart, of its own keys, and in no plan are two told alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES, WHOLE, canonical
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import ADD, REMOVE
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = load_role_specs(ROOT / "roles").options
NETWORKS = sorted(path.parent.name for path in (ROOT / "tests" / "golden").glob("*/intent.yml"))


def options_of(options: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and spec of every option, at every depth."""
    for name, spec in options.items():
        yield name, spec
        yield from options_of(spec.get("options") or {})


EVERY = list(options_of(OPTIONS))
LISTS = [(name, spec) for name, spec in EVERY if spec.get("type") == "list" and spec.get("elements") == "dict"]


def test_every_list_of_entries_is_in_the_registry_and_nothing_else() -> None:
    assert {name for name, _spec in LISTS} == set(ENTRIES)


@pytest.mark.parametrize(("name", "spec"), LISTS, ids=[f"{name}-{number}" for number, (name, _spec) in enumerate(LISTS)])
def test_what_tells_entries_apart_are_keys_of_theirs(name: str, spec: Mapping[str, Any]) -> None:
    options, entries = spec["options"], ENTRIES[name]
    # Two versions of a list may differ in the second one.
    assert entries.keys[0] in options and set(entries.keys) & set(options)
    known = [key for key in entries.keys if key in options]
    assert all(options[key]["type"] in ("str", "int", "list") for key in known)
    if "family" in known:
        assert options["family"].get("default", entries.default) == entries.default
    if entries.numbered:
        assert [options[key]["type"] for key in entries.keys] == ["int"]
    assert not entries.content or options[entries.content]["type"] == "list"
    # Without one of them an entry must be possible, or it is required.
    assert all(options[key].get("required") or "default" not in options[key] or key in ("family", "section") for key in known)


def test_lists_that_count_as_a_whole_are_plain_ones() -> None:
    found = {name: spec for name, spec in EVERY if name in WHOLE and spec["type"] == "list"}
    assert set(found) == WHOLE and all(spec["elements"] == "str" for spec in found.values())


def test_no_option_has_the_name_of_a_key_of_overrides() -> None:
    assert {name for name, _spec in EVERY}.isdisjoint({ADD, REMOVE})


def lists_in(value: Any, name: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from lists_in(item, str(key))
    elif isinstance(value, list):
        if value and isinstance(value[0], Mapping):
            yield name, value
        for item in value:
            yield from lists_in(item)


@pytest.mark.parametrize("network", NETWORKS)
def test_no_plan_has_two_entries_that_are_told_alike(network: str) -> None:
    plan = make_plan(read_yaml((ROOT / "tests" / "golden" / network / "intent.yml").read_text(encoding="utf-8")))
    for host, variables in plan.hosts.items():
        for name, found in lists_in(variables):
            entries = ENTRIES[name]
            assert len({entries.key_of(item) for item in found}) == len(found), (host, name)
            assert len({entries.name_of(item) for item in found}) == len(found), (host, name)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:DB8:0::1", True),
        ("2001:db8::/32", "2001:0db8::/32", True),
        ("10.0.0.1", "10.0.0.1/24", False),
        ("wg1", "WG1", False),
        (5, "5", True),
        (["router isis A"], ["router isis", "A"], False),
    ],
)
def test_an_address_counts_by_its_value(one: Any, other: Any, same: bool) -> None:
    assert (canonical(one) == canonical(other)) == same


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("frr_bgp", {"vrf": "CORE"}, "BGP in CORE"),
        ("frr_bgp", {"asn": 1}, "BGP in the default VRF"),
        (
            "frr_static_routes",
            {"prefix": "::/0", "next_hop": "::1", "interface": "wg1", "vrf": "CORE"},
            "static route ::/0 via ::1 over wg1 in CORE",
        ),
        ("redistribute", {"source": "ospf", "family": "ipv6"}, "redistribution ospf ipv6"),
        ("firewall_open_ports", {"protocol": "esp"}, "open port esp"),
        ("frr_lines", {"section": ["bfd", "peer ::1"]}, "own lines in bfd / peer ::1"),
        ("frr_lines", {"section": []}, "own lines in no section"),
    ],
)
def test_an_entry_is_called_by_what_tells_it_apart(name: str, entry: dict[str, Any], words: str) -> None:
    assert ENTRIES[name].name_of(entry) == words
