# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands around the plan: ids written into files, changes in words, the directory, the documentation, and Ansible itself."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Moment, Record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.assign_ids import AssignError, with_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.ids import missing_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.baseline import in_words
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import plan_changes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render import plan_directory, tables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.graphviz import dot_source
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
PAIR = ROOT / "tests" / "golden" / "t1_t2" / "intent.yml"
WITHOUT_IDS = """\
---
# The network.
xgn_nodes:
  a: {id: 4, asn: 65001}  # the first
  b:
    # the second
    asn: 65002
  'c d': {asn: 65003}
xgn_links:
  # on the left
  - type: wireguard   # over UDP
    ends: [a, b]
  - {type: openvpn, ends: [a, b]}
  -   id: 9
      type: direct
secret: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  6162
"""


def pair() -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(PAIR.read_text(encoding="utf-8"))
    return found


def test_ids_are_written_and_comments_stay() -> None:
    raw = read_yaml(WITHOUT_IDS.partition("secret:")[0])
    text, done = with_ids(WITHOUT_IDS, missing_ids(raw, taken=[10]))
    assert [(str(item.path), item.proposal) for item in done] == [
        ("xgn_nodes.b", 5),
        ("xgn_nodes['c d']", 6),
        ("xgn_links[0]", 11),
        ("xgn_links[1]", 12),
    ]
    assert text.splitlines()[4:15] == [
        "  b:",
        "    # the second",
        "    id: 5",
        "    asn: 65002",
        "  'c d': {id: 6, asn: 65003}",
        "xgn_links:",
        "  # on the left",
        "  - id: 11",
        "    type: wireguard   # over UDP",
        "    ends: [a, b]",
        "  - {id: 12, type: openvpn, ends: [a, b]}",
    ]
    assert [line for line in WITHOUT_IDS.splitlines() if "#" in line and line not in text] == ["  - type: wireguard   # over UDP"]


def test_a_file_without_the_entries_is_left_alone() -> None:
    missing = missing_ids({"xgn_nodes": {"z": {"asn": 1}}})
    assert with_ids(WITHOUT_IDS, missing) == (WITHOUT_IDS, [])
    assert with_ids("- a list\n", missing) == ("- a list\n", [])
    with pytest.raises(AssignError, match="not valid YAML"):
        with_ids("a: [", missing)


def test_changes_are_said_in_words() -> None:
    before = make_plan(pair())
    intent = pair()
    intent["xgn_nodes"]["T2"]["networks"]["br1"] = {"id": 1, "kind": "bridge", "address": "10.2.0.1/24"}
    intent["xgn_links"][0]["mtu"] = 1400
    told = plan_changes(before.hosts, make_plan(intent).hosts)
    assert told["T1"] == [
        "WireGuard interface wg0, mtu: 1412 becomes 1400",
        "prefix list PUBLISHED, line 21: added",
        "firewall_tcp_mss: ipv4 1372 becomes ipv4 1360",
        "check of the path to 8.8.8.8 from 8.8.4.4 in CORE, mtu: 1412 becomes 1400",
        "check of the route to 10.2.0.0/24 in CORE: added",
        "what is learned over wg0 in CORE, prefixes: 10.2.0.0/24 added",
    ]
    assert "BGP in CORE, networks: 10.2.0.0/24 added" in told["T2"]
    assert plan_changes(before.hosts, make_plan(pair()).hosts) == {}
    assert plan_changes({"gone": {}}, {"new": {}}) == {
        "new": ["new host"],
        "gone": ["no longer in the inventory: what it last applied is still there"],
    }


GOLDEN_PLANS = sorted(path.parent.name for path in (ROOT / "tests" / "golden").glob("*/intent.yml"))


@pytest.mark.parametrize("network", GOLDEN_PLANS)
def test_no_change_is_a_raw_dictionary(network: str) -> None:
    plan = make_plan(read_yaml((ROOT / "tests" / "golden" / network / "intent.yml").read_text(encoding="utf-8")))
    nothing: dict[str, dict[str, Any]] = {host: {} for host in plan.hosts}
    for sentences in (*plan_changes(nothing, plan.hosts).values(), *plan_changes(plan.hosts, nothing).values()):
        assert [sentence for sentence in sentences if "{'" in sentence] == []


def test_a_failover_test_is_told_by_its_peer_and_tunnels() -> None:
    plan = make_plan(read_yaml((ROOT / "tests" / "golden" / "hybrid" / "intent.yml").read_text(encoding="utf-8")))
    before = copy.deepcopy(plan.hosts)
    paths = before["hq-core"]["failover_test_paths"]
    del paths[0]["tunnels"][-1]
    assert plan_changes(before, plan.hosts) == {"hq-core": ["failover test to cloud-edge in CORE, tunnel l2tp6: added"]}
    del before["hq-core"]["failover_test_paths"]
    assert plan_changes(before, plan.hosts) == {"hq-core": ["failover test to cloud-edge in CORE: added"]}


