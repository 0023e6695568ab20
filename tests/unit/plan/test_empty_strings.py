"""No string of the intent may be empty: whoever has nothing to say leaves the key out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read import read_intent
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NETWORKS = sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml"))
# Lists of two names each, which are looked up and so refused without the schema.
LOOKED_UP = {"pairs"}


def strings(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield path and spec of every string that a spec lets somebody write."""
    if {"str", "raw"} & {spec.get("type", "str"), spec.get("elements")}:
        yield path, spec
    if "values" in spec:
        yield f"{path} (key)", spec["keys"]
        yield from strings(spec["values"], f"{path}.NAME")
    for name, inner in spec.get("options", {}).items():
        yield from strings(inner, f"{path}.{name}")


def test_every_string_of_the_schema_needs_a_character() -> None:
    found = [item for name, spec in intent_options().items() for item in strings(spec, name)]
    assert len(found) > 100
    assert [path for path, spec in found if spec["min_length"] < 1] == []


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where the strings of a document are."""
    if isinstance(value, str):
        yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


@pytest.mark.parametrize("network", NETWORKS)
def test_an_empty_string_is_refused_where_it_stands(network: str) -> None:
    document = {
        name: value
        for name, value in read_yaml((GOLDEN / network / "intent.yml").read_text(encoding="utf-8")).items()
        if name in intent_options()
    }
    for path in places(document):
        if LOOKED_UP & set(path):
            continue
        changed = copy.deepcopy(document)
        inner: Any = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = ""
        problems = read_intent(changed).reading
        last = str(path[-1] if isinstance(path[-1], str) else path[-2])
        mine = [str(problem) for problem in problems if "is empty" in str(problem) and {last, "node"} & set(problem.path.keys)]
        assert len(mine) == 1, f"{path}: {[str(problem) for problem in problems]}"


def test_an_uplink_in_no_vrf_says_so_by_leaving_the_key_out() -> None:
    document = read_yaml((GOLDEN / "t1_t2" / "intent.yml").read_text(encoding="utf-8"))
    node = next(iter(document["xgn_nodes"]))
    document["xgn_nodes"][node]["uplink"]["vrf"] = ""
    problems = read_intent(document).reading
    assert [str(problem) for problem in problems] == [f"xgn_nodes.{node}.uplink.vrf: is empty; leave the key out or give it a value"]


def test_a_vrf_without_a_name_is_not_the_main_table() -> None:
    problems = read_intent({"xgn_nodes": {}, "xgn_vrfs": {"": {"table": 200}}}).reading
    assert "xgn_vrfs['']: is empty; leave the key out or give it a value" in [str(problem) for problem in problems]
