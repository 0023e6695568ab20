"""Connection plugin docker_exec under real Ansible, with a docker that notes how it was called and runs the command here.

One run of ansible-playbook for all of them: each start of it costs more than what is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.starts_ansible

ROOT = Path(__file__).parents[3]
# Nodes by name, and the containers on each.
NODES: dict[str, dict[str, Any]] = {
    "node": {
        "ansible_host": "192.0.2.4",
        "ansible_port": 2222,
        "ansible_user": "admin",
        "ansible_ssh_private_key_file": "/keys/node",
        "ansible_ssh_common_args": "-o UserKnownHostsFile=/keys/known",
    },
    "plain": {},
    "keyed": {"ansible_private_key_file": "/keys/other"},
    "bare": {},
}
CONTAINERS: dict[str, dict[str, Any]] = {
    "igp": {"ansible_docker_exec_node": "node"},
    "stopped": {"ansible_docker_exec_node": "node"},
    "gone": {"ansible_docker_exec_node": "node"},
    "misled": {"ansible_docker_exec_node": "node", "ansible_docker_exec_via": "no.such.plugin"},
    "named": {"ansible_docker_exec_node": "plain"},
    "unlocked": {"ansible_docker_exec_node": "keyed"},
    "dockerless": {"ansible_docker_exec_node": "bare", "ansible_docker_exec_command": "docker"},
}
# Runs what follows the container's name; the containers `stopped` and `gone` answer as Docker 26 does.
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" | head --lines=1 >"$CALLS/docker-$$"
shift
while [ "${1#--}" != "$1" ]; do [ "$1" = --user ] && shift; shift; done
case "$1" in
    stopped) echo 'Error response from daemon: container 0123 is not running' >&2; exit 1 ;;
    gone) echo 'Error response from daemon: No such container: gone' >&2; exit 1 ;;
esac
shift
exec "$@"
"""
# Takes its own options away and hands the rest to a shell, as sshd does. The node `bare` has no program at all, and none that reads what is sent.
SSH = """#!/bin/sh
printf '%s\\n' "$*" | head --lines=1 >"$CALLS/ssh-$$"
for last; do :; done
case " $* " in *" bare "*) exec </dev/null; sleep 0.5; PATH=/nowhere ;; esac
exec /bin/sh -c "$last"
"""
CONTENT = {"binary": bytes(range(256)) * 400, "empty": b""}


