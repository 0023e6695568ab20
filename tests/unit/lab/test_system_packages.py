"""tools/system-packages: it names what is missing, installs nothing that is there, and agrees with bindep.txt."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tools" / "system-packages"

APT = """#!/bin/sh
echo "$0 $*" >>"$CALLS"
case "$*" in
  *install*) for last; do [ "$last" != graphviz ] || { echo '#!/bin/sh' >"$BIN/dot"; chmod +x "$BIN/dot"; }; done ;;
esac
"""


@pytest.fixture
def system(tmp_path: Path) -> dict[str, str]:
    """A made-up Debian: its PATH holds apt-get and little else, and what apt-get is asked is written down."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("env", "sh", "chmod"):
        found = shutil.which(name)
        assert found is not None
        (binaries / name).symlink_to(found)
    for name in ("apt-get", "apt-cache"):
        (binaries / name).write_text(APT)
        (binaries / name).chmod(0o755)
    (binaries / "sudo").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    (binaries / "sudo").chmod(0o755)
    return {"PATH": str(binaries), "BIN": str(binaries), "CALLS": str(tmp_path / "calls")}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    # The administrator's directories of the real machine must not help: only names that it cannot have there are used.
    command = [sys.executable, str(PROGRAM), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def calls(environment: dict[str, str]) -> str:
    path = Path(environment["CALLS"])
    return path.read_text() if path.exists() else ""


def test_a_dry_run_names_packages_and_command_and_does_nothing(system: dict[str, str]) -> None:
    result = run(system, "--dry-run", "report")
    assert result.returncode == 1
    assert "report: missing: graphviz" in result.stderr
    assert "install --yes --no-install-recommends graphviz" in result.stderr
    assert "install" not in calls(system)


def test_what_is_missing_is_installed_once(system: dict[str, str]) -> None:
    first = run(system, "report")
    assert first.returncode == 0, first.stderr
    assert "install --yes --no-install-recommends graphviz" in calls(system)
    before = calls(system)
    second = run(system, "report")
    assert (second.returncode, second.stdout) == (0, "system-packages: report: complete\n")
    assert calls(system) == before


def test_an_installation_that_changes_nothing_is_a_failure(system: dict[str, str]) -> None:
    Path(system["BIN"], "apt-get").write_text("#!/bin/sh\n")
    result = run(system, "report")
    assert result.returncode == 1
    assert "still missing: graphviz" in result.stderr


def test_a_failing_apt_is_a_failure(system: dict[str, str]) -> None:
    Path(system["BIN"], "apt-get").write_text("#!/bin/sh\nexit 100\n")
    result = run(system, "report")
    assert result.returncode == 1
    assert "failed with status 100" in result.stderr


def test_without_privilege_it_only_tells(
    system: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(system["BIN"], "sudo").write_text("#!/bin/sh\nexit 1\n")
    for name, value in system.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), "report"])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert caught.value.code == 1
    assert "run as root: " in capsys.readouterr().err
    assert "install" not in calls(system)


def test_a_system_of_neither_kind_is_told_what_is_missing(system: dict[str, str]) -> None:
    for name in ("apt-get", "apt-cache"):
        Path(system["BIN"], name).unlink()
    result = run(system, "report")
    assert result.returncode == 1
    assert "dot is missing, and no package of it is known for this system" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("report", "nonsense")])
def test_wrong_usage_lists_the_profiles(system: dict[str, str], arguments: tuple[str, ...]) -> None:
    result = run(system, *arguments)
    assert result.returncode == 2
    assert "base, lab, report, containers, browser" in result.stderr


def test_bindep_agrees_with_the_table() -> None:
    output = run(dict(os.environ), "--bindep").stdout
    assert (ROOT / "bindep.txt").read_text() == output
