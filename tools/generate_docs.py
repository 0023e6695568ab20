"""Write the generated part of each role's README from its argument specs.

Usage: tools/generate_docs.py [--check]

What stands above the marker is written by hand. With --check nothing is written; exit 1 names the files that are not current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
MARKER = "<!-- Below this line: tools/generate_docs.py, from meta/argument_specs.yml. -->"
ENTRY_POINTS = {"main": "Variables"}


def sentence(description: str | list[str]) -> str:
    """A description as one line, without Ansible's markup."""
    text = " ".join(description) if isinstance(description, list) else description
    text = re.sub(r"\b[COVM]\(([^()]*)\)", r"`\1`", text)
    return text.replace("|", "\\|")


def rows(options: dict[str, Any], prefix: str = "") -> list[str]:
    """One table row per option; options of list elements follow with their path."""
    lines = []
    for name, option in options.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        choices = f" ({', '.join(f'`{choice}`' for choice in option['choices'])})" if "choices" in option else ""
        default = (
            "required"
            if option.get("required")
            else f"`{yaml.safe_dump(option['default'], default_flow_style=True).split(chr(10))[0]}`"
            if "default" in option
            else ""
        )
        secret = " Secret." if option.get("no_log") else ""
        lines.append(f"| `{prefix}{name}` | {kind}{choices} | {default} | {sentence(option['description'])}{secret} |")
        if "options" in option:
            suffix = "[]." if option["type"] == "list" else "."
            lines += rows(option["options"], f"{prefix}{name}{suffix}")
    return lines


def generated(role: Path) -> str:
    """The generated part of a role's README."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    parts = [MARKER, ""]
    for name, spec in specs.items():
        title = ENTRY_POINTS.get(name, f"Entry point `{name}`")
        parts += [f"## {title}", "", sentence(spec["short_description"]) + ".", ""]
        if spec.get("options"):
            parts += ["| variable | type | default | meaning |", "|---|---|---|---|", *rows(spec["options"]), ""]
    return "\n".join(parts)


def main() -> int:
    """Write or check every README."""
    check = "--check" in sys.argv[1:]
    stale = []
    for role in sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()):
        readme = role / "README.md"
        before = readme.read_text(encoding="utf-8") if readme.exists() else f"# {role.name}\n\n{MARKER}\n"
        after = before[: before.index(MARKER)] + generated(role)
        if before != after:
            stale.append(str(readme.relative_to(ROOT)))
            if not check:
                readme.write_text(after, encoding="utf-8")
    if stale:
        print(("not current, run `make docs`: " if check else "written: ") + ", ".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
