"""Module units: what somebody did to a unit, and what a killed run left, is made up for; what is as it should be is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr_drain, loaded
from ansible_collections.xuegao.net.plugins.modules import units

from .managed_host import Host

NAME = "unbound.service"


class Service:
    """One unit, as systemd and its own record show it. ``records``: whether its definition in force is ours."""

    def __init__(self, host: Host, tmp_path: Path) -> None:
        self.shown = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
        self.unit, self.config = tmp_path / "unbound.unit", tmp_path / "xgn.conf"
        self.record = tmp_path / "loaded" / NAME
        self.record.parent.mkdir()
        self.unit.write_text("unit", encoding="utf-8")
        self.config.write_text("config", encoding="utf-8")
        self.records = True
        self.fails: set[str] = set()
        self.follow()
        host.program("systemctl", self.systemctl)
        host.prints("journalctl", {"": "bad configuration\n"})

    def follow(self) -> None:
        paths = [path for path in (self.unit, self.config) if path.exists()]
        if self.records:
            self.record.write_text("".join(f"{loaded.digest_of(str(path))}  {path}\n" for path in paths), encoding="utf-8")

    def systemctl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        verb = command[1]
        if verb == "show":
            return 0, "".join(f"{key}={value}\n" for key, value in self.shown.items()), ""
        if verb in self.fails:
            return 1, "", "Job failed"
        if verb in ("start", "restart", "reload"):
            self.follow()
        after = {
            "start": {"ActiveState": "active"},
            "stop": {"ActiveState": "inactive"},
            "enable": {"UnitFileState": "enabled"},
            "disable": {"UnitFileState": "disabled"},
            "unmask": {"LoadState": "loaded", "UnitFileState": "disabled"},
            "daemon-reload": {"NeedDaemonReload": "no"},
        }
        self.shown.update(after.get(verb, {}))
        return 0, "", ""


@pytest.fixture
def service(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A unit that is as it should be."""
    monkeypatch.setattr(loaded, "RECORDS", str(tmp_path / "loaded"))
    return Service(host, tmp_path)


