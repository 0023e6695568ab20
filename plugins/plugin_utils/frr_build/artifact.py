# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an artifact is called: the name says what is in it, and for which hosts it is. Made and read here only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

# Raise it when module deb_build makes something else of the same inputs.
PROCEDURE = 1
# What Debian calls the machines of uname(2); others have the same name there.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_DIGITS = 12
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~_-]*")
_NAME = re.compile(
    r"(?P<package>[^_]+)_(?P<version>[^_]+\+xgn\.(?P<target>[^_]+)\.(?P<digest>[0-9a-f]{%d}))_(?P<architecture>[a-z0-9]+)\.deb" % _DIGITS
)


def artifact_names(
    package: str,
    host: Mapping[str, Any],
    plan: Mapping[str, Any] | None = None,
    packaging: Mapping[str, str] | None = None,
    architecture: str | None = None,
) -> dict[str, str]:
    """Return what the artifacts of a package for a host are called.

    Parameters:
        package: its name.
        host: fact ``xgn_host``.
        plan: what `build_plan` returned, where one is to be built.
        packaging: Debian's files of it, by name.
        architecture: that of the host in dpkg's words; from its machine when not given.

    Returns ``target``, ``architecture`` and ``current`` (the file that names the artifact that was asked for last); of one to be built ``version`` and
    ``file`` too. Whatever decides what is in it is in its digest, so that it is built anew when that changes, and never otherwise.
    """
    target = f"{host['distribution']}{host['distribution_version']}"
    architecture = architecture or ARCHITECTURES.get(host["machine"], host["machine"])
    found = {"target": target, "architecture": architecture, "current": f"{package}_{target}_{architecture}.current"}
    _is_name(found["current"])
    if plan is None:
        return found
    inputs = {
        "procedure": PROCEDURE,
        "packaging": {name: str(text) for name, text in (packaging or {}).items()},
        "archives": [[component["version"], component["checksum"]] for component in plan["components"]],
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    version = f"{plan['version']}+xgn.{target}.{digest[:_DIGITS]}"
    file = f"{package}_{version}_{architecture}.deb"
    _is_name(file)
    return found | {"version": version, "file": file}


def _is_name(name: str) -> None:
    """Raise ValueError for what is no name of a file of a package: a part of it was said by a host, and the file lies on the controller."""
    if not _FILE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a package file; distribution, machine and versions are as the host said them")


def artifact_parts(name: str) -> dict[str, str]:
    """Return ``package``, ``version``, ``target``, ``digest`` and ``architecture`` of an artifact by its file name; all empty where it is none of ours."""
    found = _NAME.fullmatch(name)
    return found.groupdict() if found is not None else dict.fromkeys(_NAME.groupindex, "")
