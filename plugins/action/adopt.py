# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.adopt: one remote call for what a host is, then its description on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.host import ASKED, describe
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.network import router_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import HostAction, Options, failing, host_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import name_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.render.yaml_text import yaml_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs, variable_problems

SPECS = own_role_specs()
# Below the working directory; behind it the inventory's name.
DESCRIPTIONS = Path("build", "adopt")


class ActionModule(HostAction):
    """Describe the host at hand."""

    OPTIONS: ClassVar[Options] = {"directory": {"type": "path"}}
    # It writes on the controller.
    VARIABLES = SPECS.options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return the variables, and what they do not say."""
        host = host_name(known)
        answer = self.call("live_state", ASKED, known)
        if answer.get("failed") or answer.get("unreachable") or "state" not in answer:
            return {**answer, "failed": True, "msg": f"the host could not be read: {answer.get('msg')}"}
        found = describe(answer["state"])
        router = router_of(answer["state"], found)
        refused = [
            str(problem)
            for problem in variable_problems(found.variables, SPECS)
            if not _is_template(_value_at(found.variables, problem.path))
        ]
        path = directory_of(options["directory"], known) / "host_vars" / f"{host}.yml"
        text = text_of(host, found, refused)
        changed, where = written(path, text, write=not self.check_mode)
        counts = f"{len(found.variables)} variables, {len(found.secrets)} secrets, {len(found.left)} things left, {len(refused)} mistakes"
        return {
            "changed": changed,
            "msg": f"{host}: {counts}; {where}",
            "path": str(path),
            "left": [str(item) for item in found.left],
            "secrets": found.secrets,
            "router": {"variables": found.variables, "public_keys": dict(router.public_keys), "uplink": dict(router.uplink)},
            "mistakes": refused,
            "diff": {"prepared": text},
        }


def directory_of(chosen: str | None, known: Mapping[str, Any]) -> Path:
    """Return where descriptions are written: where somebody wants them, or below the working directory, apart for each inventory."""
    return Path(chosen or DESCRIPTIONS / name_of_run(known)).absolute()


def written(path: Path, text: str, *, write: bool) -> tuple[bool, str]:
    """Write a file of a description; returns whether it was another one, and where it is now. write: not in check mode."""
    with failing(f"cannot write {path}"):
        changed = not path.is_file() or path.read_text(encoding="utf-8") != text
        if changed and write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return changed, f"written to {path}" if write else "not written: check mode"


def text_of(host: str, found: Description, refused: list[str]) -> str:
    """Return the file that describes a host. refused: what the rules say of its variables."""
    sections = (
        (
            "Secrets, which have stayed on the host. Give each its value, in a vault:",
            [f"{name}: {where}" for name, where in found.secrets.items()],
        ),
        ("What the roles would refuse of the above; correct it before it is used:", refused),
        ("What no variable says:", [str(item) for item in found.left]),
    )
    text = yaml_text(
        found.variables,
        f"What {host} is, as xuegao.net.adopt found it. Read it, correct it, then let `site --check --diff` tell what would change.",
    )
    for title, lines in sections:
        if lines:
            text += "".join(f"{printable(line)}\n" for line in (f"# {title}", *(f"#   {line}" for line in lines)))
    return text


def printable(line: str) -> str:
    """Return a remark that stays on its line, whatever a host has said."""
    return "".join(character if character.isprintable() else "?" for character in line)


def _value_at(value: Any, place: Place) -> Any:
    for key in place.keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _is_template(value: Any) -> bool:
    """Tell whether a value is known when its owner has given it; then it is judged."""
    return isinstance(value, str) and value.startswith("{{ ")