def write(intent: dict[str, Any], base: Path, **chosen: Any) -> plan_directory.Written:
    return plan_directory.write_plan(make_plan(intent), intent, base, **chosen)


def another() -> dict[str, Any]:
    changed = pair()
    changed["xgn_nodes"]["T1"]["asn"] = 65504
    return changed


VARIABLES_ALONE = {"rendered": False, "vyos": False, "drawing": False}
"""What `site` asks for, which needs the variables alone."""


def test_every_plan_has_a_directory_of_its_own(tmp_path: Path) -> None:
    first = write(pair(), tmp_path)
    assert first.changed and (tmp_path / "current").resolve() == first.directory
    assert read_yaml((first.directory / "T1" / "variables.yml").read_text(encoding="utf-8")) == make_plan(pair()).hosts["T1"]
    assert (first.directory / "T1" / "files" / "etc" / "frr" / "frr.conf").is_file() and (first.directory / "index.html").is_file()
    before = tree(first.directory)
    again = write(pair(), tmp_path)
    assert (again.directory, again.changed) == (first.directory, False)
    renamed = copy.deepcopy(pair())
    renamed["xgn_nodes"]["T3"] = renamed["xgn_nodes"].pop("T2")
    renamed["xgn_links"][0]["ends"][1] = "T3"
    second = write(renamed, tmp_path)
    assert second.changed and (tmp_path / "current").resolve() == second.directory != first.directory
    assert json.loads((tmp_path / "current" / "plan.json").read_text(encoding="utf-8")).keys() == {"T1", "T3"}
    assert not (tmp_path / "current" / "T2").exists()
    assert tree(first.directory) == before, "whoever reads the former plan goes on reading it, whole"


def test_all_that_lies_in_a_directory_is_of_one_plan(tmp_path: Path) -> None:
    """What `site` writes beside its work: it keeps a directory of the same plan, with files and drawing, and never mixes two."""
    full = write(pair(), tmp_path)
    assert write(pair(), tmp_path, **VARIABLES_ALONE) == plan_directory.Written(full.directory, False, "")
    other = write(another(), tmp_path, **VARIABLES_ALONE)
    assert other.changed
    assert {path.name for path in other.directory.iterdir()} == {"T1", "T2", "links.csv", "links.md", "plan.json"}
    assert {path.name for path in (other.directory / "T1").iterdir()} == {"variables.yml"}
    complete = write(another(), tmp_path)
    assert complete.changed and (tmp_path / "current" / "index.html").is_file()


def test_a_plan_that_shows_in_the_drawing_alone_is_another_plan(tmp_path: Path) -> None:
    """The hosts' variables and the tables are the same; the drawing would tell of the former intent."""
    first = write(pair(), tmp_path)
    other = pair()
    other["xgn_sites"] = {**other.get("xgn_sites", {}), "unused": {}}
    second = write(other, tmp_path, **VARIABLES_ALONE)
    assert make_plan(other).hosts == make_plan(pair()).hosts
    assert second.changed and second.directory != first.directory


def test_what_somebody_changed_in_a_plan_is_not_taken_for_it(tmp_path: Path) -> None:
    first = write(pair(), tmp_path)
    (first.directory / "T1" / "variables.yml").write_text("mine: 1\n", encoding="utf-8")
    assert write(pair(), tmp_path).directory != first.directory


def test_nothing_is_written_when_nothing_is_to_be(tmp_path: Path) -> None:
    told = write(pair(), tmp_path / "plan", write=False)
    assert told.changed and not (tmp_path / "plan").exists()
    write(pair(), tmp_path / "plan")
    before = (tmp_path / "plan" / "current").resolve().stat().st_mtime_ns
    assert not write(pair(), tmp_path / "plan", write=False).changed
    assert (tmp_path / "plan" / "current").resolve().stat().st_mtime_ns == before


@pytest.mark.parametrize("network", ["hybrid", "segment", "full_mesh", "unmanaged_peer"])
def test_the_drawing_shows_every_node_and_link(network: str) -> None:
    intent = make_plan(read_yaml((ROOT / "tests" / "golden" / network / "intent.yml").read_text(encoding="utf-8"))).intent
    nodes, links = tables.drawing(intent)
    assert [node.name for node in nodes] == list(intent.nodes)
    assert len(links) == len(intent.links) + sum(len(segment.members) - 1 for segment in intent.segments)
    source = dot_source(nodes, links)
    assert all(f'"{name}"' in source for name in intent.nodes)
    page = tables.page("<svg></svg>", tables.link_rows(intent))
    assert "<svg></svg>" in page and page.count("<tr>") == len(intent.links) + 1


