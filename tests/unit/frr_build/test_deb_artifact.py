"""Module deb_artifact: what it looks at before anything is changed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.modules import deb_artifact

CONTENT = b"a package"
CONTROL = "Package: frr\nVersion: 1+xgn.debian13.0123456789ab\nInstalled-Size: 20480\n"


@pytest.fixture
def parameters(tmp_path: Path) -> dict[str, Any]:
    """Parameters of the module for a file that is as it should be."""
    path = tmp_path / "frr.deb"
    path.write_bytes(CONTENT)
    return {
        "package": "frr",
        "version": "1+xgn.debian13.0123456789ab",
        "path": str(path),
        "sha512": hashlib.sha512(CONTENT).hexdigest(),
    }


@pytest.fixture
def module() -> Any:
    """What the functions need of a module: dpkg-deb's answer."""
    return SimpleNamespace(run_command=lambda command: (0, CONTROL, ""))


def with_free_mib(monkeypatch: pytest.MonkeyPatch, mib: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=mib * 1024 * 1024))


def test_a_good_file_with_enough_space_passes(monkeypatch: pytest.MonkeyPatch, module: Any, parameters: dict[str, Any]) -> None:
    """The file needs its installed size, 20 MiB, and 16 MiB to spare."""
    with_free_mib(monkeypatch, 36)
    deb_artifact.check_file(module, parameters)


def test_a_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch, module: Any, parameters: dict[str, Any]) -> None:
    with_free_mib(monkeypatch, 35)
    with pytest.raises(deb_artifact.Refused, match=r"^/usr has 35 MiB free, and the package needs 36 MiB\. Remedy: free space there\.$"):
        deb_artifact.check_file(module, parameters)


def test_half_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, module: Any, parameters: dict[str, Any]) -> None:
    with_free_mib(monkeypatch, 1000)
    Path(parameters["path"]).write_bytes(CONTENT[: len(CONTENT) // 2])
    with pytest.raises(deb_artifact.Refused, match="has another checksum than the build recorded"):
        deb_artifact.check_file(module, parameters)


@pytest.mark.parametrize(("key", "value"), [("package", "wireguard-tools"), ("version", "2")])
def test_another_package_under_that_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, module: Any, parameters: dict[str, Any], key: str, value: str
) -> None:
    with_free_mib(monkeypatch, 1000)
    with pytest.raises(deb_artifact.Refused, match=r"holds frr 1\+xgn\.debian13\.0123456789ab, and .* is wanted"):
        deb_artifact.check_file(module, parameters | {key: value})
