"""What the pages say is so: links lead somewhere, the intent of getting-started plans, descriptions are whole."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import Resolver, read_layers
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import subjects
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, variable_problems

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")])
START = ROOT / "docs" / "getting-started.md"
FILE_AND_TEXT = re.compile(r"^`mine/([\w/.]+)`[^\n]*\n\n```yaml\n(.*?)```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Keys of the intent's schema; what is not among them is a description that a comma has cut in two.
KEYS = set(
    "type elements options choices required default no_log aliases values keys minimum maximum min_length min_items pattern pattern_text renamed_from"
    " description".split()
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and MyST make them."""
    titles = HEADING.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))):
        assert not target.startswith(("http:", "/")), target
        path, _, anchor = target.partition("#")
        if target.startswith("https:"):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def test_what_something_new_takes_is_there() -> None:
    """Each path of the trails, with a name that there is for each that stands for one."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text[text.index("## Where something new begins") :].split("\n## ")[0]
    table = section[section.index("| new |") :]
    paths = [word for word in re.findall(r"`([^`]+)`", table) if "/" in word]
    assert len(paths) > 30
    for path in paths:
        named = [path.replace("ROLE", "vrf").replace("SUBJECT", subject) for subject in ("links", "services")]
        places = [ROOT, ROOT / "plugins" / "plugin_utils"]
        assert any((place / item).exists() for place in places for item in named), path


def test_the_readme_counts_right() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = (ROOT / "inventories" / "hybrid" / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8").count("\n")
    assert "whose intent has less than 100 lines" in text
    assert lines < 100
    roles = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
    assert set(re.findall(r"^\| \[(\w+)\]\(roles/\1\)", text, re.MULTILINE)) == roles


def test_every_scenario_is_named_with_whether_it_is_run() -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    table = text[text.index("| scenario | `make test` |") :].split("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|by hand) \|", table, re.MULTILINE))
    assert set(rows) == {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    # Two run on machines, by stages of their own.
    proven = {*runpy.run_path(str(ROOT / "tools" / "stages.py"))["PROVEN"], "t1_t2", "hybrid"}
    assert {scenario for scenario, run in rows.items() if run == "yes"} == proven
    reasons = text.split("\nRun by hand: ")[1].split("\n\n")[0]
    assert all(f"`{scenario}`" in reasons for scenario in rows.keys() - proven)


def test_the_intent_of_the_first_page_plans_and_is_valid() -> None:
    files = dict(FILE_AND_TEXT.findall(START.read_text(encoding="utf-8")))
    assert set(files) == {"hosts.yml", "group_vars/all/intent.yml", "group_vars/all/secrets.yml"}
    plan = make_plan(read_yaml(files["group_vars/all/intent.yml"]))
    assert set(plan.hosts) == set(read_yaml(files["hosts.yml"])["all"]["hosts"])
    ((variable, password),) = read_yaml(files["group_vars/all/secrets.yml"]).items()
    specs = load_role_specs(ROOT / "roles")
    for variables in plan.hosts.values():
        assert {neighbor["password"] for neighbor in variables["frr_bgp"][0]["neighbors"]} == {"{{ %s }}" % variable}
        templated = json.loads(json.dumps(variables).replace("{{ %s }}" % variable, password))
        assert list(variable_problems(templated, specs)) == []


def options_of(options: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, option in options.items():
        yield f"{path}.{key}", option
        yield from options_of(option.get("options") or {}, f"{path}.{key}")
        if "values" in option:
            yield from options_of({"NAME": option["values"]}, f"{path}.{key}")


def test_descriptions_of_the_data_model_are_whole() -> None:
    for subject, content in subjects().items():
        for path, option in options_of(content["options"], subject):
            assert set(option) <= KEYS, f"{path}: put the description into quotes"


def test_file_headers_name_the_licence_that_is_there() -> None:
    headers: dict[str, list[str]] = {}
    for name in ("plugins", "roles", "tests", "tools", "lab", "docs", "molecule"):
        for path in (ROOT / name).rglob("*.py"):
            for found in re.findall(
                r"^# GNU General Public License v3\.0\+ \(see (\S+) or ", path.read_text(encoding="utf-8"), re.MULTILINE
            ):
                headers.setdefault(found, []).append(path.relative_to(ROOT).as_posix())
    assert list(headers) == ["LICENSE"], headers
    assert (ROOT / "LICENSE").is_file()


def test_the_examples_of_overrides_are_read_without_a_mistake() -> None:
    text = (ROOT / "docs" / "overrides.md").read_text(encoding="utf-8")
    specs = load_role_specs(ROOT / "roles")
    resolver = Resolver(lambda value: value, lambda value: "vault" in str(value), Failures(ValueError, KeyError))
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        layers, problems = read_layers(read_yaml(example), (), specs.options, resolver)
        assert problems == [] and layers
    # Its lines are valid beside the BGP of a plan.
    (lines,) = [read_yaml(example)["xgn_overrides"] for example in examples if "frr_lines" in example]
    instance = {"asn": 65503, "vrf": "CORE", "router_id": "192.0.2.1", "neighbors": []}
    assert list(variable_problems({**lines, "frr_vrfs": ["CORE"], "frr_bgp": [instance]}, specs)) == []