def test_the_drawing_says_why_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(pair())
    monkeypatch.setenv("PATH", str(tmp_path))
    files, reason = plan_directory.drawing_files(plan)
    assert "Graphviz is not installed" in reason and set(files) == {"index.html"}


words = st.text(max_size=8)
plain = st.none() | st.booleans() | st.integers() | words
documents = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8)


@settings(max_examples=60)
@given(st.dictionaries(words, documents, max_size=3))
def test_yaml_text_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    assert read_yaml(yaml_text(value)) == value


def test_the_documentation_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "data-model" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def play(inventory: Path, directory: Path, *arguments: str, book: str = "plan") -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-i", str(inventory), f"xuegao.net.{book}", "-e", f"xgn_plan_directory={directory}", *arguments]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    return subprocess.run(command, cwd=directory.parent, env=environment, capture_output=True, text=True, check=False)


def tree(directory: Path) -> dict[str, str]:
    return {path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8") for path in directory.rglob("*") if path.is_file()}


@pytest.mark.starts_ansible
def test_the_same_plan_with_limit_and_from_a_slice(tmp_path: Path) -> None:
    """The whole inventory, and one reduced to a host, as AWX slices it; nothing is contacted, and no secret is written."""
    results = []
    for number, (hosts, arguments) in enumerate(((["T1", "T2", "other"], ["--diff"]), (["T2", "other"], ["--limit", "T2"]))):
        inventory = tmp_path / str(number)
        (inventory / "group_vars" / "all").mkdir(parents=True)
        shutil.copy(PAIR, inventory / "group_vars" / "all" / "intent.yml")
        (inventory / "group_vars" / "all" / "secret.yml").write_text(
            "bgp_password: this-is-secret\nxgn_host: {kernel: '6.1'}\n", encoding="utf-8"
        )
        (inventory / "hosts.json").write_text(json.dumps({"all": {"hosts": dict.fromkeys(hosts)}}), encoding="utf-8")
        done = play(inventory / "hosts.json", inventory / "plan", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        results.append(tree(inventory / "plan" / "current"))
        if number == 0:
            assert "Nothing is recorded as applied by T1, T2: all of the plan is new there.\nT1: new host\n" in done.stdout
    assert results[0] == results[1]
    assert not any("this-is-secret" in text for text in results[0].values())


@pytest.mark.starts_ansible
def test_a_playbook_writes_the_ids(tmp_path: Path) -> None:
    intent = tmp_path / "group_vars" / "all" / "intent.yml"
    intent.parent.mkdir(parents=True)
    intent.write_text(PAIR.read_text(encoding="utf-8").replace("{id: 0, type", "{type"), encoding="utf-8")
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"T1": None}}}), encoding="utf-8")
    done = play(tmp_path / "hosts.json", tmp_path / "plan", "--diff", book="assign_ids")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+  - {id: 1, type: wireguard, ends: [{node: T1, listen_port: 1111}, T2]}" in done.stdout
    assert "xgn_links[0].id = 1" in done.stdout
    assert read_yaml(intent.read_text(encoding="utf-8"))["xgn_links"][0]["id"] == 1


def test_a_run_is_told_once_though_it_ended_on_one_host_after_the_other() -> None:
    def applied(at: str, run: str) -> Record:
        return Record(Moment(at, run, "alice@noc", "mine"))

    records = {
        "r1": applied("2026-11-29T03:00:09Z", "a"),
        "r2": applied("2026-11-29T03:00:04Z", "a"),
        "r3": applied("2026-11-28T03:00:00Z", "b"),
        "r4": Record(later=Moment("2026-11-29T09:00:00Z", "c", "bob@noc", "mine"), what="began to change it"),
    }
    assert in_words(records, [*records, "r5"], {"r1": ["VRF X: added"]}, ["r3"]).splitlines() == [
        "Compared with what r1, r2 applied at 2026-11-29 03:00:09 UTC (run a, alice@noc, inventory mine).",
        "Compared with what r3 applied at 2026-11-28 03:00:00 UTC (run b, alice@noc, inventory mine).",
        "Nothing is recorded as applied by r4, r5: all of the plan is new there.",
        "r4: a run began to change it, at 2026-11-29 09:00:00 UTC (run c, bob@noc, inventory mine); the host may have parts of it already.",
        "Whether secrets of r3 changed cannot be told: they, or the key of their digests, are not here.",
        "r1: VRF X: added",
    ]
    assert in_words({}, [], {}, []) == "No host changes.\n"
