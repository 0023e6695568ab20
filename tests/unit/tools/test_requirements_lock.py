"""What `make` installs is what requirements-dev.txt asks for, each file with its hash, wherever it comes from."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
HASH = re.compile("--hash=sha256:[0-9a-f]{64}")


def locked() -> dict[str, list[Requirement]]:
    """The packages of the lock by name, of each those for different Pythons."""
    found: dict[str, list[Requirement]] = {}
    text = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    for entry in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not entry.startswith("#"):
            words = entry.partition(" --hash")[0]
            hashes = entry[len(words) :].split()
            assert hashes and all(map(HASH.fullmatch, hashes)), entry
            requirement = Requirement(words)
            assert [item.operator for item in requirement.specifier] == ["=="], entry
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_lock_has_what_is_asked_for() -> None:
    packages = locked()
    assert len(packages) > 100, "with all that they bring"
    lines = [
        line for name in ("requirements.txt", "requirements-dev.txt") for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    asked = [Requirement(words) for line in lines if (words := line.partition("#")[0].strip()) and not words.startswith("-r")]
    assert len(asked) > 20
    for requirement in asked:
        versions = [next(iter(item.specifier)).version for item in packages[canonicalize_name(requirement.name)]]
        assert versions and all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_lock_names_no_place_to_get_it_from() -> None:
    text = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|index-url|find-links|trusted-host", text)
