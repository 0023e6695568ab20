"""Packages: what apt would take, a package from a build, and the build itself."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pwd
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.build_process import Builder
from ansible_collections.xuegao.net.plugins.modules import deb_artifact, deb_build, package_candidates

from .managed_host import Host

# ---- package_candidates --------------------------------------------------------------------------------------------------------------------


class Apt:
    """apt of a host. ``lists``: what its package lists say; ``archive``: what they say after an update."""

    def __init__(self, host: Host, lists: dict[str, str], archive: dict[str, str] | None = None) -> None:
        self.lists, self.archive = lists, archive if archive is not None else lists
        host.program("apt-cache", self.cache)
        host.program("apt-get", self.update)
        host.prints(
            "dpkg", {"--print-architecture": "amd64\n", "--compare-versions 2 gt 10": (1, ""), "--compare-versions 1 gt 10": (1, "")}
        )

    def cache(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        said = self.lists.get(command[-1])
        return (0, said, "") if said else (0 if "policy" in command else 100, "", "E: Unable to locate package")

    def update(self, _command: list[str], _data: str | None) -> tuple[int, str, str]:
        self.lists = self.archive
        return 0, "", ""


FRR = "frr:\n  Installed: (none)\n  Candidate: 8.4.4-1\n"
SOURCES = "Package: frr\nVersion: 2\n\nPackage: frr\nVersion: 10\n\nPackage: frr\nVersion: 1\n"


def test_known_packages_need_no_update(host: Host) -> None:
    Apt(host, {"frr": FRR})
    result = host.run(package_candidates, {"packages": ["frr"]})
    assert (result["changed"], result["packages"], result["architecture"]) == (False, {"frr": "8.4.4-1"}, "amd64")
    assert not [call for call in host.calls if call.startswith("apt-get")]


def test_the_newest_source_is_the_newest_version_and_not_the_first(host: Host) -> None:
    Apt(host, {"frr": SOURCES})
    assert host.run(package_candidates, {"sources": ["frr"]})["sources"] == {"frr": "10"}


def test_unknown_packages_are_looked_for_once(host: Host) -> None:
    Apt(host, {}, {"frr": FRR})
    assert host.run(package_candidates, {"packages": ["frr", "none"]})["packages"] == {"frr": "8.4.4-1", "none": None}
    assert host.calls.count("apt-get update --quiet") == 1


def test_check_mode_reads_into_lists_of_its_own(host: Host) -> None:
    Apt(host, {}, {"frr": FRR})
    assert host.run(package_candidates, {"packages": ["frr"]}, check=True)["packages"] == {"frr": "8.4.4-1"}
    assert f"Dir::State::Lists={host.temporary}/" in next(call for call in host.calls if call.startswith("apt-get"))


def test_only_an_archive_that_answers_now_counts_when_told_so(host: Host) -> None:
    """The lists that were read once know a package of an archive that is gone."""
    apt = Apt(host, {"frr": FRR}, {})
    host.program("apt-get", lambda command, _data: apt.update(command, None)[:2] + ("W: Failed to fetch http://archive.example.org/\n",))
    result = host.run(package_candidates, {"packages": ["frr"], "anew": True})
    assert (result["packages"], result["error"]) == ({"frr": None}, "W: Failed to fetch http://archive.example.org/")
    assert f"Dir::State::Lists={host.temporary}/" in next(call for call in host.calls if call.startswith("apt-get"))


# ---- deb_artifact --------------------------------------------------------------------------------------------------------------------------

VERSION = "10.3-0+xgn.debian13.0123456789ab"


class Dpkg:
    """dpkg and apt of a host with one package."""

    def __init__(self, host: Host, installed: str | None) -> None:
        self.installed, self.fails = installed, ""
        self.sessions = ["10.0.0.1"]
        self.pids = iter(["7", "7"])
        host.program("dpkg-query", self.query)
        host.prints("dpkg-deb", {"--field": f"Package: frr\nVersion: {VERSION}\nInstalled-Size: 1\n"})
        host.program("apt-get", self.get)
        host.prints("apt-cache", {"madison": f" frr | {VERSION} | local\n frr | 8.4.4-1 | http://mirror.example.org\n"})
        host.program("apt-mark")
        host.program("dpkg")
        host.program("systemctl", lambda command, _data: (0, next(self.pids) + "\n" if "show" in command else "", ""))
        host.program("vtysh", lambda _command, _data: (0, json.dumps(self.summary()), ""))

    def query(self, _command: list[str], _data: str | None) -> tuple[int, str, str]:
        return (0, f"installed {self.installed}", "") if self.installed else (1, "", "no packages found")

    def get(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if "install" in command and "--simulate" not in command:
            if self.fails:
                return 100, "", self.fails
            self.installed = "8.4.4-1" if command[-1] == "frr-pythontools" else VERSION
        return 0, "", ""

    def summary(self) -> dict[str, Any]:
        return {"default": {"ipv4Unicast": {"peers": {address: {"state": "Established"} for address in self.sessions}}}}


@pytest.fixture
def artifact(tmp_path: Path) -> dict[str, Any]:
    """Arguments for a package that was built."""
    path = tmp_path / f"frr_{VERSION}_amd64.deb"
    path.write_bytes(b"a package")
    return {"package": "frr", "version": VERSION, "path": str(path), "sha512": hashlib.sha512(b"a package").hexdigest()}


def test_a_built_package_is_installed_once_and_held(host: Host, artifact: dict[str, Any]) -> None:
    Dpkg(host, "8.4.4-1")
    first, second = host.run(deb_artifact, artifact), host.run(deb_artifact, artifact)
    assert (first["changed"], first["before"], first["after"]) == (True, "8.4.4-1", VERSION)
    assert not second["changed"]
    # Its processes still ran from the files of the former one.
    assert host.calls[-3:-1] == ["systemctl restart frr.service", "apt-mark hold frr"]
    assert host.calls.index("systemctl reset-failed frr.service") < host.calls.index("systemctl restart frr.service")


def test_check_mode_installs_nothing(host: Host, artifact: dict[str, Any]) -> None:
    Dpkg(host, "8.4.4-1")
    assert host.run(deb_artifact, artifact, check=True)["after"] == VERSION
    assert [call.split()[0] for call in host.calls] == ["dpkg-query"]


def test_half_a_package_is_refused(host: Host, artifact: dict[str, Any]) -> None:
    Dpkg(host, "8.4.4-1")
    Path(artifact["path"]).write_bytes(b"a pack")
    assert host.run(deb_artifact, artifact)["msg"].startswith("frr was not installed, and nothing was changed:")
    assert not [call for call in host.calls if call.startswith("apt-get")]


def test_what_apt_says_is_told(host: Host, artifact: dict[str, Any]) -> None:
    Dpkg(host, "8.4.4-1").fails = "E: Unmet dependencies\n"
    assert host.run(deb_artifact, artifact)["msg"] == (
        "frr could not be installed; nothing was installed. Remedy: correct what apt complains of, then run again. apt says:\nE: Unmet dependencies"
    )


def test_sessions_that_stay_away_are_named(host: Host, artifact: dict[str, Any]) -> None:
    dpkg = Dpkg(host, "8.4.4-1")

    def systemctl(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "restart" in command:
            dpkg.sessions = []
        return 0, "7\n" if "show" in command else "", ""

    host.program("systemctl", systemctl)
    result = host.run(deb_artifact, {**artifact, "wait_s": 30})
    assert "after 30 s these BGP sessions are not established again: default 10.0.0.1." in result["msg"]
    assert sum(host.naps) == 30


def test_back_to_the_distribution(host: Host) -> None:
    Dpkg(host, VERSION)
    arguments = {"package": "frr", "companions": ["frr-pythontools"]}
    first, second = host.run(deb_artifact, arguments), host.run(deb_artifact, arguments)
    assert (first["after"], second["changed"]) == ("8.4.4-1", False)
    assert "apt-mark unhold frr" in host.calls


# ---- deb_build -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments for a build from one small archive, by whoever runs the tests."""
    path = tmp_path / "frr.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("frr/configure")
        member.mtime = 1_700_000_000
        tar.addfile(member, io.BytesIO(b""))
    monkeypatch.setattr(deb_build, "end_on_signal", lambda: None)
    checksum = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "package": "frr",
        "version": "10",
        "maintainer": "x",
        "archives": [{"path": str(path), "checksum": checksum}],
        "packaging": {"rules": "#!/usr/bin/make -f\n"},
        "directory": str(tmp_path / "builds"),
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "jobs": 3,
    }


