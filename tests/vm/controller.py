"""What tests on machines use of the controller: where things are, the environment of a run, and a first look at hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where `figures` is, and the package `lab`.
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
LOGS = ROOT / "build" / "test"
# They keep what Ansible makes of modules from one run to the next.
CALLBACKS = ROOT / "tests" / "ansible_callbacks"
# A verb of the lab ends with the program of the tests, also where that is killed and molecule stands between the two: it would hold the lab's lock.
os.environ.setdefault("XGN_LAB_OWNER", str(os.getpid()))


def environment() -> dict[str, str]:
    """Environment of an Ansible run against machines that may be emulated, and then answer late on a busy controller."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_TIMEOUT": "60",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def first_look(hosts: Mapping[str, Callable[[str], subprocess.CompletedProcess[str]]], commands: Sequence[str]) -> str:
    """What each host prints for each command; ``hosts`` says how a command is run on it. A host that does not answer is told, too."""
    texts = []
    for host, run in hosts.items():
        for command in commands:
            try:
                texts.append(f"--- {host}: {command}\n{run(command).stdout}")
            except subprocess.TimeoutExpired as error:
                texts.append(f"--- {error}")
    return "\n".join(texts)
