"""The tests' callback kept_modules: a run makes no archive of a module anew that an earlier run has made of the same sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible import constants

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from ansible_callbacks import kept_modules  # the path has to be set first


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection with one module, and what it imports."""
    root = tmp_path / "collection"
    for name in ("plugins/modules/one.py", "plugins/module_utils/two.py", "meta/runtime.yml", "plugins/filter/three.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("name", "other"), [("plugins/modules/one.py", True), ("plugins/module_utils/two.py", True), ("plugins/filter/three.py", False)]
)
def test_what_is_kept_belongs_to_one_state_of_the_sources(collection: Path, name: str, other: bool) -> None:
    before = kept_modules.kept_for(collection)
    assert kept_modules.kept_for(collection) == before
    (collection / name).write_text("changed", encoding="utf-8")
    assert (kept_modules.kept_for(collection) != before) == other


def test_a_run_begins_with_what_earlier_ones_have_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unfinished stays where it is, and what is there already is left alone."""
    monkeypatch.setattr(kept_modules, "KEPT", tmp_path / "kept")
    for run, made in enumerate([{"a": "1", "b.lock": "", "c-part": "half"}, {"d": "2"}, {}]):
        local = tmp_path / f"run{run}"
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(local))
        callback = kept_modules.CallbackModule()
        callback.v2_playbook_on_start(None)
        cache = local / "ansiballz_cache"
        found = {path.name: path.read_text(encoding="utf-8") for path in cache.iterdir()}
        assert found == [{}, {"a": "1"}, {"a": "1", "d": "2"}][run]
        for name, content in made.items():
            (cache / name).write_text(content, encoding="utf-8")
        callback.v2_playbook_on_stats(None)


@pytest.mark.starts_ansible
def test_ansible_takes_what_was_kept(tmp_path: Path) -> None:
    """It loads the plugin by the variable alone, and what it made in the first run is where it looks in the second."""
    playbook = tmp_path / "ping.yml"
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]), encoding="utf-8"
    )
    # The plugin of a tree of its own, so that it keeps nothing here.
    (tmp_path / "tests" / "ansible_callbacks").mkdir(parents=True)
    plugin = tmp_path / "tests" / "ansible_callbacks" / "kept_modules.py"
    plugin.write_bytes((ROOT / "tests" / "ansible_callbacks" / "kept_modules.py").read_bytes())
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
    ]
    variables = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(plugin.parent),
        "ANSIBLE_DEBUG": "1",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
    }
    said = [
        subprocess.run(
            [*command, str(playbook)], capture_output=True, text=True, env=variables, cwd=tmp_path, timeout=600, check=True
        ).stdout
        for _ in range(2)
    ]
    (kept,) = (tmp_path / "build" / "modules").glob("*/*")
    assert kept.name.startswith("ansible.modules.ping")
    assert ["ANSIBALLZ: using cached module" in text for text in said] == [False, True]