class Steps:
    """The steps of a build, which take no time."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.status, self.says = 0, ""
        self.environment: dict[str, str] = {}
        self.steps: list[str] = []
        host.prints("dpkg", {"--print-architecture": "amd64\n"})
        host.program("dpkg-checkbuilddeps")
        monkeypatch.setattr(Builder, "run", lambda builder, *step: self.run(builder, *step))

    def run(self, builder: Builder, command: list[str], directory: str, environment: dict[str, str]) -> int:
        self.steps.append(command[0])
        if command[0] != "dpkg-buildpackage":
            return 0
        self.environment = environment
        Path(builder.log).write_text(self.says, encoding="utf-8")
        if self.status == 0:
            (Path(directory).parent / "frr_10_amd64.deb").write_bytes(b"package")
        return self.status


def test_a_package_is_built_once(host: Host, build: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(host, monkeypatch)
    first, second = host.run(deb_build, build), host.run(deb_build, build)
    assert [result["changed"] for result in (first, second)] == [True, False]
    assert first["sha512"] == second["sha512"] == hashlib.sha512(b"package").hexdigest()
    assert first["path"] == build["directory"] + "/frr_10_amd64.deb"
    assert steps.steps == ["tar", "dpkg-buildpackage"]
    # The same at every build, unlike the clock.
    assert steps.environment["SOURCE_DATE_EPOCH"] == "1700000000"
    assert steps.environment["DEB_BUILD_OPTIONS"] == "parallel=3 noautodbgsym terse"
    assert not (Path(build["directory"]) / "work").exists()


def test_check_mode_builds_nothing(host: Host, build: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(host, monkeypatch)
    assert host.run(deb_build, build, check=True)["changed"]
    assert (steps.steps, Path(build["directory"]).exists()) == ([], False)


def test_a_failed_build_says_where_and_leaves_no_package(host: Host, build: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(host, monkeypatch)
    steps.status, steps.says = 2, "xgn-phase: make check\nFAIL: test_x\n"
    message = host.run(deb_build, build)["msg"]
    assert message.startswith(
        "frr 10 was not built: make check failed (status 2). No package was made. To build nevertheless: frr_build_check: false."
    )
    assert message.endswith("FAIL: test_x")
    assert not (Path(build["directory"]) / "frr_10_amd64.deb").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"archives": [{"path": "/nonexistent", "checksum": "sha256:0"}]}, "frr 10 was not built: the archive /nonexistent does not exist"),
        ({"user": "nobody-of-this-name"}, "there is no user nobody-of-this-name to build as"),
        ({"space_mib": 10**9}, "MiB free, and the build needs 1000000000 MiB. Remedy: free space, or name another directory."),
    ],
)
def test_what_cannot_be_built_is_told_before(
    host: Host, build: dict[str, Any], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    steps = Steps(host, monkeypatch)
    assert message in host.run(deb_build, {**build, **change})["msg"]
    assert steps.steps == []


def test_another_archive_than_expected_is_refused(host: Host, build: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(host, monkeypatch)
    archive = {**build["archives"][0], "checksum": "sha256:" + "0" * 64}
    assert "has another checksum than expected" in host.run(deb_build, {**build, "archives": [archive]})["msg"]
    assert steps.steps == []


def test_what_a_build_lacks_is_named(host: Host, build: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    Steps(host, monkeypatch)
    unmet = "dpkg-checkbuilddeps: error: Unmet build dependencies: libyang2-dev"
    host.program("dpkg-checkbuilddeps", lambda _command, _data: (1, "", unmet))
    assert (
        host.run(deb_build, build)["msg"]
        == "frr 10 was not built: what the build needs is not installed: Unmet build dependencies: libyang2-dev. Remedy: run role frr_build again, which installs it."
    )
