# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Count the remote calls that each playbook makes to a host on which nothing has to be changed: python tests/bench/calls.py.

Ansible runs the playbooks as they are, on the inventories as they are. Only what a host would answer is made up (unchanged_hosts.py), so no host is needed.
Prints a table for each inventory, and puts the sums into build/bench.json.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(Path(__file__).parent)]

from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import JUDGED
from planner import write

HERE = Path(__file__).parent
STAND_IN = ROOT / "tests" / "unit" / "roles" / "stand_in_hosts.py"
INVENTORIES = ("t1_t2", "hybrid")
# Heading of the column, playbook, and what else it is given.
PLAYBOOKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "site": ("site", ()),
    "site in batches": ("site", ("--extra-vars", json.dumps({"xgn_rollout": {"settle_seconds": 0}}))),
    "verify": ("verify", ()),
    "upgrade_frr and verify": ("upgrade_frr", ()),
}


def packages() -> list[str]:
    """All that roles install."""
    found: set[str] = set()
    for path in (ROOT / "roles").glob("*/vars/main.yml"):
        for name, value in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            if name.endswith("_packages"):
                found.update(value if isinstance(value, list) else [])
    return sorted(found | {"unbound", "dns-root-data", "docker.io", "python3-requests", "docker-cli"})


def calls(inventory: str, playbook: str, arguments: tuple[str, ...]) -> Counter[str]:
    """Run a playbook; returns its remote calls by host. Raises RuntimeError when it fails."""
    with tempfile.TemporaryDirectory(prefix="xgn-") as place:
        directory = Path(place)
        shutil.copytree(ROOT / "inventories" / inventory, directory / "inventory")
        (directory / "callbacks").mkdir()
        shutil.copy(HERE / "unchanged_hosts.py", directory / "callbacks")
        about: dict[str, Any] = {name: [] for name in ("fails", "cut", "deaf", "dead", "same")}
        about |= {name: {} for name in ("hurt", "up", "down", "facts")}
        (directory / "about.json").write_text(json.dumps(about), encoding="utf-8")
        settings = {"CALLBACK_PLUGINS": "callbacks", "COLLECTIONS_PATH": str(ROOT / ".collections"), "NOCOLOR": "1"}
        extra = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "xgn_plan_directory": str(directory / "plan")}
        program = str(Path(sys.executable).parent / "ansible-playbook")
        done = subprocess.run(
            [program, "--inventory", "inventory", f"xuegao.net.{playbook}", "--extra-vars", json.dumps(extra), *arguments],
            env={
                **os.environ,
                **{f"ANSIBLE_{name}": value for name, value in settings.items()},
                "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
                "UNCHANGED_HOST": json.dumps({"packages": packages(), "kernel_features": dict.fromkeys(JUDGED, "builtin")}),
                "STAND_INS": str(directory / "about.json"),
                "STAND_IN_PLUGIN": str(STAND_IN.parent),
            },
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        # What verify compares with is made up, too: it finds that all is wrong.
        if [line for line in done.stdout.splitlines() if line.startswith(("fatal: ", "failed: ")) and "xgn_verify.checks" not in line]:
            raise RuntimeError(f"{playbook} on {inventory} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        file = directory / "calls"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        # What is delegated to the controller costs no line.
        return Counter(line.split()[0] for line in lines if not line.startswith("localhost "))


def main() -> None:
    """Print a table for each inventory, and write the largest number of each column."""
    figures = {}
    for inventory in INVENTORIES:
        found = {heading: calls(inventory, playbook, arguments) for heading, (playbook, arguments) in PLAYBOOKS.items()}
        print(f"remote calls to an unchanged host, inventories/{inventory}")
        print("  ".join([f"{'':12}", *PLAYBOOKS]))
        for host in sorted({host for column in found.values() for host in column}):
            print("  ".join([f"{host:12}", *(f"{column[host]:{len(heading)}}" for heading, column in found.items())]))
        for heading, column in found.items():
            figures[f"calls_{inventory}_{heading.replace(' ', '_')}"] = float(max(column.values()))
    for name, value in figures.items():
        print(f"{name}: {value:.0f} calls")
    write(figures)


if __name__ == "__main__":
    main()
