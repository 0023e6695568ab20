"""From a tarball to a verified network, the way people reach their machines: a plain user's password, sudo and su and doas, a short PATH, another language.

The controller has no ansible.cfg and no checkout: what is installed comes from the tarball, below a directory of the test's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from controller import LOGS, ROOT
from network_managers import INVENTORY, UPLINKS, Pair

RUN_SECONDS = 900
TOPOLOGY = "people"
PASSWORD = "correct horse"
LANGUAGE = "zh_CN.UTF-8"
# What each host is left to: whose password it asks for, and how that becomes root's rights. No PATH but a plain user's, programs in /tmp do not run, and
# messages come in another language.
PREPARED = f"""
set -e
useradd --create-home --shell /bin/bash engineer
printf 'engineer:%s\\nroot:%s\\n' '{PASSWORD}' '{PASSWORD}' | chpasswd
install -d -m 0700 -o engineer -g engineer ~engineer/.ssh
install -m 0600 -o engineer -g engineer ~root/.ssh/authorized_keys ~engineer/.ssh/authorized_keys
echo 'engineer ALL=(ALL:ALL) ALL' >/etc/sudoers.d/engineer
chmod 0440 /etc/sudoers.d/engineer
echo 'permit engineer as root' >/etc/doas.conf
chmod 0400 /etc/doas.conf
localedef --inputfile=zh_CN --charmap=UTF-8 {LANGUAGE}
printf 'LANG={LANGUAGE}\\nLC_ALL={LANGUAGE}\\nPATH=/usr/local/bin:/usr/bin:/bin\\n' >/etc/environment
printf 'ALWAYS_SET_PATH yes\\nENV_PATH PATH=/usr/local/bin:/usr/bin:/bin\\nENV_SUPATH PATH=/usr/local/bin:/usr/bin:/bin\\n' >>/etc/login.defs
mount -t tmpfs -o noexec,nosuid tmpfs /tmp
"""


def run(command: list[str], directory: Path, collections: Path, log: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs where there is neither checkout nor configuration."""
    strangers = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {
        **strangers,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_TIMEOUT": "60",
        "HOME": str(directory),
    }
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    (LOGS / f"people-{log}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done


class Office:
    """A directory with the collection from its tarball, an inventory, and two routers that one logs in to as a plain user."""

    def __init__(self, directory: Path) -> None:
        self.pair = Pair(TOPOLOGY, TOPOLOGY)
        self.directory = directory / "office"
        self.directory.mkdir()
        self.collections = directory / "collections"

    def install(self) -> None:
        """Make the tarball from the checkout and install it, as docs/getting-started.md says."""
        built = run(
            ["ansible-galaxy", "collection", "build", "--output-path", str(self.directory), str(ROOT)],
            self.directory,
            self.collections,
            "build",
        )
        assert built.returncode == 0, built.stderr
        (tarball,) = self.directory.glob("xuegao-net-*.tar.gz")
        command = ["ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(self.collections), str(tarball)]
        installed = run(command, self.directory, self.collections, "install")
        assert installed.returncode == 0, installed.stdout + installed.stderr

    def play(self, playbook: str, become: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook; become: by host, how it gets root's rights."""
        people = self.directory / "people.yml"
        hosts = {host: {"ansible_become_method": method} for host, method in become.items()}
        variables = {"ansible_user": "engineer", "ansible_become_password": PASSWORD}
        people.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}), encoding="utf-8")
        # connection.yml says root of each host, where a word of the whole group does not count.
        inventories = [option for path in (INVENTORY, self.pair.connection, people) for option in ("--inventory", str(path))]
        command = ["ansible-playbook", *inventories, f"xuegao.net.{playbook}", "--extra-vars", "ansible_user=engineer", *arguments]
        return run(command, self.directory, self.collections, f"{playbook}-{'-'.join(become.values())}")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The machines, bare, as their owners left them."""
    LOGS.mkdir(parents=True, exist_ok=True)
    made = Office(tmp_path_factory.mktemp("people"))
    made.pair.lab("down", TOPOLOGY)
    try:
        made.pair.lab("up", TOPOLOGY)
        for host in UPLINKS:
            done = made.pair.attempt(host, PREPARED)
            assert done.returncode == 0, f"{host}: {done.stdout}{done.stderr}"
        made.install()
        yield made
    finally:
        if not os.environ.get("XGN_KEEP"):
            made.pair.lab("down", TOPOLOGY)


def test_a_plain_user_builds_the_network_by_sudo_and_by_su(office: Office) -> None:
    checked = office.play("site", {"left": "sudo", "right": "su"}, "--check", "--diff")
    assert checked.returncode == 0, checked.stdout[-4000:] + checked.stderr[-2000:]
    built = office.play("site", {"left": "sudo", "right": "su"}, "--diff")
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-2000:]
    # That the hosts speak another language there was seen by Ansible, too.
    spoken = office.pair.attempt("left", "su - engineer -c 'locale | grep LC_MESSAGES; echo $PATH; command -v ip nft bridge'").stdout
    assert LANGUAGE in spoken and "sbin" not in spoken, spoken


def test_it_is_verified_by_doas_and_a_second_run_changes_nothing(office: Office) -> None:
    verified = office.play("verify", {"left": "sudo", "right": "community.general.doas"})
    assert verified.returncode == 0, verified.stdout[-6000:]
    again = office.play("site", {"left": "su", "right": "sudo"})
    assert again.returncode == 0, again.stdout[-4000:]
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0", "0"], again.stdout[-2000:]
