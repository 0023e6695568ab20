"""What the collection's units may do: each has an exposure within its limit, docs/rights.md gives the figures, and Debian 12's systemd knows every directive."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"
PAGE = (ROOT / "docs" / "rights.md").read_text(encoding="utf-8")
LIMIT = 4.0
# Units that cannot keep to it. docs/rights.md says why.
LIMITS = {"xgn-ssh-VRF@.service": 9.6}
# The version whose figures stand on the page: that of Debian 12. Others weigh some directives otherwise, by a tenth or two.
MEASURED_WITH = "252"
OTHER_VERSIONS = 0.3
# systemd-analyze puts an instance's name in.
HEADLINE = re.compile(r"Overall exposure level for \S+: ([\d.]+) ")
ROW = re.compile(r"^\| `(?P<unit>[^`]+)` \| (?P<before>[\d.]+) \| (?P<after>[\d.]+) \|", re.MULTILINE)


def units() -> dict[str, list[Path]]:
    """Every service as it is rendered for the golden networks, by its name without what a network puts into it; templates that print nothing, as they are."""
    found = {
        path.name.removesuffix(".j2"): [path]
        for path in sorted((ROOT / "roles").glob("*/templates/*.service.j2"))
        if not re.search(r"{[{%#]", path.read_text(encoding="utf-8"))
    }
    for path in sorted(GOLDEN.rglob("*.service")):
        name = re.sub(r"-\d+\.service$", ".service", path.name)
        name = re.sub(r"^xgn-ssh-\w+@", "xgn-ssh-VRF@", name)
        found.setdefault(name, []).append(path)
    return found


UNITS = units()


@cache
def analyze() -> str:
    """Path of systemd-analyze; skips the test where it cannot measure a file."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: a machine without systemd")
    return program


@cache
def version() -> str:
    said = subprocess.run([analyze(), "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


@cache
def exposure(path: Path) -> float:
    """What systemd-analyze says of one unit's file. Any word of systemd's about a directive fails."""
    with tempfile.TemporaryDirectory() as directory:
        # It goes by the name's end.
        unit = shutil.copy(path, Path(directory) / path.name.removesuffix(".j2"))
        command = [analyze(), "security", "--offline=true", "--no-pager", str(unit)]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not said.stderr, said.stderr
    found = HEADLINE.search(said.stdout)
    assert found, said.stdout
    return float(found[1])


def test_every_service_of_the_roles_is_measured() -> None:
    written = {path.name.removesuffix(".j2") for path in (ROOT / "roles").glob("*/templates/*.service.j2")}
    assert {name.replace("xgn-ssh-VRF@", "xgn-ssh") for name in UNITS} == written


@pytest.mark.parametrize("unit", UNITS)
def test_exposure_is_within_its_limit(unit: str) -> None:
    slack = 0.0 if version() == MEASURED_WITH else OTHER_VERSIONS
    for path in UNITS[unit]:
        assert exposure(path) <= LIMITS.get(unit, LIMIT) + slack, path


@pytest.mark.parametrize("unit", UNITS)
def test_the_page_has_the_figure(unit: str) -> None:
    told = {row["unit"]: row["after"] for row in ROW.finditer(PAGE)}
    assert unit in told
    if version() != MEASURED_WITH:
        pytest.skip(f"the page has figures of systemd {MEASURED_WITH}, here is {version()}")
    assert float(told[unit]) == max(exposure(path) for path in UNITS[unit])


def test_the_page_names_no_other_unit() -> None:
    assert {row["unit"] for row in ROW.finditer(PAGE)} == set(UNITS)


def test_what_runs_before_the_boot_is_ready_waits_for_nothing_more() -> None:
    """PrivateTmp= orders a unit behind systemd-tmpfiles-setup.service and the mounts of /tmp and /var/tmp: a cycle, or late, for these."""
    early = [path for paths in UNITS.values() for path in paths if "DefaultDependencies=no" in path.read_text(encoding="utf-8")]
    assert {"xgn-firewall.service.j2", "xgn-l2tp-guard.service.j2"} <= {path.name for path in early}
    for path in [*early, *UNITS["interface.service"]]:
        assert "PrivateTmp" not in path.read_text(encoding="utf-8"), path


def test_a_reload_of_frr_keeps_its_watchdog() -> None:
    """A watchfrr with more rights than the reload does not show it how long the watchdog waits: the unit says it, and the same as to the watchdog."""
    for path in UNITS["frr.service"]:
        text = path.read_text(encoding="utf-8")
        assert "\nWatchdogSec=60s\n" in text
        assert "\nExecReload=/usr/bin/env WATCHDOG_USEC=60000000 /usr/lib/frr/frrinit.sh reload\n" in text
