# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every example in the documentation of a filter yields the result that stands beneath it."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from jinja2.nativetypes import NativeEnvironment

FILTERS = Path(__file__).parents[3] / "plugins" / "filter"
# All but the one that needs what a module has read on a host.
NAMES = sorted({path.stem for path in FILTERS.glob("*.yml")} - {"build_plan"})


def environment() -> NativeEnvironment:
    found = NativeEnvironment()
    for name in NAMES:
        module = importlib.import_module(f"ansible_collections.xuegao.net.plugins.filter.{name}")
        found.filters[f"xuegao.net.{name}"] = module.FilterModule().filters()[name]
    return found


def examples(name: str) -> Iterator[tuple[str, str]]:
    text = read_yaml((FILTERS / f"{name}.yml").read_text(encoding="utf-8"))["EXAMPLES"]
    for block in text.strip().split("\n\n"):
        expression, _arrow, result = block.partition("# =>")
        yield expression.strip(), result.replace("\n#", "\n").strip()


def value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


@pytest.mark.parametrize(("expression", "result"), [pytest.param(*example, id=name) for name in NAMES for example in examples(name)])
def test_examples_are_true(expression: str, result: str) -> None:
    assert result
    assert environment().from_string(expression).render() == value(result)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{{ '10.0.0.0/29' | xuegao.net.link_subnet(2) }}", "xuegao.net.link_subnet: 10.0.0.0/29 holds 2 subnets /30, numbers 0 to 1"),
        ("{{ '10.0.0.0/29' | xuegao.net.link_address(0, 2) }}", "a link has the ends 0 and 1, not 2"),
        ("{{ '10.0.0.0/24' | xuegao.net.peer_address }}", "'10.0.0.0/24' has no one peer; valid: /30 or /31"),
        ("{{ '10.0.0.0/30' | xuegao.net.peer_address }}", "is no end of 10.0.0.0/30; its ends are 10.0.0.1/30 and 10.0.0.2/30"),
        ("{{ 1500 | xuegao.net.tunnel_mtu('geneve') }}", "unknown encapsulation 'geneve'"),
        ("{{ 1500 | xuegao.net.tcp_mss('ipx') }}", "unknown family 'ipx'; valid: ipv4, ipv6"),
        ("{{ 'geneve' | xuegao.net.interface_name(1) }}", "unknown link type 'geneve'"),
        ("{{ 'vlan' | xuegao.net.interface_name(1) }}", "needs the device beneath it"),
        ("{{ '0.0.0.0' | xuegao.net.router_id }}", "0.0.0.0 is no router ID"),
        ("{{ 'fd00::/64' | xuegao.net.router_id(0) }}", "0 is no router ID"),
        ("{{ {} | xuegao.net.plan }}", "xgn_nodes: is required"),
        (
            "{{ {'firewall_trusted_interfaces': ['eth0']} | xuegao.net.firewall_values }}",
            "xuegao.net.firewall_values: firewall_ssh_port is required",
        ),
    ],
)
def test_mistakes_are_named(expression: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        environment().from_string(expression).render()
    assert message in str(error.value)


# Loads every filter as Ansible does when one is used, and prints what of plugin_utils that has imported.
LOAD = """
import importlib, pathlib, sys
sys.path[:0] = {path!r}
utils = "ansible_collections.xuegao.net.plugins.plugin_utils."
for path in pathlib.Path({filters!r}).glob("*.py"):
    importlib.import_module(f"ansible_collections.xuegao.net.plugins.filter.{{path.stem}}").FilterModule().filters()
print(*sorted(name.removeprefix(utils) for name in sys.modules if name.startswith(utils)))
"""


def test_loading_all_filters_imports_nothing_that_they_do() -> None:
    """Each task on each host loads all of them for the one that it uses, and has nothing compiled before."""
    run = subprocess.run(
        [sys.executable, "-c", LOAD.format(path=sys.path, filters=str(FILTERS))], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["common", "common.filter_errors"]


def test_what_filters_import_late_is_there() -> None:
    found = [
        pair
        for path in FILTERS.glob("*.py")
        for pair in re.findall(r'late_filter\("(\w+)", "([\w.]+)"\)', path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 20
    for name, room in found:
        assert callable(getattr(importlib.import_module(f"ansible_collections.xuegao.net.plugins.plugin_utils.{room}"), name)), name
