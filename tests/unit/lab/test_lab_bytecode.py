"""The store of byte code for modules that come in archives: what it holds is what would have been compiled, and its failures show nowhere."""

from __future__ import annotations

import os
import traceback
import zipfile
import zipimport
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from lab.paths import RECIPE_DIR

SOURCE = RECIPE_DIR / "files" / "usr" / "lib" / "python3" / "dist-packages" / "xgn_lab_bytecode.py"
MODULE = "value = [1]\ndef fail():\n    raise ValueError(value)\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def bytecode() -> ModuleType:
    """The program, run rather than imported: an import would leave byte code among an image's files."""
    module = ModuleType("xgn_lab_bytecode")
    exec(compile(SOURCE.read_text(encoding="utf-8"), str(SOURCE), "exec"), module.__dict__)
    return module


@pytest.fixture
def compiled(store: Path, bytecode: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The archives' files that Python's own compiler got, with the store before it."""
    plain: Callable[[str, bytes], CodeType] = vars(zipimport)["_compile_source"]
    seen: list[str] = []

    def compile_source(pathname: str, source: bytes) -> CodeType:
        seen.append(pathname)
        return plain(pathname, source)

    monkeypatch.setattr(zipimport, "_compile_source", compile_source)
    bytecode.install(str(store))
    return seen


def load(directory: Path, name: str, source: str = MODULE) -> dict[str, Any]:
    """What a module sets that comes in an archive of its own."""
    archive = directory / f"{name}.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("sent.py", source)
    values: dict[str, Any] = {"__name__": "sent"}
    exec(zipimport.zipimporter(str(archive)).get_code("sent"), values)
    return values


def test_the_same_source_is_compiled_once(tmp_path: Path, store: Path, compiled: list[str]) -> None:
    assert [load(tmp_path, name)["value"] for name in ("first", "second", "third")] == [[1]] * 3
    assert compiled == [f"{tmp_path}/first.zip/sent.py"]
    assert load(tmp_path, "fourth", MODULE.replace("1", "2"))["value"] == [2]
    assert compiled[1:] == [f"{tmp_path}/fourth.zip/sent.py"]
    assert [path.stat().st_mode & 0o777 for path in store.iterdir()] == [0o600] * 2


def test_a_traceback_names_the_archive_that_was_imported_from(tmp_path: Path, compiled: list[str]) -> None:
    load(tmp_path, "first")
    with pytest.raises(ValueError, match=r"\[1\]") as caught:
        load(tmp_path, "second")["fail"]()
    frame = traceback.extract_tb(caught.tb)[-1]
    assert (frame.filename, frame.lineno, frame.name) == (f"{tmp_path}/second.zip/sent.py", 3, "fail")
    assert len(compiled) == 1


@pytest.mark.parametrize("damage", [b"", bytes(5000), b"x", None])
def test_what_a_power_cut_has_damaged_is_compiled_anew(tmp_path: Path, store: Path, compiled: list[str], damage: bytes | None) -> None:
    load(tmp_path, "first")
    (kept,) = store.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] if damage is None else damage)
    assert load(tmp_path, "second")["value"] == [1]
    assert len(compiled) == 2
    assert load(tmp_path, "third")["value"] == [1]
    assert len(compiled) == 2


def absent(store: Path) -> None:
    store.rmdir()


def readable(store: Path) -> None:
    store.chmod(0o755)


def a_file(store: Path) -> None:
    store.rmdir()
    store.write_text("")


@pytest.mark.parametrize("spoil", [absent, readable, a_file])
def test_without_a_private_directory_all_is_as_without_the_store(
    tmp_path: Path, store: Path, compiled: list[str], spoil: Callable[[Path], None]
) -> None:
    spoil(store)
    assert [load(tmp_path, name)["value"] for name in ("first", "second")] == [[1]] * 2
    assert len(compiled) == 2
    assert not store.is_dir() or not list(store.iterdir())


def test_of_another_user_nothing_is_taken(tmp_path: Path, store: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, "first")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert load(tmp_path, "second")["value"] == [1]
    assert len(compiled) == 2


def test_what_cannot_be_written_is_not_kept(tmp_path: Path, store: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert [load(tmp_path, name)["value"] for name in ("first", "second")] == [[1]] * 2
    assert len(compiled) == 2


def test_a_wrong_source_is_refused_each_time(tmp_path: Path, store: Path, compiled: list[str]) -> None:
    for name in ("first", "second"):
        with pytest.raises(SyntaxError) as caught:
            load(tmp_path, name, "a b\n")
        assert caught.value.filename == f"{tmp_path}/{name}.zip/sent.py"
    assert not list(store.iterdir())


def test_a_full_store_is_emptied(
    tmp_path: Path, store: Path, bytecode: ModuleType, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bytecode.__dict__, "LIMIT", 3)
    for number in range(7):
        assert load(tmp_path, str(number), f"value = {number}\n")["value"] == number
        assert len(list(store.iterdir())) <= 3


def test_a_python_without_that_function_goes_on(bytecode: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(zipimport, "_compile_source")
    bytecode.install()
    assert not hasattr(zipimport, "_compile_source")


def test_its_line_for_python_names_it() -> None:
    assert SOURCE.with_name("xgn-lab-bytecode.pth").read_text() == f"import {SOURCE.stem}; {SOURCE.stem}.install()\n"
