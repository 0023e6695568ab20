"""However a host is entered, the commands of a module are found, and speak as they are read."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible_collections.xuegao.net.plugins.module_utils import host_module, interface_layer

PLUGINS = Path(__file__).parents[3] / "plugins"


@pytest.fixture
def plain_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment that su(1) hands on from a user who has another language; programs of the host speak of it. Returns their directory."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {}}).encode()
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", arguments)
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("LANGUAGE", "zh_CN:zh")
    place = tmp_path / "sbin"
    place.mkdir()
    for name in ("xgn-test-nft", "xgn-test-bridge"):
        (place / name).write_text('#!/bin/sh\nprintf \'["%s", "%s"]\' "$LC_ALL" "${LANGUAGE-none}"\n', encoding="ascii")
        (place / name).chmod(0o755)
    monkeypatch.setattr(host_module, "SEARCH", (str(place), *host_module.SEARCH))
    return place


def test_programs_for_administrators_are_found_and_speak_no_other_language(plain_user: Path) -> None:
    module = host_module.host_module(argument_spec={})
    assert module.run_command(["xgn-test-nft"])[1] == '["C.UTF-8", "none"]'
    # What runs at boot, too, knows no module.
    assert interface_layer.Kernel().read("link", program="xgn-test-bridge") == ["C.UTF-8", "none"]


def test_a_place_of_the_user_comes_first_and_none_comes_twice(plain_user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/own::/usr/sbin")
    host_module.host_module(argument_spec={})
    host_module.host_module(argument_spec={})
    found = os.environ["PATH"].split(os.pathsep)
    assert found[:2] == ["/opt/own", "/usr/sbin"]
    assert len(found) == len(set(found)) and {str(plain_user), "/sbin", "/usr/local/sbin"} <= set(found) and "" not in found


def test_without_a_path_at_all(plain_user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    host_module.host_module(argument_spec={})
    assert os.environ["PATH"].split(os.pathsep) == list(host_module.SEARCH)


def test_every_module_is_made_that_way() -> None:
    """One that is not works for those who test as root, and fails in the middle of a run for others."""
    modules = {path.stem: path.read_text(encoding="utf-8") for path in PLUGINS.joinpath("modules").glob("*.py")}
    remote = {name for name, text in modules.items() if "def main(" in text}
    assert len(remote) > 25 and {name for name, text in modules.items() if "host_module(" in text} == remote
    assert not [name for name, text in modules.items() if "AnsibleModule(" in text]


def test_what_a_program_says_is_read_in_one_encoding() -> None:
    """`text=True` takes that of the host's language, in which no name of an interface in UTF-8 can be read."""
    sources = [*PLUGINS.glob("modules/*.py"), *PLUGINS.glob("module_utils/*.py"), *PLUGINS.parent.glob("roles/*/files/**/*.py")]
    assert len(sources) > 60
    assert not [path.name for path in sources if "text=True" in path.read_text(encoding="utf-8")]
