# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write missing ids into the text of a YAML file, line by line, so that comments and layout stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.ids import MissingId


class AssignError(ValueError):
    """A file whose text cannot be edited safely."""


def with_ids(text: str, missing: Iterable[MissingId]) -> tuple[str, list[MissingId]]:
    """Return the text of a YAML file with the ids of the entries it holds.

    Parameters:
        text: the file.
        missing: entries without id; those of other files are left out.

    Returns:
        The new text, and the entries that were found in it.

    Raises:
        AssignError: the file is no YAML, or does not hold what its text says after the edit.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise AssignError(f"not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, yaml.MappingNode):
        return text, []
    sections = {key.value: value for key, value in root.value}
    edits: list[tuple[int, str]] = []
    done: list[MissingId] = []
    for item in missing:
        entry = _entry(sections.get(item.section), item.key)
        if entry is None or not entry.value:
            continue
        edits.append(_edit(entry, item.proposal))
        done.append(item)
    for position, insertion in sorted(edits, reverse=True):
        text = text[:position] + insertion + text[position:]
    _verify(text, done)
    return text, done


def _entry(section: Any, key: str | int) -> yaml.MappingNode | None:
    found = None
    if isinstance(section, yaml.SequenceNode) and isinstance(key, int) and key < len(section.value):
        found = section.value[key]
    elif isinstance(section, yaml.MappingNode):
        found = next((value for name, value in section.value if name.value == str(key)), None)
    return found if isinstance(found, yaml.MappingNode) else None


def _edit(entry: yaml.MappingNode, number: int) -> tuple[int, str]:
    """Return where to insert what: the id becomes the first key."""
    first = entry.value[0][0].start_mark
    if entry.flow_style:
        return first.index, f"id: {number}, "
    return first.index, f"id: {number}\n{' ' * first.column}"


def _verify(text: str, done: list[MissingId]) -> None:
    try:
        value: Mapping[str, Any] = yaml.load(text, Loader=_Lenient) or {}
        wrong = [item.path for item in done if value[item.section][item.key].get("id") != item.proposal]
    except (yaml.YAMLError, KeyError, IndexError, AttributeError, TypeError):
        wrong = [item.path for item in done]
    if wrong:
        raise AssignError(f"could not write the id of {', '.join(map(str, wrong))}; write it by hand")


class _Lenient(yaml.SafeLoader):
    """Reads past tags such as !vault."""


_Lenient.add_multi_constructor("!", lambda loader, suffix, node: None)
