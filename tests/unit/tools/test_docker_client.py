"""The docker client of the container tests: which calls go straight into a container, and that all others are docker's."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODULE = runpy.run_path(str(Path(__file__).parents[2] / "containers" / "xgn_containers" / "client.py"))
ENVIRONMENT = "setsid env --ignore-environment HOME=/root HOSTNAME=frr-debian12 container=docker"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """An exec-root with two running containers, and a docker and an nsenter that print what they are given."""
    for number, name in enumerate(("frr-debian12", "frr-debian13"), 40):
        bundle = tmp_path / "exec root" / MODULE["BUNDLES"] / f"id{number}"
        bundle.mkdir(parents=True)
        (bundle / "config.json").write_text(f'{{"ociVersion":"1.0.2","hostname":"{name}","mounts":[]}}', encoding="utf-8")
        (bundle / "init.pid").write_text(str(number), encoding="utf-8")
    for name in ("real docker", "nsenter"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name}" "$@"\ncat\nexit 3\n', encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def call(directory: Path, *arguments: str, holder: int | None = None) -> str:
    """What the client does with these arguments, and with its input."""
    text = MODULE["script"](directory / "real docker", directory / "exec root", os.getpid())
    if holder:
        text = text.replace(f"/proc/{os.getpid()}/", f"/proc/{holder}/")
    client = directory / "docker"
    client.write_text(text, encoding="utf-8")
    run = subprocess.run(
        ["sh", str(client), *arguments],
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        input="sent",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (3, "")
    return run.stdout


def straight(pid: int, command: str, given: str) -> str:
    outer = f"nsenter --target={os.getpid()} --mount --pid --"
    return f"{outer} nsenter --target={pid} --mount --uts --ipc --net --pid --cgroup -- {ENVIRONMENT} {PATH} {command}\n{given}"


@pytest.mark.parametrize("host", [[], ["-H=unix:///run/docker.sock"], ["--host=unix:///run/docker.sock"]])
def test_a_plain_exec_goes_straight_into_the_container(programs: Path, host: list[str]) -> None:
    command = ["/bin/sh", "-c", "echo  $HOME"]
    assert call(programs, *host, "exec", "frr-debian12", *command) == straight(40, "/bin/sh -c echo  $HOME", "")
    assert call(programs, *host, "exec", "-i", "frr-debian12", *command) == straight(40, "/bin/sh -c echo  $HOME", "sent")


@pytest.mark.parametrize(
    "arguments",
    [
        ["exec", "--user", "frr", "frr-debian12", "id"],
        ["exec", "-ti", "frr-debian12", "bash"],
        ["exec", "-i", "-e", "A=b", "frr-debian12", "env"],
        ["exec", "frr-debian1", "id"],
        ["exec", "other", "id"],
        ["exec", "frr-debian12"],
        ["exec"],
        ["restart", "--time", "20", "frr-debian12"],
        ["-H=unix:///run/docker.sock", "version"],
        [],
    ],
)
def test_everything_else_is_docker_s(programs: Path, arguments: list[str]) -> None:
    assert call(programs, *arguments) == f"{' '.join(['real docker', *arguments])}\nsent"


def damage_pid(bundles: Path) -> None:
    (bundles / "id40" / "init.pid").unlink()


def name_twice(bundles: Path) -> None:
    (bundles / "id41" / "config.json").write_text((bundles / "id40" / "config.json").read_text())


@pytest.mark.parametrize("damage", [damage_pid, name_twice])
def test_what_is_not_as_expected_is_docker_s(programs: Path, damage: Any) -> None:
    damage(programs / "exec root" / MODULE["BUNDLES"])
    assert call(programs, "exec", "frr-debian12", "id") == "real docker exec frr-debian12 id\nsent"


def test_a_process_of_another_namespace_is_not_entered(programs: Path) -> None:
    """The daemon was killed, and another process has its number: here one that is gone."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert call(programs, "exec", "frr-debian12", "id", holder=gone.pid) == "real docker exec frr-debian12 id\nsent"
