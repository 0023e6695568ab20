"""Connection plugin docker_exec under real Ansible, with a docker that notes how it was called and runs the command here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
NODE = {
    "ansible_host": "192.0.2.4",
    "ansible_port": 2222,
    "ansible_user": "admin",
    "ansible_ssh_private_key_file": "/keys/node",
    "ansible_ssh_common_args": "-o UserKnownHostsFile=/keys/known",
}
# Runs what follows the container's name; the containers `stopped` and `gone` answer as Docker 26 does.
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" | head --lines=1 >>"$CALLS"
shift
while [ "${1#--}" != "$1" ]; do [ "$1" = --user ] && shift; shift; done
case "$1" in
    stopped) echo 'Error response from daemon: container 0123 is not running' >&2; exit 1 ;;
    gone) echo 'Error response from daemon: No such container: gone' >&2; exit 1 ;;
esac
shift
exec "$@"
"""
# Takes its own options away and hands the rest to a shell, as sshd does.
SSH = """#!/bin/sh
printf 'ssh %s\\n' "$*" | head --lines=1 >>"$CALLS"
for last; do :; done
exec /bin/sh -c "$last"
"""


class Site:
    """An inventory of a node and its containers, in a directory of its own."""

    def __init__(self, directory: Path, node: dict[str, Any]) -> None:
        self.directory = directory
        self.calls = directory / "calls"
        for name, text in (("docker", DOCKER), ("ssh", SSH)):
            (directory / name).write_text(text, encoding="utf-8")
            (directory / name).chmod(0o755)
        (directory / "ansible.cfg").write_text("", encoding="utf-8")
        (directory / "group_vars").mkdir()
        shared = (ROOT / "inventories" / "hybrid" / "group_vars" / "containers.yml").read_text(encoding="utf-8")
        (directory / "group_vars" / "containers.yml").write_text(shared, encoding="utf-8")
        containers = {name: {"ansible_docker_exec_node": "node"} for name in ("igp", "stopped", "gone")}
        variables = {
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(directory / "tmp"),
            "ansible_docker_exec_command": f"env CALLS={self.calls} {directory / 'docker'}",
        }
        inventory = {"all": {"hosts": {"node": node}, "children": {"containers": {"hosts": containers}}, "vars": variables}}
        (directory / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_SSH_EXECUTABLE": str(directory / "ssh"),
            "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
            "CALLS": str(self.calls),
        }

    def play(self, host: str, *tasks: dict[str, Any], **environment: str) -> subprocess.CompletedProcess[str]:
        """Run tasks on a container as the playbooks do: become, no facts."""
        play = [{"hosts": host, "gather_facts": False, "become": True, "tasks": list(tasks)}]
        (self.directory / "play.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
        return subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", "hosts.yml", "play.yml"],
            cwd=self.directory,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def called(self) -> list[str]:
        """What was called, first lines only."""
        return self.calls.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, NODE)


def test_a_module_is_one_call_through_the_node(site: Site) -> None:
    done = site.play("igp", {"ansible.builtin.ping": {}})
    assert done.returncode == 0, done.stdout + done.stderr
    ssh, docker = site.called()
    for part in ("-o Port=2222", 'IdentityFile="/keys/node"', 'User="admin"', "-o UserKnownHostsFile=/keys/known", " 192.0.2.4 "):
        assert part in ssh
    # Root there, so that become has nothing to do.
    assert docker.startswith("exec --user root --interactive igp /bin/sh -c ")
    assert "sudo" not in docker


def test_a_node_without_variables_is_reached_by_its_name(tmp_path: Path) -> None:
    site = Site(tmp_path, {})
    done = site.play("igp", {"ansible.builtin.ping": {}})
    assert done.returncode == 0, done.stdout + done.stderr
    ssh = site.called()[0]
    assert " node " in ssh and "IdentityFile" not in ssh and 'User="root"' in ssh


def test_the_other_name_of_the_key_counts_too(tmp_path: Path) -> None:
    site = Site(tmp_path, {"ansible_private_key_file": "/keys/other"})
    assert site.play("igp", {"ansible.builtin.ping": {}}).returncode == 0
    assert 'IdentityFile="/keys/other"' in site.called()[0]


def test_files_go_in_and_come_out(site: Site, tmp_path: Path) -> None:
    content = bytes(range(256)) * 400
    (tmp_path / "binary").write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    tasks = []
    for name in ("binary", "empty"):
        inside = str(tmp_path / "inside it's" / name)
        tasks += [
            {"ansible.builtin.copy": {"src": str(tmp_path / name), "dest": inside}},
            {"ansible.builtin.fetch": {"src": inside, "dest": f"{tmp_path}/back/", "flat": True}},
        ]
    (tmp_path / "inside it's").mkdir()
    done = site.play("igp", *tasks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "back" / "binary").read_bytes() == content
    assert (tmp_path / "back" / "empty").read_bytes() == b""


def test_a_failed_command_is_no_lost_connection(site: Site) -> None:
    done = site.play("igp", {"ansible.builtin.raw": "echo Error from inside >&2; exit 1", "register": "r", "failed_when": "r.rc != 1"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("stopped", "Error response from daemon: container 0123 is not running"),
        ("gone", "Error response from daemon: No such container: gone"),
    ],
)
def test_a_container_that_is_not_there_is_unreachable(site: Site, host: str, reason: str) -> None:
    done = site.play(host, {"ansible.builtin.ping": {}}, ANSIBLE_CALLBACK_RESULT_FORMAT="json")
    assert done.returncode == 4, done.stdout + done.stderr
    answer = re.search(rf"fatal: \[{host}\]: UNREACHABLE! => (\{{.*?\n?\}})", done.stdout, re.DOTALL)
    assert answer, done.stdout
    assert json.loads(answer[1])["msg"].endswith(f"container {host} cannot be reached on its host: {reason}")


def test_a_host_without_docker_is_said_to_be_one(site: Site) -> None:
    done = site.play("igp", {"ansible.builtin.ping": {}, "vars": {"ansible_docker_exec_command": "docker"}}, PATH="/nowhere")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "cannot be reached on its host" in done.stdout + done.stderr


def test_a_plugin_that_is_none_is_named(site: Site) -> None:
    done = site.play("igp", {"ansible.builtin.ping": {}, "vars": {"ansible_docker_exec_via": "no.such.plugin"}})
    assert done.returncode != 0
    assert "there is no connection plugin 'no.such.plugin' (ansible_docker_exec_via)" in done.stdout + done.stderr
