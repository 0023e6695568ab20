"""The runtime that container tests put before runc: what it takes out of a call, and what it leaves."""

from __future__ import annotations

import json
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

MODULE = runpy.run_path(str(Path(__file__).parents[2] / "containers" / "xgn_containers" / "oci_runtime.py"))
LACKING = ("CAP_SYS_RESOURCE", "CAP_BPF")


def call(directory: Path, *arguments: str) -> list[str]:
    """Run the script with a runc that prints its arguments; returns them."""
    runc = directory / "runc it is"
    runc.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    runc.chmod(0o755)
    runtime = directory / "runtime"
    runtime.write_text(MODULE["script"](str(runc), LACKING), encoding="utf-8")
    run = subprocess.run(["sh", str(runtime), *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def process(*names: str) -> dict[str, Any]:
    return {"args": ["CAP_BPF stays", "x"], "capabilities": {"bounding": list(names), "ambient": ["CAP_BPF"], "effective": []}}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["CAP_BPF", "CAP_CHOWN", "CAP_SYS_RESOURCE"], ["CAP_CHOWN"]),
        (["CAP_CHOWN", "CAP_BPF", "CAP_SYS_RESOURCE", "CAP_KILL"], ["CAP_CHOWN", "CAP_KILL"]),
        (["CAP_SYS_RESOURCE", "CAP_BPF"], []),
        (["CAP_CHOWN"], ["CAP_CHOWN"]),
    ],
)
def test_a_process_asks_for_what_is_there(tmp_path: Path, separators: tuple[str, str], asked: list[str], kept: list[str]) -> None:
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process(*asked), separators=separators), encoding="utf-8")
    words = ["--root", "/run/x", "exec", "--process", str(file), "--detach", "name"]
    assert call(tmp_path, *words) == words
    expected = process(*kept) | {"capabilities": {"bounding": kept, "ambient": [], "effective": []}}
    assert json.loads(file.read_text(encoding="utf-8")) == expected


@pytest.mark.parametrize("option", [["--bundle", "the bundle"], ["--bundle=the bundle"]])
def test_a_container_asks_for_what_is_there(tmp_path: Path, option: list[str]) -> None:
    bundle = tmp_path / "the bundle"
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps({"process": process("CAP_BPF", "CAP_KILL")}), encoding="utf-8")
    assert call(tmp_path, "create", *option, "name") == ["create", *option, "name"]
    found = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    assert found["process"]["capabilities"]["bounding"] == ["CAP_KILL"]


def test_another_call_touches_no_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('["CAP_BPF"]', encoding="utf-8")
    assert call(tmp_path, "delete", "name") == ["delete", "name"]
    assert (tmp_path / "config.json").read_text(encoding="utf-8") == '["CAP_BPF"]'


def test_what_a_bounding_set_lacks() -> None:
    assert MODULE["missing"]("Name:\tx\nCapBnd:\t000001fffeffffff\n") == ("CAP_SYS_RESOURCE",)
    assert MODULE["missing"]("CapBnd:\t000001ffffffffff\n") == ()