class Run:
    """Plays on containers as the playbooks have them, with become and without facts, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = directory / "calls"
        self.calls.mkdir()
        for name, text in (("docker", DOCKER), ("ssh", SSH)):
            (directory / name).write_text(text, encoding="utf-8")
            (directory / name).chmod(0o755)
        (directory / "ansible.cfg").write_text("", encoding="utf-8")
        (directory / "group_vars").mkdir()
        shared = (ROOT / "inventories" / "hybrid" / "group_vars" / "containers.yml").read_text(encoding="utf-8")
        (directory / "group_vars" / "containers.yml").write_text(shared, encoding="utf-8")
        variables = {
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(directory / "tmp"),
            "ansible_docker_exec_command": f"env CALLS={self.calls} {directory / 'docker'}",
        }
        inventory = {"all": {"hosts": NODES, "children": {"containers": {"hosts": CONTAINERS}}, "vars": variables}}
        (directory / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        play = {"gather_facts": False, "become": True}
        plays = [
            {**play, "hosts": "containers", "tasks": [{"name": "ping", "ansible.builtin.ping": {}}]},
            {**play, "hosts": "igp", "tasks": [FAILING, *self.copies()]},
        ]
        (directory / "plays.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_FORKS": str(len(CONTAINERS)),
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_SSH_EXECUTABLE": str(directory / "ssh"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "CALLS": str(self.calls),
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "hosts.yml", "plays.yml"],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = done.stdout + done.stderr
        answer = json.loads(done.stdout)
        self.stats: dict[str, dict[str, int]] = answer["stats"]
        self.tasks: dict[str, dict[str, dict[str, Any]]] = {
            task["task"]["name"]: task["hosts"] for play in answer["plays"] for task in play["tasks"]
        }

    def copies(self) -> list[dict[str, Any]]:
        """Tasks that copy files into the container and fetch them from there. What is to be copied is written here."""
        inside = self.directory / "inside it's"
        inside.mkdir()
        tasks: list[dict[str, Any]] = []
        for name, content in CONTENT.items():
            source = self.directory / name
            source.write_bytes(content)
            place = str(inside / name)
            tasks += [
                {"ansible.builtin.copy": {"src": str(source), "dest": place}},
                {"ansible.builtin.fetch": {"src": place, "dest": f"{self.directory}/back/", "flat": True}},
            ]
        return tasks

    def called(self, program: str, container: str) -> str:
        """The first call of a program on behalf of a container, first line only."""
        calls = sorted(self.calls.glob(f"{program}-*"), key=lambda path: path.stat().st_mtime_ns)
        return next(text for text in (path.read_text(encoding="utf-8") for path in calls) if f" {container} /bin/sh -c " in text)


FAILING = {"name": "fail", "ansible.builtin.raw": "echo Error from inside >&2; exit 1", "register": "r", "failed_when": "r.rc != 1"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("docker_exec"))


def test_a_module_is_one_call_through_the_node(run: Run) -> None:
    assert run.tasks["ping"]["igp"].get("ping") == "pong", run.output
    ssh, docker = run.called("ssh", "igp"), run.called("docker", "igp")
    for part in ("-o Port=2222", 'IdentityFile="/keys/node"', 'User="admin"', "-o UserKnownHostsFile=/keys/known", " 192.0.2.4 "):
        assert part in ssh
    # Root there, so that become has nothing to do.
    assert docker.startswith("exec --user root --interactive igp /bin/sh -c ")
    assert "sudo" not in docker


@pytest.mark.parametrize("container", ["named", "unlocked"])
def test_a_module_is_one_call(run: Run, container: str) -> None:
    for program in ("ssh", "docker"):
        calls = [path.read_text(encoding="utf-8") for path in run.calls.glob(f"{program}-*")]
        assert sum(f" {container} /bin/sh -c " in call for call in calls) == 1


def test_a_node_without_variables_is_reached_by_its_name(run: Run) -> None:
    assert run.tasks["ping"]["named"].get("ping") == "pong", run.output
    ssh = run.called("ssh", "named")
    assert " plain " in ssh and "IdentityFile" not in ssh and 'User="root"' in ssh


def test_the_other_name_of_the_key_counts_too(run: Run) -> None:
    assert run.tasks["ping"]["unlocked"].get("ping") == "pong", run.output
    assert 'IdentityFile="/keys/other"' in run.called("ssh", "unlocked")


def test_files_go_in_and_come_out(run: Run) -> None:
    assert run.stats["igp"] | {"failures": 0, "unreachable": 0} == run.stats["igp"], run.output
    for name, content in CONTENT.items():
        assert (run.directory / "inside it's" / name).read_bytes() == content
        assert (run.directory / "back" / name).read_bytes() == content


def test_a_failed_command_is_no_lost_connection(run: Run) -> None:
    answer = run.tasks["fail"]["igp"]
    assert (answer["rc"], answer["failed_when_result"], "unreachable" in answer) == (1, False, False)
    assert answer["stderr"].strip() == "Error from inside"


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ("stopped", "Error response from daemon: container 0123 is not running"),
        ("gone", "Error response from daemon: No such container: gone"),
        ("dockerless", "/bin/sh: 1: docker: not found"),
    ],
)
def test_a_container_that_is_not_there_is_unreachable(run: Run, container: str, reason: str) -> None:
    assert run.stats[container]["unreachable"] == 1, run.output
    assert run.tasks["ping"][container]["msg"].endswith(f"container {container} cannot be reached on its host: {reason}")


def test_a_plugin_that_is_none_is_named(run: Run) -> None:
    assert run.stats["misled"]["ok"] == 0, run.output
    assert "there is no connection plugin 'no.such.plugin' (ansible_docker_exec_via)" in run.tasks["ping"]["misled"]["msg"]
