# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection to a container through the host that runs it: every command is a C(docker exec) there."""

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_exec
short_description: Run tasks in a container of another host, by docker exec on that host
version_added: 0.3.0
description:
  - Runs every command in a container, with C(docker exec) on the host that runs it. That host is reached by another connection plugin, with the
    variables that plugin knows, usually C(ansible_host) and all others of C(ssh).
  - The controller needs neither Docker nor its Python library, and the daemon's socket stays on its host.
author: xuegao.net maintainers (@xuegao)
options:
  container:
    description: Name of the container. It is the host's inventory name when not given.
    type: str
    vars:
      - name: inventory_hostname
      - name: ansible_docker_exec_container
  via:
    description: Connection plugin that reaches the host with the container.
    type: str
    default: ansible.builtin.ssh
    vars:
      - name: ansible_docker_exec_via
  docker_command:
    description: How Docker's command is called there. It must not ask for a password; write C(sudo -n docker) for a user who may not use Docker.
    type: str
    default: docker
    vars:
      - name: ansible_docker_exec_command
  remote_user:
    description: User in the container. The user on the host with the container is C(ansible_user).
    type: str
    default: root
    vars:
      - name: ansible_docker_exec_user
  pipelining:
    description: Send modules over standard input instead of copying them first.
    type: bool
    default: true
    vars:
      - name: ansible_pipelining
      - name: ansible_docker_exec_pipelining
notes:
  - Commands run without a terminal. Become methods that ask for a password do not work in the container.
"""

import re
import shlex
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader

# What Docker's command line says, with status 1, when the command was not even started; a command that fails inside has words of its own.
_NOT_STARTED = re.compile(
    r"^(?:Error response from daemon:.*|Error: No such container:.*|.*[Cc]annot connect to the Docker daemon.*|.*permission denied while trying to connect.*)$",
    re.MULTILINE,
)
_NOT_FOUND = re.compile(r"^.*\bdocker: (?:command )?not found.*$", re.MULTILINE)


class Connection(ConnectionBase):
    """A container, by way of its host."""

    transport = "xuegao.net.docker_exec"
    has_pipelining = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._host: Any = None

    @property
    def ssh_type_conn(self) -> Any:
        """The connection to the host. Ansible looks for it under this name and gives it its own options from the variables, before every task."""
        if self._host is None:
            name = self.get_option("via")
            self._host = connection_loader.get(name, self._play_context)
            if self._host is None:
                raise AnsibleError(f"there is no connection plugin {name!r} (ansible_docker_exec_via)")
        return self._host

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command line in the container. Returns status, output and error output."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._inside(["/bin/sh", "-c", cmd], in_data)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller into the container."""
        super().put_file(in_path, out_path)
        try:
            with open(in_path, "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise AnsibleFileNotFound(f"{in_path}: {error.strerror}") from error
        # Nothing to send is no end of input for every plugin, and cat would wait for one.
        script = 'cat >"$1"' if content else ': >"$1"'
        status, _output, error_output = self._inside(["/bin/sh", "-c", script, "sh", out_path], content or None)
        if status != 0:
            raise AnsibleError(f"{out_path} cannot be written in container {self.get_option('container')}: {_text(error_output)}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the container to the controller."""
        super().fetch_file(in_path, out_path)
        status, output, error_output = self._inside(["cat", "--", in_path], None)
        if status != 0:
            raise AnsibleError(f"{in_path} cannot be read in container {self.get_option('container')}: {_text(error_output)}")
        with open(out_path, "wb") as stream:
            stream.write(output)

    def _inside(self, arguments: list[str], in_data: bytes | None) -> tuple[int, bytes, bytes]:
        try:
            status, output, error_output = self._on_host(arguments, in_data)
        except AnsibleConnectionFailure:
            # A docker that ends at once reads nothing of what it is sent, and the host's plugin may then blame the connection to the host.
            if in_data is None:
                raise
            self._check_started(*self._on_host(["true"], None))
            raise
        self._check_started(status, output, error_output)
        return status, output, error_output

    def _on_host(self, arguments: list[str], in_data: bytes | None) -> tuple[int, bytes, bytes]:
        words = [*shlex.split(self.get_option("docker_command")), "exec", "--user", self.get_option("remote_user")]
        words += ["--interactive"] if in_data is not None else []
        line = shlex.join([*words, self.get_option("container"), *arguments])
        result: tuple[int, bytes, bytes] = self.ssh_type_conn.exec_command(line, in_data=in_data, sudoable=False)
        return result

    def _check_started(self, status: int, _output: bytes, error_output: bytes) -> None:
        """Raise AnsibleConnectionFailure if Docker says that it has not started the command."""
        said = _text(error_output)
        reason = _NOT_STARTED.search(said) if status == 1 else _NOT_FOUND.search(said) if status == 127 else None
        if reason:
            raise AnsibleConnectionFailure(f"container {self.get_option('container')} cannot be reached on its host: {reason[0].strip()}")

    def reset(self) -> None:
        """Do nothing: every command is a docker exec of its own, over a connection that the host's plugin keeps."""

    def close(self) -> None:
        """End the connection to the host."""
        if self._host is not None:
            self._host.close()
        self._connected = False


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").strip()