def ensure(host: Host, service: Service, check: bool = False, changed: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Run the module, and count what it did."""
    wanted = {
        "name": NAME,
        "state": "started",
        "enabled": True,
        "restart_on": [str(service.unit)],
        "reload_on": [str(service.config)],
        **more,
    }
    host.calls.clear()
    return host.run(units, {"units": [wanted], "changed": list(changed), "definitions": ["wg-quick@wg1.service"]}, check=check)


def done(host: Host) -> list[str]:
    return [call.removeprefix("systemctl ") for call in host.changed("systemctl show", "journalctl", "systemctl reset-failed")]


def test_what_is_as_it_should_be_is_left_alone(host: Host, service: Service) -> None:
    assert (ensure(host, service)["changed"], host.calls) == (False, [host.calls[0]])
    assert host.calls[0].endswith(f"{NAME} wg-quick@wg1.service")


@pytest.mark.parametrize(
    ("fault", "actions", "commands"),
    [
        ({"ActiveState": "inactive"}, ["start"], [f"start {NAME}"]),
        ({"ActiveState": "failed"}, ["start"], [f"start {NAME}"]),
        ({"UnitFileState": "disabled"}, ["enable"], [f"enable --quiet {NAME}"]),
        ({"NeedDaemonReload": "yes"}, ["read its definition again"], ["daemon-reload"]),
        (
            {"LoadState": "masked", "UnitFileState": "masked", "ActiveState": "inactive"},
            ["unmask", "enable", "start"],
            [f"unmask --quiet {NAME}", f"unmask --quiet --runtime {NAME}", "daemon-reload", f"enable --quiet {NAME}", f"start {NAME}"],
        ),
    ],
    ids=["stopped", "failed", "disabled", "not read", "masked"],
)
def test_what_somebody_did_is_undone_once(
    host: Host, service: Service, fault: dict[str, str], actions: list[str], commands: list[str]
) -> None:
    service.shown.update(fault)
    result = ensure(host, service)
    told = [action.removeprefix(f"{NAME}: ") for action in result["actions"] if action.startswith(NAME)]
    assert (told, done(host)) == (actions, commands)
    assert ensure(host, service)["changed"] is False


@pytest.mark.parametrize(("file", "verb"), [("unit", "restart"), ("config", "reload")])
def test_a_daemon_that_has_read_something_else_is_brought_in_line_though_no_file_changed(
    host: Host, service: Service, file: str, verb: str
) -> None:
    """As after a run that was killed between a file and what makes it live."""
    path: Path = getattr(service, file)
    path.write_text("other", encoding="utf-8")
    assert ensure(host, service, check=True)["actions"] == [f"{NAME}: {verb} (it has read another {path})"]
    assert done(host) == []
    assert ensure(host, service)["changed"] is True
    assert done(host) == [f"{verb} {NAME}"]
    assert ensure(host, service)["changed"] is False


def test_one_that_records_nothing_is_restarted(host: Host, service: Service) -> None:
    service.record.unlink()
    assert ensure(host, service)["actions"][0].startswith(f"{NAME}: restart (it has read another ")


def test_a_start_reads_everything(host: Host, service: Service) -> None:
    service.config.write_text("other", encoding="utf-8")
    service.shown["ActiveState"] = "inactive"
    assert ensure(host, service)["actions"] == [f"{NAME}: start"]


def test_a_definition_that_this_run_wrote_is_read_and_not_told_twice(host: Host, service: Service) -> None:
    service.shown["NeedDaemonReload"] = "yes"
    result = ensure(host, service, changed=("/etc/systemd/system/unbound.service",))
    assert (result["changed"], done(host)) == (False, ["daemon-reload"])


def test_a_prediction_knows_what_would_be_written(host: Host, service: Service) -> None:
    assert ensure(host, service, check=True, changed=(str(service.config),))["actions"] == [
        f"{NAME}: reload (it has read another {service.config})"
    ]


def test_a_definition_that_is_not_ours_is_named(host: Host, service: Service) -> None:
    """Otherwise every run would restart it, and say so."""
    service.records = False
    service.config.write_text("other", encoding="utf-8")
    assert f"see `systemctl cat {NAME}`" in ensure(host, service)["msg"]


def test_one_that_does_not_start_tells_its_journal(host: Host, service: Service) -> None:
    service.shown["ActiveState"] = "inactive"
    service.fails = {"start"}
    assert ensure(host, service)["msg"] == f"systemctl start {NAME}: Job failed: bad configuration"


@pytest.mark.parametrize(
    ("active", "file", "drained"),
    [("active", "unit", ["l2tp3"]), ("active", "config", ["l2tp3"]), ("active", None, []), ("failed", "unit", [])],
)
def test_links_are_drained_before_their_daemon_is_restarted_or_reloaded(
    host: Host, service: Service, monkeypatch: pytest.MonkeyPatch, active: str, file: str | None, drained: list[str]
) -> None:
    """Not where it is left alone, and not where nothing runs that could carry traffic."""
    service.shown["ActiveState"] = active
    if file:
        getattr(service, file).write_text("other", encoding="utf-8")
    seen: list[tuple[list[str], int]] = []

    @contextmanager
    def record(_module: object, interfaces: list[str], seconds: int) -> Iterator[list[str]]:
        assert done(host) == []
        seen.append((interfaces, seconds))
        yield ["l2tp3: drain"] if interfaces else []

    monkeypatch.setattr(frr_drain, "drained", record)
    wanted = {"name": NAME, "state": "started", "enabled": True, "restart_on": [str(service.unit)], "reload_on": [str(service.config)]}
    result = host.run(units, {"units": [{**wanted, "interrupts": ["l2tp3"]}], "drain_seconds": 7})
    assert seen == [(drained, 7)] and ("l2tp3: drain" in result["actions"]) == bool(drained)
    assert bool(done(host)) == bool(file)


def test_one_that_is_not_wanted_stops(host: Host, service: Service) -> None:
    result = ensure(host, service, state="stopped", enabled=False)
    assert done(host) == [f"disable --quiet {NAME}", f"stop {NAME}"]
    assert result["changed"]
    assert ensure(host, service, state="stopped", enabled=False)["changed"] is False
