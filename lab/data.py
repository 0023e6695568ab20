"""What all recipes share: reading their YAML, the hash that names a result, and the files that go into it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab.errors import LabError


def digest_of(builder_version: int, content: Mapping[str, Any]) -> str:
    """Return a short hash over what decides the result of a build, and over the version of the build itself."""
    return hashlib.sha256(json.dumps([builder_version, content], sort_keys=True).encode()).hexdigest()[:16]


def read_data(path: Path, required: dict[str, type], optional: Mapping[str, type] = MappingProxyType({})) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Parameters:
        path: the file.
        required: key -> type, of the keys that it must have.
        optional: the same, of those that it may have.

    Raises:
        LabError: a key is missing or unknown, or a value has the wrong type.
    """
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not set(required) <= set(data) <= {*required, *optional}:
        may = f", and perhaps {', '.join(optional)}" if optional else ""
        raise LabError(f"{path.name}: must be a mapping with exactly {', '.join(required)}{may}")
    kinds = {**required, **optional}
    wrong = [key for key, value in data.items() if not isinstance(value, kinds[key])]
    if wrong:
        raise LabError(*(f"{path.name}: {key}: must be of type {kinds[key].__name__}" for key in wrong))
    return data


def tar_of(files: Iterable[tuple[str, int, str]]) -> bytes:
    """Return a tar archive of ``files``: path, mode and content of each. They are root's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, mode, content in files:
            info = tarfile.TarInfo(path)
            info.mode = mode
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()
