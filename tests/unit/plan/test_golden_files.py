# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the expected files of the golden networks stand: each text once, none without a user, and a difference of one host is seen."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[2] / "golden" / "update.py"
UNIT = "files/etc/systemd/system/frr.service"


def program() -> ModuleType:
    """A copy of its own, whose paths a test may change."""
    spec = importlib.util.spec_from_file_location("golden_files", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOLDEN = program()


def test_every_text_stands_once_and_is_used() -> None:
    indexes = {network: GOLDEN.index_of(network) for network in GOLDEN.networks()}
    shared = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.SHARED.iterdir()}
    used = [name for index in indexes.values() for name in index.values()]
    assert set(used) == set(shared)
    assert all(used.count(name) > 1 for name in shared)
    own = [
        path.read_text(encoding="utf-8")
        for network in indexes
        for path in (network / "expected").rglob("*")
        if path.is_file() and GOLDEN.can_be_shared(path.relative_to(network / "expected").as_posix())
    ]
    texts = [*shared.values(), *own]
    assert len(texts) == len(set(texts)), "python tests/update_expected.py"


def test_nothing_lies_beside_the_networks() -> None:
    networks = {network.name for network in GOLDEN.networks()}
    assert {path.name for path in PROGRAM.parent.iterdir() if path.name != "__pycache__"} == networks | {"shared", "update.py"}
    assert set(GOLDEN.VYOS) <= networks


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the pair, with the shared files beside it; its plan is what it expects."""
    for name in ("t1_t2", "shared"):
        shutil.copytree(PROGRAM.parent / name, tmp_path / name)
    monkeypatch.setattr(GOLDEN, "SHARED", tmp_path / "shared")
    network = tmp_path / "t1_t2"
    assert GOLDEN.files_of(network) == GOLDEN.expected_of(network)
    assert f"T1/{UNIT}" in GOLDEN.index_of(network)
    return network


def test_a_file_that_differs_on_one_host_is_seen(copy: Path) -> None:
    made = GOLDEN.files_of(copy)
    made[f"T1/{UNIT}"] += "#\n"
    assert made != GOLDEN.expected_of(copy)


@pytest.mark.parametrize("path", [f"T1/{UNIT}", "T1/variables.yml"], ids=["shared", "own"])
def test_a_missing_or_extra_file_is_seen(copy: Path, path: str) -> None:
    made = GOLDEN.files_of(copy)
    del made[path]
    assert made != GOLDEN.expected_of(copy)
    (copy / "expected" / "T1" / "extra").write_text("", encoding="utf-8")
    assert GOLDEN.files_of(copy) != GOLDEN.expected_of(copy)


def test_an_index_and_a_tree_that_contradict_each_other_are_refused(copy: Path) -> None:
    path = copy / "expected" / "T1" / UNIT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"t1_t2: in expected/ and in shared\.yml: T1/files/etc/systemd/system/frr\.service"):
        GOLDEN.expected_of(copy)


def test_a_shared_file_that_is_gone_is_said(copy: Path) -> None:
    (GOLDEN.SHARED / GOLDEN.index_of(copy)[f"T1/{UNIT}"]).unlink()
    with pytest.raises(FileNotFoundError):
        GOLDEN.expected_of(copy)


def test_names_stay_when_texts_change_and_split() -> None:
    one, two = Path("one"), Path("two")
    files = {
        one: {"a/files/x.conf": "A", "b/files/x.conf": "A"},
        two: {"c/files/x.conf": "B", "d/files/x.conf": "B", "e/variables.yml": "A"},
    }
    names = GOLDEN.shared_names(files, {})
    assert names == {"A": "x.conf", "B": "x-2.conf"}
    former = {network: {path: names[text] for path, text in texts.items() if "/files/" in path} for network, texts in files.items()}
    changed = {network: {path: text.lower() for path, text in texts.items()} for network, texts in files.items()}
    assert GOLDEN.shared_names(changed, former) == {"a": "x.conf", "b": "x-2.conf"}
    # A network more, whose files come first, takes no name away.
    more = {Path("a"): {"f/files/x.conf": "C", "g/files/x.conf": "C", "h/files/x.conf": "C"}, **files}
    assert GOLDEN.shared_names(more, former) == {"A": "x.conf", "B": "x-2.conf", "C": "x-3.conf"}
