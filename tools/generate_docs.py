"""Write the generated parts of the documentation: each role's README from its argument specs, tables of docs/ from the code.

Usage: tools/generate_docs.py [--check]

In a README what stands above the marker is written by hand, in docs/ what stands outside of the two markers. With --check nothing is written;
exit 1 names the files that are not current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import doc_tables  # noqa: E402

MARKER = "<!-- Below this line: tools/generate_docs.py, from meta/argument_specs.yml. -->"
BEGIN = "<!-- Written by tools/generate_docs.py from the code, up to the next such line. Changes made here are lost. -->"
END = "<!-- End of what tools/generate_docs.py writes. -->"
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
            else f"`{yaml.safe_dump(option['default'], default_flow_style=True, width=10_000).split(chr(10))[0]}`"
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


def between(page: Path, texts: list[str]) -> str:
    """A page with these texts between its markers, in order.

    Raises ValueError when the page has another number of marked places.
    """
    before = page.read_text(encoding="utf-8")
    parts = re.split(f"{re.escape(BEGIN)}.*?{re.escape(END)}", before, flags=re.DOTALL)
    if len(parts) != len(texts) + 1:
        raise ValueError(f"{page}: {len(parts) - 1} marked places, expected {len(texts)}")
    filled = [f"{BEGIN}\n\n{text.rstrip()}\n\n{END}{part}" for text, part in zip(texts, parts[1:])]
    return parts[0] + "".join(filled)


def pages() -> dict[Path, str]:
    """Every page of docs/ with generated tables."""
    docs = ROOT / "docs"
    return {
        page: between(page, texts)
        for page, texts in (
            (docs / "verify.md", [doc_tables.check_tables()]),
            (
                docs / "validation-rules.md",
                [doc_tables.rule_tables(part) for part in doc_tables.RULES],
            ),
            (docs / "filters.md", [doc_tables.filter_examples()]),
            (docs / "planner.md", [doc_tables.link_types()]),
            (docs / "overrides.md", [doc_tables.override_keys(), doc_tables.fixed_options()]),
        )
    }


def main() -> int:
    """Write or check every README and page."""
    check = "--check" in sys.argv[1:]
    stale = []
    for page, after in pages().items():
        if page.read_text(encoding="utf-8") != after:
            stale.append(str(page.relative_to(ROOT)))
            if not check:
                page.write_text(after, encoding="utf-8")
    for role in sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()):
        readme = role / "README.md"
        before = readme.read_text(encoding="utf-8") if readme.exists() else f"# {role.name}\n\n{MARKER}\n"
        written = before.partition(MARKER)[0].rstrip()
        after = f"{written}\n\n{generated(role)}"
        if before != after:
            stale.append(str(readme.relative_to(ROOT)))
            if not check:
                readme.write_text(after, encoding="utf-8")
    if stale:
        print(("not current, run `make docs-generated`: " if check else "written: ") + ", ".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
