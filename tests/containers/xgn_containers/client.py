"""A docker client whose `docker exec` needs no daemon: it goes into the container's namespaces itself.

Ansible and testinfra call `docker exec` some thousand times in a run of all scenarios. Client, daemon, containerd and runc take a tenth of a second of
processor time for each, a fifth of all that the scenarios take; nsenter takes hundredths of that. Everything else that docker can do, an `exec` with
further options, and whatever is not as expected, is the client's business.
"""

from __future__ import annotations

import shlex
from pathlib import Path

# Relative to the daemon's exec-root: what containerd gave runc for each running container, by its id.
BUNDLES = "containerd/daemon/io.containerd.runtime.v2.task/moby"
# The environment is that of Docker for these images, and the container's host name is its name: molecule/shared/create.yml.
SCRIPT = """#!/bin/sh
straight() {{
    case $1 in -H=* | --host=*) shift ;; esac
    [ "$1" = exec ] || return
    shift
    input=
    case $1 in -i | --interactive) input=1; shift ;; esac
    case $1 in -*) return ;; esac
    [ $# -gt 1 ] || return
    name=$1
    shift
    # Another process may have the number of one that was killed.
    [ "$(readlink /proc/{holder}/ns/pid 2>/dev/null)" = {namespace} ] || return
    config=$(grep --files-with-matches --fixed-strings "\\"hostname\\":\\"$name\\"" {bundles}/*/config.json 2>/dev/null) || return
    # Two containers of one name would be no file.
    pid=$(cat "${{config%config.json}}init.pid" 2>/dev/null) || return
    [ "$input" ] || exec </dev/null
    exec nsenter --target={holder} --mount --pid -- \\
        nsenter --target="$pid" --mount --uts --ipc --net --pid --cgroup -- \\
        setsid env --ignore-environment HOME=/root HOSTNAME="$name" container=docker \\
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}}
straight "$@"
exec {client} "$@"
"""


def script(client: Path, exec_root: Path, holder: int) -> str:
    """Return the client's text.

    Parameters:
        client: the real one.
        exec_root: the daemon's directory of that name.
        holder: process id of a process in the daemon's namespaces.

    Raises:
        FileNotFoundError: there is no such process.
    """
    namespace = str(Path(f"/proc/{holder}/ns/pid").readlink())
    return SCRIPT.format(
        client=shlex.quote(str(client)), bundles=shlex.quote(str(exec_root / BUNDLES)), holder=holder, namespace=shlex.quote(namespace)
    )
