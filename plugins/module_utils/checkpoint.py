# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A way back for changes that can cut the controller's own connection.

Before such a change the former files and the commands that make them live again are left on the host, together with a timer. Unless the
controller confirms over a new connection in time, the timer runs them. Both live in /run: a reboot within that time keeps the new state.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence

from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, Runner
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd

DIRECTORY = "/run/xgn/checkpoint"
STARTED = "started"


class CheckpointError(Exception):
    """The way back could not be laid, or has been taken; the text says why."""


def unit_of(name: str) -> str:
    """Return the name of the transient units of a checkpoint, without suffix."""
    return "xgn-checkpoint-" + name


def place_of(name: str) -> str:
    """Return the directory of a checkpoint."""
    return os.path.join(DIRECTORY, name)


def is_pending(name: str) -> bool:
    """Say whether a checkpoint waits for its confirmation."""
    return os.path.isdir(place_of(name))


def arm(
    name: str,
    paths: Sequence[str],
    texts: Mapping[str, str],
    commands: Sequence[Sequence[str]],
    seconds: int,
    run: Runner,
) -> None:
    """Lay the way back.

    Parameters:
        name: subject of the change, such as ``firewall``.
        paths: files that are put back as they are now; one that does not exist now is removed then.
        texts: further files for the commands, by name, kept in `place_of` the checkpoint.
        commands: what makes them live again, run in order after that, each whatever became of the one before.
        seconds: time until it is done.
        run: runs a command.

    A checkpoint of the same name that is still pending keeps its files, since they are the last state that was confirmed; only its time starts anew.

    Raises:
        CheckpointError: the timer could not be started.
    """
    place = place_of(name)
    if is_pending(name):
        stop_timer(name, run)
    else:
        # Made under another name first: a checkpoint is there as a whole or not at all.
        draft = place + ".draft"
        shutil.rmtree(draft, ignore_errors=True)
        os.makedirs(draft, mode=0o700)
        lines = ["#!/bin/sh", "touch " + shlex.quote(os.path.join(place, STARTED))]
        for number, path in enumerate(paths):
            saved = "file%d" % number
            if os.path.exists(path):
                shutil.copy2(path, os.path.join(draft, saved))
                owner = os.stat(path)
                os.chown(os.path.join(draft, saved), owner.st_uid, owner.st_gid)
                lines.append("cp -p %s %s" % (shlex.quote(os.path.join(place, saved)), shlex.quote(path)))
            else:
                lines.append("rm -f " + shlex.quote(path))
        for file_name, text in texts.items():
            write_atomically(os.path.join(draft, file_name), text, 0o600)
        lines += [" ".join(shlex.quote(word) for word in command) for command in commands]
        lines.append("rm -rf " + shlex.quote(place))
        write_atomically(os.path.join(draft, "restore"), "\n".join(lines) + "\n", 0o700)
        os.rename(draft, place)
    description = "Restores what was there before the change of " + name
    try:
        Systemd(run).start_later(unit_of(name), seconds, ["/bin/sh", place + "/restore"], description)
    except CommandError as error:
        shutil.rmtree(place)
        raise CheckpointError("No timer for the way back could be started, so %s was not changed: %s" % (name, error.said)) from None


def stop_timer(name: str, run: Runner) -> None:
    """Stop the timer of a checkpoint; one that has run out already is no error here."""
    Systemd(run).cancel(unit_of(name))


def confirm(name: str, run: Runner) -> None:
    """Keep the new state: stop the timer and forget the former files.

    Raises:
        CheckpointError: the timer was faster, and the former state is back.
    """
    place = place_of(name)
    stop_timer(name, run)
    if not is_pending(name) or os.path.exists(os.path.join(place, STARTED)):
        raise CheckpointError(
            "The confirmation of the change of %s came too late: the host has put back what was there before. Remedy: run again." % name
        )
    shutil.rmtree(place)


def discard(name: str, run: Runner) -> None:
    """Forget a checkpoint whose change was not made after all."""
    stop_timer(name, run)
    shutil.rmtree(place_of(name), ignore_errors=True)
