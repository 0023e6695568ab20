# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever is written into an intent, the answer is a plan or a list of mistakes, never a traceback."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import plan_files

GOLDEN = Path(__file__).parents[2] / "golden"
NETWORKS = ("hybrid", "segment", "dns_anycast", "two_vrfs", "nested", "ecmp", "unmanaged_peer", "hub_and_spoke", "reserve")
STEP = 71
GONE = object()
JUNK: tuple[Any, ...] = (
    GONE,
    None,
    "",
    "x",
    0,
    1,
    -1,
    2**40,
    1.5,
    True,
    [],
    ["x"],
    [None],
    {},
    {"x": 1},
    "10.0.0.0/8",
    "::/0",
    "0.0.0.0/0",
    "uplink",
    "all",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value of a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def put(document: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """Return a copy with one value replaced or taken out."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if junk is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(junk)
    return changed


def answer(raw: Any) -> None:
    try:
        plan = make_plan(raw)
    except IntentError as refusal:
        if not refusal.problems:
            raise AssertionError("refused without a reason") from refusal
        return
    for _file in plan_files(plan):
        pass


@pytest.mark.parametrize("network", NETWORKS)
def test_junk_in_any_one_place(network: str) -> None:
    document = read_yaml((GOLDEN / network / "intent.yml").read_text(encoding="utf-8"))
    # One combination in STEP of place and junk, each network beginning elsewhere: all of them take minutes.
    combinations = itertools.product(places(document), JUNK)
    for path, junk in itertools.islice(combinations, NETWORKS.index(network) % STEP, None, STEP):
        try:
            answer(put(document, path, junk))
        except Exception as error:
            raise AssertionError(f"{'gone' if junk is GONE else repr(junk)} at {path}") from error
