# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the pages of the data model from the schema: python docs/data-model/generate.py. With --check: only tell whether they are current."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / ".collections"))

from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import subjects  # noqa: E402

_MARK = "<!-- Generated from plugins/plugin_utils/intent/schema by docs/data-model/generate.py. Changes made here are lost. -->"
_MARKUP = re.compile(r"[COVB]\(([^()]*(?:\([^()]*\)[^()]*)*)\)")


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    found = {f"{name}.md": "\n".join(_page(subject)) for name, subject in subjects().items()}
    return {"README.md": "\n".join(_contents()), **found}


def _contents() -> Iterator[str]:
    yield "# Data model"
    yield ""
    yield _MARK
    yield ""
    yield "The intent: what a person writes, in `group_vars/all` of an inventory. One page a subject; every key, its type, its default."
    yield "Unknown keys are mistakes. How the plan comes out of it: [The planner](../planner.md)."
    yield ""
    yield "| page | variables |"
    yield "| --- | --- |"
    for name, subject in subjects().items():
        variables = ", ".join(f"[`{variable}`]({name}.md#{variable})" for variable in subject["options"])
        yield f"| [{subject['title']}]({name}.md) | {variables} |"
    yield ""


def _page(subject: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {subject['title']}"
    yield ""
    yield _MARK
    yield ""
    yield _plain(subject["about"])
    yield ""
    for variable, spec in subject["options"].items():
        yield f"## {variable}"
        yield ""
        yield _sentence(spec)
        yield ""
        yield "| key | type | default | meaning |"
        yield "| --- | --- | --- | --- |"
        yield from _rows(spec, variable)
        yield ""


def _rows(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    if "values" in spec:
        path = f"{path}.NAME"
        spec = spec["values"]
    elif spec.get("type") == "list":
        path = f"{path}[]"
    for key, option in (spec.get("options") or {}).items():
        here = f"{path}.{key}"
        yield f"| `{here}` | {_type(option)} | {_default(option)} | {_sentence(option)} |"
        yield from _rows(option, here)


def _type(spec: Mapping[str, Any]) -> str:
    kind = str(spec.get("type", "str"))
    if kind == "list":
        return f"list of {spec.get('elements', 'raw')}"
    return f"{kind} by name" if "values" in spec else kind


def _default(spec: Mapping[str, Any]) -> str:
    if spec.get("required"):
        return "required"
    default = spec.get("default")
    return "" if default is None or default in ({}, []) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _sentence(spec: Mapping[str, Any]) -> str:
    text = _plain(spec.get("description", ""))
    if "choices" in spec:
        text += f" One of {', '.join(f'`{choice}`' for choice in spec['choices'])}."
    low, high = spec.get("minimum"), spec.get("maximum")
    if low is not None and high is not None:
        text += f" {low} to {high}."
    elif low is not None:
        text += f" {low} or more."
    return text.replace("|", "\\|").strip()


def _plain(text: str) -> str:
    return _MARKUP.sub(r"`\1`", " ".join(text.split()))


def main() -> int:
    """Write the pages, or compare them. Returns 1 when one is not current."""
    stale = [name for name, text in pages().items() if not (HERE / name).is_file() or (HERE / name).read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/data-model/{name} is not current; run python docs/data-model/generate.py")
        return 1 if stale else 0
    for name in stale:
        (HERE / name).write_text(pages()[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
