# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema of the intent: one YAML file a subject under ``schema/``, from which the documentation is generated too."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

_DIRECTORY = Path(__file__).parent / "schema"
# In the order a reader meets them.
SUBJECTS = ("pools", "nodes", "links", "routing", "edge", "routes", "tunnels", "services")


@lru_cache(maxsize=1)
def subjects() -> Mapping[str, Mapping[str, Any]]:
    """Return the fragments by name: each has ``title``, ``about`` and ``options``."""
    found = {name: read_yaml((_DIRECTORY / f"{name}.yml").read_text(encoding="utf-8")) for name in SUBJECTS}
    for subject in found.values():
        for spec in subject["options"].values():
            _refuse_empty(spec)
    return found


def _refuse_empty(spec: dict[str, Any]) -> None:
    """Let no string of the intent be empty: a key that says nothing is left out, and half of the rules would take it for one that is."""
    if {"str", "raw"} & {spec.get("type", "str"), spec.get("elements")}:
        spec.setdefault("min_length", 1)
    if "values" in spec:
        _refuse_empty(spec["values"])
        _refuse_empty(spec.setdefault("keys", {"type": "str"}))
    for inner in spec.get("options", {}).values():
        _refuse_empty(inner)


@lru_cache(maxsize=1)
def intent_options() -> Mapping[str, Mapping[str, Any]]:
    """Return the options of all subjects by variable name."""
    return {name: spec for subject in subjects().values() for name, spec in subject["options"].items()}
