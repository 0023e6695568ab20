"""A managed host for modules: their own `main` runs, and only programs and the result's way out are replaced.

What a module prints is read as Ansible would read it, so that a secret which it leaves in is seen.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.xuegao.net.plugins.module_utils import ownership, trial, waiting, way_back_program

# What a program does: it gets its command and its standard input, and returns its exit status and both outputs.
Program = Callable[[list[str], str | None], tuple[int, str, str]]


@dataclasses.dataclass
class Host:
    """A host on which nothing is installed until a test says so.

    ``calls`` holds every command line that was run, ``inputs`` what each got on standard input. Waiting takes no time, and ``naps`` holds how long it
    would have taken (seconds). Files belong to whoever runs the tests, and ``owners`` says to whom they were given.
    """

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    temporary: Path
    calls: list[str] = dataclasses.field(default_factory=list)
    inputs: list[str | None] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    naps: list[float] = dataclasses.field(default_factory=list)
    owners: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    _programs: dict[str, Program] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        # A module changes its own process's environment, which is that of all tests here.
        for name in ("PATH", "LC_ALL", "LANGUAGE"):
            self.monkeypatch.setenv(name, os.environ.get(name, ""))
        self.monkeypatch.setattr(AnsibleModule, "run_command", self.run_command)
        self.monkeypatch.setattr(ownership, "ROOT", str(self.temporary.parent / "var-lib-xgn"))
        self.monkeypatch.setattr(trial, "IN_MEMORY", str(self.temporary))
        # What restores runs by itself, without a module.
        self.monkeypatch.setattr(
            way_back_program, "run", lambda command: self.run_command(command) if self._has(command[0]) else (0, "", "")
        )
        self.monkeypatch.setattr(AnsibleModule, "get_bin_path", self._get_bin_path)
        # Where a controller's plugins are loaded too, warnings go to its display.
        self.monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: self.warnings.append(text))
        clock = SimpleNamespace(monotonic=lambda: sum(self.naps), sleep=self.naps.append)
        self.monkeypatch.setattr(waiting, "time", clock)
        self.monkeypatch.setattr(os, "chown", lambda path, uid, gid: self.owners.append((str(path), uid, gid)))

    def program(self, name: str, does: Program | None = None) -> None:
        """Install a program. Without ``does`` it succeeds and prints nothing."""
        self._programs[name] = does or (lambda _command, _data: (0, "", ""))

    def prints(self, name: str, answers: dict[str, str | tuple[int, str]]) -> None:
        """Install a program that answers by its arguments: its output, or exit status and error. Any other call succeeds and prints nothing.

        The longest beginning of the arguments that is listed counts.
        """

        def answer(command: list[str], _data: str | None) -> tuple[int, str, str]:
            words = shlex.join(command[1:])
            said = next((answers[key] for key in sorted(answers, key=len, reverse=True) if words.startswith(key)), "")
            return (0, said, "") if isinstance(said, str) else (said[0], "", said[1])

        self.program(name, answer)

    def run(self, module: ModuleType, arguments: Mapping[str, Any], check: bool = False) -> dict[str, Any]:
        """Run the module; returns its result. A refusal has ``failed`` and ``msg``."""
        given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_tmpdir": str(self.temporary)}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return result

    def changed(self, *readers: str) -> list[str]:
        """Give the command lines that were run, without those that begin with one of ``readers``."""
        return [call for call in self.calls if not call.startswith(readers)]

    def run_command(
        self, command: Sequence[str] | str, check_rc: bool = False, data: str | None = None, **_named: Any
    ) -> tuple[int, str, str]:
        """Run a command as AnsibleModule.run_command does."""
        words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
        self.calls.append(shlex.join(words))
        self.inputs.append(data)
        program = self._programs.get(Path(words[0]).name)
        if program is None:
            raise AssertionError(f"{words[0]} is not installed on this host, and was run: {shlex.join(words)}")
        status, out, err = program(words, data)
        if check_rc and status:
            raise AssertionError(f"{shlex.join(words)} fails where the module counts on it: {err}")
        return status, out, err

    def _get_bin_path(self, name: str, *_args: Any, **_named: Any) -> str | None:
        return name if self._has(name) else None

    def _has(self, name: str) -> bool:
        return Path(name).name in self._programs
