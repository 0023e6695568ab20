# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No role writes a file that the guard of other people's files does not know: what roles, values and modules name is held against its list."""

from __future__ import annotations

import ast
import fnmatch
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.xuegao.net.plugins.module_utils import interface_managers, openvpn, owners, wireguard

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
PLUGINS = ROOT / "plugins"
# Below these nobody else has files.
OURS = ("/var/lib/xgn/", "/var/cache/xgn/", "/run/xgn/")
# What modules name, and read, or only look for.
READ = frozenset({"/etc/os-release", "/etc/sysctl.conf"})
# Options of tasks and of entries that say where a file goes.
PLACES = ("path", "copy", "dest")
# A role that is run by hand on a builder, and writes below a directory that a person names.
BUILDERS = ("frr_build",)


class Anything(jinja2.ChainableUndefined):
    """What no test knows, such as a name that a person gives."""

    def __str__(self) -> str:
        return "x"


ENVIRONMENT = jinja2.Environment(undefined=Anything, autoescape=False)
ENVIRONMENT.tests["file"] = lambda _path: False
ENVIRONMENT.filters |= {"replace": lambda text, *_words: str(text), "xuegao.net.vrf_values": lambda _variables: Anything()}


def loaded(path: Path) -> Any:
    """A file of YAML, with Ansible's tags as plain text."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def printed(text: str, variables: dict[str, Any]) -> str:
    """A text with the role's own variables, as far as they are plain; anything else is an x."""
    for _depth in range(3):
        if "{{" in text:
            text = ENVIRONMENT.from_string(text).render(variables)
    return text


def entries(value: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a value."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from entries(part)


def places_of(role: Path) -> set[str]:
    """Paths that a role's tasks and variables name as places of files."""
    file = role / "vars" / "main.yml"
    variables = {name: value for name, value in (loaded(file) if file.exists() else {}).items() if isinstance(value, str)}
    found = set()
    for path in (*role.glob("tasks/*.yml"), *role.glob("vars/*.yml")):
        for entry in entries(loaded(path)):
            found |= {printed(entry[key], variables) for key in PLACES if isinstance(entry.get(key), str)}
    return {path for path in found if path.startswith("/")}


def named_in(path: Path) -> Iterator[str]:
    """Texts of a source that are paths of files, without those that explain."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        name = text.rpartition("/")[2]
        if text.startswith(("/etc/", "/usr/local/")) and not set(text) & {" ", "\n", ":"} and "." in name and not name.endswith(".d"):
            yield text


def is_guarded(path: str) -> bool:
    """Say whether nobody else's file can be lost there without a word."""
    return f"{path}/".startswith(OURS) or owners.is_known(path)


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir() if path.is_dir() and path.name not in BUILDERS))
def test_what_a_roles_tasks_and_variables_write_is_known(role: str) -> None:
    assert [path for path in sorted(places_of(ROLES / role)) if not is_guarded(path)] == []


def test_the_places_are_found() -> None:
    """Or the test above says nothing: of a task, of a list, and with a directory that depends on the distribution."""
    assert "/etc/sysctl.d/90-xgn.conf" in places_of(ROLES / "sysctl")
    assert {"/etc/xgn/firewall.nft", "/etc/xgn/firewall.nft.copy", "/usr/local/sbin/xgn-firewall"} <= places_of(ROLES / "firewall")
    assert "/etc/unbound/unbound.conf.d/xgn.conf" in places_of(ROLES / "dns_anycast")
    assert any(path.startswith("/usr/local/lib/xgn-interface/") for path in places_of(ROLES / "vrf"))


@pytest.mark.parametrize("path", sorted((PLUGINS / "plugin_utils/render/values").glob("*.py")), ids=lambda path: path.stem)
def test_what_values_name_is_known(path: Path) -> None:
    assert [text for text in named_in(path) if not is_guarded(text)] == []


@pytest.mark.parametrize(
    "path",
    sorted(path for path in (*(PLUGINS / "modules").glob("*.py"), *(PLUGINS / "module_utils").glob("*.py")) if path.name != "owners.py"),
    ids=lambda path: path.stem,
)
def test_what_modules_name_is_known(path: Path) -> None:
    """A path of a file is one that preflight looks at, or stands in `READ`."""
    patterns = [pattern for _role, pattern in owners.WRITTEN]
    unknown = [text for text in named_in(path) if not is_guarded(text) and text not in READ]
    # A pattern for several of those.
    assert [text for text in unknown if not any(fnmatch.fnmatch(pattern, text) for pattern in patterns)] == []


def test_what_modules_put_together_is_known() -> None:
    made = [
        wireguard.conf_path("x"),
        wireguard.key_path("x"),
        *(openvpn.key_path("x", other) for other in ("", openvpn.NEXT, openvpn.FORMER)),
    ]
    made += [path for role in openvpn.ROLES for path in (openvpn.conf_path("x", role), openvpn.dropin_path("x", role))]
    made += [interface_managers._drop_in_of("/run/systemd/network/10-netplan-eth0.network")]
    assert [path for path in made if not owners.is_known(path)] == []


def golden() -> ModuleType:
    """The program that knows the expected files of the golden networks."""
    spec = importlib.util.spec_from_file_location("golden_files", ROOT / "tests" / "golden" / "update.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_of_every_golden_host_is_known() -> None:
    program = golden()
    names = {name for network in program.networks() for name in (*program.index_of(network), *program.expected_of(network))}
    paths = {"/" + name.partition("/files/")[2] for name in names if "/files/" in name}
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not owners.is_known(path)] == []


def modules_with_a_record() -> list[str]:
    """Modules that change files in the name of a record."""
    found = []
    for path in (PLUGINS / "modules").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if ".own_file(" in text and re.search(r"HostChange\((?:frr\.)?module, ", text):
            found.append(path.stem)
    return sorted(found)


def test_each_module_that_writes_for_a_record_asks_first() -> None:
    """And says so, by the option that takes over."""
    found = modules_with_a_record()
    assert {"config_files", "docker_engine", "frr_config", "gobgp_config", "interface_layer", "kernel_settings", "nft_table"} <= set(found)
    for name in found:
        text = (PLUGINS / "modules" / f"{name}.py").read_text(encoding="utf-8")
        assert "refuse_owners(" in text, name
        assert '"adopt"' in text or "**OWNERS," in text, name


def test_each_task_gives_the_roles_own_yes() -> None:
    """A role is usable alone: its yes comes from its own variable, which `xgn_adopt` sets where nobody else does."""
    asking = {f"xuegao.net.{name}" for name in modules_with_a_record()}
    seen = set()
    for role in owners.ROLES:
        assert loaded(ROLES / role / "defaults" / "main.yml")[f"{role}_adopt"] == f"{{{{ '{role}' in (xgn_adopt | default([])) }}}}"
        for path in (ROLES / role / "tasks").glob("*.yml"):
            for task in entries(loaded(path)):
                for module in asking & task.keys():
                    assert task[module]["adopt"] == f"{{{{ {role}_adopt }}}}", f"{path}: {task.get('name')}"
                    assert "record" not in task[module] or task[module]["record"].partition(".")[0] == role
                    seen.add(module)
    assert seen == asking
