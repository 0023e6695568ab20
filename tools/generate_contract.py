"""Write the types of the roles' variables from the roles' argument specs.

Usage: tools/generate_contract.py [--check]

With --check nothing is written; exit 1 says that the file is not current.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = ROOT / "plugins" / "plugin_utils" / "common" / "contract.py"
WIDTH = 140
HEAD = '''\
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of each role as types: what the planner writes, and render and verify read.

Generated from roles/*/meta/argument_specs.yml by tools/generate_contract.py: run it after a change there. Only names and types are here:
what else a value must be is checked at run time, against the specs themselves. A key that the spec does not require may be missing.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict
'''
SCALARS = {"str": "str", "path": "str", "int": "int", "float": "float", "bool": "bool", "dict": "dict[str, Any]", "raw": "Any"}
# Entry points that other roles call with variables of their own are no part of what a host is given.
ENTRY_POINT = "main"


def camel(name: str) -> str:
    """A name with underscores as the name of a class."""
    return "".join(part.capitalize() for part in name.split("_"))


def singular(name: str) -> str:
    """The name of one element of a list that has this name."""
    return re.sub(r"ies$", "y", name) if name.endswith("ies") else re.sub(r"(?<=[^s])s$", "", name)


def stem(parent: str, name: str, option: Mapping[str, Any]) -> str:
    """What the class for a dictionary, or for each dictionary of a list, is called after."""
    own = singular(name) if option["type"] == "list" else name
    return f"{parent}_{own}" if parent else own


def sentence(description: str | list[str]) -> str:
    """The first sentence of a description, without Ansible's markup."""
    text = description if isinstance(description, str) else description[0]
    text = re.sub(r"\b[A-Z]\(([^()]*)\)", r"\1", text)
    return re.split(r"(?<=\.)\s", text)[0].rstrip(".") + "."


def type_of(name: str, option: Mapping[str, Any], parent: str) -> str:
    """The type of an option's value."""
    inner = camel(stem(parent, name, option)) if "options" in option else ""
    if option["type"] == "list":
        return f"list[{inner or SCALARS[option.get('elements', 'raw')]}]"
    return inner or SCALARS[option["type"]]


def class_lines(name: str, docstring: str, options: Mapping[str, Mapping[str, Any]], parent: str) -> list[str]:
    """The class of a dictionary."""
    fields = {key: type_of(key, option, parent) for key, option in options.items()}
    fields = {key: kind if options[key].get("required") else f"NotRequired[{kind}]" for key, kind in fields.items()}
    if any(map(keyword.iskeyword, fields)):
        # A word of the language is no attribute's name. What is here is evaluated, and its classes stand above.
        lines = ["", "", f"{name} = TypedDict(", f'    "{name}",', "    {", *(f'        "{key}": {kind},' for key, kind in fields.items())]
        return [*lines, "    },", ")", f'"""{docstring}"""']
    return ["", "", f"class {name}(TypedDict):", f'    """{docstring}"""', "", *(f"    {key}: {kind}" for key, kind in fields.items())]


def nested(options: Mapping[str, Mapping[str, Any]], parent: str = "", path: str = "") -> Iterator[str]:
    """The classes of the dictionaries within options, the innermost first.

    parent: what the class around them is called after. path: where they stand, as messages show it.
    """
    for name, option in options.items():
        if "options" in option:
            own, several = stem(parent, name, option), option["type"] == "list"
            yield from nested(option["options"], own, f"{path}{name}{'[]' if several else ''}.")
            docstring = f"One of {path}{name}." if several else f"{path}{name}: {sentence(option['description'])}"
            yield from class_lines(camel(own), docstring, option["options"], own)


def contract() -> str:
    """The whole file."""
    lines: list[str] = []
    roles: list[str] = []
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"][ENTRY_POINT]
        role = path.parent.parent.name
        options = spec.get("options") or {}
        roles.append(f"{camel(role)}Variables")
        lines += nested(options)
        lines += class_lines(roles[-1], f"Role {role}: {spec['short_description'].rstrip('.')}.", options, "")
    lines += ["", "", "class HostVariables(", *(f"    {name}," for name in roles), "):"]
    lines += ['    """All that the roles take from one host."""', ""]
    return HEAD + "\n".join(lines)


def main() -> int:
    """Write or check the file."""
    text = contract()
    if CONTRACT.is_file() and CONTRACT.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"not current, run tools/generate_contract.py: {CONTRACT.relative_to(ROOT)}")
        return 1
    CONTRACT.write_text(text, encoding="utf-8")
    print(f"written: {CONTRACT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
