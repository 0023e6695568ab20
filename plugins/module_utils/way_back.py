# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The way back from a run's changes: armed by the first of them, moved by each module call, confirmed over a new connection. See docs/decisions/0024.

What is kept, and how it is restored, is in `way_back_program`, which this puts on the host.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import shutil
import sys
import threading
import uuid
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program
from ansible_collections.xuegao.net.plugins.module_utils.files import sync_directory, write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.run_lock import renew
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd

# Of every module that changes a host; its documentation is the fragment xuegao.net.way_back.
OPTIONS: dict[str, Any] = {
    "way_back_seconds": {"type": "int", "default": 0},
    "way_back_run": {"type": "str", "default": ""},
    "lock_run": {"type": "str", "default": ""},
}
FACT = "xgn_way_back"
# A module that hangs must not hold the way back for ever.
MODULE_MAX_S = 900.0
RESERVE_BYTES = 4 << 20

_UNIT = """\
# Written by Ansible (xuegao.net), while the changes of a run are not confirmed.
[Unit]
Description=Restore the files of before an unconfirmed run
DefaultDependencies=no
RequiresMountsFor=%(base)s
ConditionPathExists=%(base)s/armed/journal
ConditionPathExists=!%(run)s/deadline
After=local-fs.target
Before=sysinit.target systemd-sysctl.service systemd-networkd.service network-pre.target nftables.service xgn-firewall.service
Before=xgn-l2tp-guard.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=%(python)s %(base)s/program.py boot

[Install]
WantedBy=sysinit.target
"""


class WayBackError(Exception):
    """The way back could not be laid, so nothing was changed, or has been taken; the text says why."""


def unit_note(unit: str, stage: int) -> dict[str, Any]:
    """A unit that is about to be started, stopped, enabled or disabled. stage: of `way_back_program`, at which one that ran is started again."""
    return {"unit": unit, "stage": stage}


def command_note(stage: int, *command: str) -> dict[str, Any]:
    """A command that makes former files live, run at a stage of `way_back_program`."""
    return {"stage": stage, "command": list(command)}


def arm(module: AnsibleModule, seconds: int, run: str) -> None:
    """Lay the way back. run: what an earlier call of this run was told, if there was one.

    The order lets a death at any point leave either nothing or all of it: the directory of what is kept gets its name last, when somebody waits already.

    Raises:
        WayBackError: something of it does not work; nothing is left.
    """
    report = json.loads(program.read(os.path.join(program.tried(), "report.json")) or b"{}")
    if run and report.get("run") == run:
        # Said once: that call ends the run on this host.
        program.replace(os.path.join(program.tried(), "report.json"), json.dumps({**report, "run": "", "told": run}).encode("utf-8"), 0o600)
        raise WayBackError(
            "in the middle of this run the host has restored what was there before, since nothing was heard of the controller for too long. Remedy: "
            "raise xgn_way_back_seconds, then run again. What was tried lies in %s" % program.tried()
        )
    os.makedirs(program.BASE, mode=0o700, exist_ok=True)
    os.chmod(program.BASE, 0o700)
    draft = program.armed() + ".draft"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        os.makedirs(os.path.join(draft, "files"), mode=0o700)
        reserve(os.path.join(draft, program.RESERVE))
        found = {**program.take_snapshot(functools.partial(run_where_installed, module)), "seconds": seconds, "run": uuid.uuid4().hex}
        write_atomically(os.path.join(draft, "snapshot.json"), json.dumps(found), 0o600)
        write_atomically(os.path.join(draft, "journal"), "", 0o600)
        write_atomically(os.path.join(program.BASE, "program.py"), inspect.getsource(program), 0o700)
        words = {"python": sys.executable, "base": program.BASE, "run": program.RUN}
        unit = os.path.join(program.UNITS, program.BOOT_UNIT)
        write_atomically(unit, _UNIT % words, 0o644)
        wants = os.path.join(program.UNITS, program.BOOT_WANTED_BY)
        os.makedirs(wants, mode=0o755, exist_ok=True)
        if not os.path.lexists(os.path.join(wants, program.BOOT_UNIT)):
            os.symlink(unit, os.path.join(wants, program.BOOT_UNIT))
        sync_directory(wants)
        program.set_deadline(seconds)
        wait_on_the_host(module)
        os.rename(draft, program.armed())
        sync_directory(program.BASE)
    except OSError as error:
        _clear(draft)
        raise WayBackError("what is there cannot be kept for a way back, so nothing was changed: %s" % error) from error
    except WayBackError:
        _clear(draft)
        raise
    shutil.rmtree(program.tried(), ignore_errors=True)


def reserve(path: str) -> None:
    """Take room on the disk that a restoring gives back first: what fills the disk meanwhile must not hold it up. Raises OSError when there is none."""
    with open(path, "wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, RESERVE_BYTES)
        os.fsync(stream.fileno())


def _clear(draft: str) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    program.forget()


def run_where_installed(module: AnsibleModule, command: list[str]) -> tuple[int, str, str]:
    """Run a command where its program is installed."""
    if module.get_bin_path(command[0]) is None:
        return 127, "", "%s is not installed" % command[0]
    status, out, err = module.run_command(command)
    return int(status), str(out), str(err)


def somebody_waits() -> bool:
    """Say whether the program waits on this host, without starting a process."""
    try:
        pid = int(program.read(os.path.join(program.RUN, "waiting")) or b"")
    except ValueError:
        return False
    return b"program.py\0wait" in (program.read("/proc/%d/cmdline" % pid) or b"")


def wait_on_the_host(module: AnsibleModule) -> None:
    """Start the program that waits for the deadline. Raises WayBackError."""
    remedy = "Remedy: see why systemd-run fails, or set xgn_way_back_seconds: 0 to change this host without a way back."
    if module.get_bin_path("systemd-run") is None:
        raise WayBackError("there is no systemd-run to start a timer for the way back with, so nothing was changed. " + remedy)
    Systemd(module.run_command).attempt("stop", program.SERVICE)
    command = [
        "systemd-run",
        "--quiet",
        "--collect",
        "--unit=" + program.SERVICE,
        "--property=Restart=on-failure",
        "--property=RestartSec=2",
    ]
    command += ["--property=StartLimitIntervalSec=0", "--description=Restores what was there before an unconfirmed run"]
    status, out, err = module.run_command([*command, sys.executable, os.path.join(program.BASE, "program.py"), "wait"])
    if status:
        raise WayBackError("no timer for the way back could be started, so nothing was changed: %s. %s" % ((err or out).strip(), remedy))


def left_armed() -> dict[str, Any]:
    """What an earlier run has left to confirm, as the fact that has this run confirm it, though it may change nothing; empty when there is nothing.

    This run gets the time that it may take until then.
    """
    if not os.path.isdir(program.armed()) or program.is_restoring():
        return {}
    snapshot = program.snapshot()
    seconds = int(snapshot.get("seconds", 0))
    program.set_deadline(max(seconds, MODULE_MAX_S))
    return {"armed": True, "seconds": seconds, "run": snapshot.get("run", "")}


class WayBack:
    """The way back as one module call sees it. seconds: until the host restores by itself, 0 arms none; one that is armed already is kept to."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.seconds: int = module.params.get("way_back_seconds") or 0
        self.armed_here = False
        self._ready = False
        self._over = threading.Event()
        if not module.check_mode:
            renew(module.params.get("lock_run") or "")
        if not module.check_mode and os.path.isdir(program.armed()) and not program.is_restoring():
            # Each call says that the run goes on, also one that finds nothing to change: others may make this host wait.
            self._hold(max(self.seconds, int(program.snapshot().get("seconds", 0))))

    @classmethod
    def of(cls, module: AnsibleModule) -> WayBack:
        """The one of a module call."""
        found: WayBack | None = getattr(module, "xgn_way_back", None)
        if found is None:
            found = cls(module)
            module.xgn_way_back = found
        return found

    def _hold(self, seconds: int) -> None:
        """Put the end off while this call works: each time by that many seconds, and never to an earlier moment than has been said."""

        def put_off() -> None:
            renew(self.module.params.get("lock_run") or "")
            if os.path.isdir(program.armed()) and not program.is_restoring():
                program.set_deadline(max(seconds, (program.deadline() or 0) - program.clock()))

        def move() -> None:
            began = program.clock()
            while not self._over.wait(max(seconds / 4, 0.2)) and program.clock() - began < MODULE_MAX_S:
                put_off()

        # At once: a call may be over before a thread has begun.
        put_off()
        threading.Thread(target=move, daemon=True).start()

    def keep(self, path: str) -> None:
        """Keep a file as it is, before its first change of a run; that there is none is kept, too. Fails the module where that cannot be done."""
        if not self._begin() or any(entry.get("file") == path for entry in program.journal()):
            return
        entry: dict[str, Any] = {"file": path, "saved": None}
        try:
            content = None if os.path.islink(path) else program.read(path)
            if os.path.islink(path):
                # Not what it leads to: a masked unit leads to /dev/null.
                entry["link"] = os.readlink(path)
            if content is not None:
                status = os.stat(path)
                entry.update(mode=status.st_mode & 0o7777, uid=status.st_uid, gid=status.st_gid)
                entry["saved"] = "%06d" % len(os.listdir(os.path.join(program.armed(), "files")))
                # Read by root alone, whatever it is in its own place.
                program.replace(os.path.join(program.armed(), "files", entry["saved"]), content, 0o600)
            self._append([entry])
        except OSError as error:
            self._fail(path, error)

    def note(self, *notes: dict[str, Any]) -> None:
        """Note what is about to be changed live; what is noted already is not noted twice. Fails the module where that cannot be done."""
        if not self._begin():
            return
        known = program.journal()
        try:
            self._append([note for note in notes if note not in known])
        except OSError as error:
            self._fail("the journal", error)

    def note_setting(self, path: str, value: str) -> None:
        """Note the value of a kernel setting that is about to be changed."""
        if self._begin() and not any(entry.get("sysctl") == path for entry in program.journal()):
            self.note({"sysctl": path, "value": value})

    def text(self, name: str, text: str) -> str:
        """Keep a text for a step; returns its path, that nothing is at when no way back is armed."""
        path = os.path.join(program.armed(), name)
        if self._begin():
            try:
                program.replace(path, text.encode("utf-8"), 0o600)
            except OSError as error:
                self._fail(path, error)
        return path

    @property
    def has_begun(self) -> bool:
        """Whether there is a way back from what this call changes."""
        return self._ready

    def give_up(self) -> None:
        """Forget the way back when this call has armed it, and has undone its change itself."""
        if self.armed_here:
            disarm(self.module)
            self.armed_here = self._ready = False
            self._over.set()

    def _fail(self, what: str, error: OSError) -> None:
        self.module.fail_json(
            msg="%s cannot be kept for a way back, so it was not changed: %s. What was kept before is intact."
            % (what, error.strerror or error)
        )

    def _append(self, entries: list[dict[str, Any]]) -> None:
        """Write to the journal what outlives a power cut from here on; all of it or, when the disk is full, nothing. Raises OSError."""
        text = "".join(json.dumps(entry) + "\n" for entry in entries).encode("utf-8")
        if not text:
            return
        with open(os.path.join(program.armed(), "journal"), "r+b") as stream:
            content = stream.read()
            # What a death left of a line.
            end = content.rfind(b"\n") + 1
            try:
                stream.truncate(end)
                stream.seek(end)
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                os.truncate(stream.fileno(), end)
                raise

    def _begin(self) -> bool:
        """Arm before the first change, or go on with what is armed; returns whether there is a way back. Fails the module where it must not change."""
        there = os.path.isdir(program.armed())
        if there and program.is_restoring():
            if not somebody_waits():
                # One that broke off: it is gone on with.
                wait_on_the_host(self.module)
            self.module.fail_json(msg="the host is restoring what was there before unconfirmed changes; run again when it has done so")
        if self._ready:
            if not there:
                self.module.fail_json(msg="the host has restored what was there before, since nobody confirmed the changes in time")
            return True
        if self.seconds <= 0 and not self.module.params.get("way_back_run"):
            if there:
                self.module.fail_json(
                    msg="this host has changes of another run that nobody has confirmed, and nothing is changed beside them. Remedy: run playbook "
                    "xuegao.net.site, which confirms, or wait until the host has restored what was there before"
                )
            return False
        if not there and self.seconds <= 0:
            return False
        try:
            if not there:
                arm(self.module, self.seconds, self.module.params.get("way_back_run") or "")
                self.armed_here = True
            else:
                # Kept is the last state that was confirmed: of another run, too.
                self.seconds = max(self.seconds, int(program.snapshot().get("seconds", 0)))
                program.set_deadline(self.seconds)
                if not somebody_waits():
                    wait_on_the_host(self.module)
        except WayBackError as error:
            self.module.fail_json(msg=str(error))
        self._ready = True
        self._tell()
        return True

    def _tell(self) -> None:
        """Keep moving the deadline while this module works, and say in its result that there is something to confirm."""
        module, finish, fail = self.module, self.module.exit_json, self.module.fail_json

        def over() -> None:
            self._over.set()
            if self._ready and os.path.isdir(program.armed()) and not program.is_restoring():
                program.set_deadline(self.seconds)

        def exit_json(**result: Any) -> None:
            over()
            armed = {"armed": self._ready, "seconds": self.seconds, "run": program.snapshot().get("run", "")}
            finish(**{**result, "ansible_facts": {**result.get("ansible_facts", {}), FACT: armed}})

        def fail_json(msg: str, **result: Any) -> None:
            over()
            if self._ready:
                msg += (
                    "\nThe changes of this run are not confirmed: unless it is run again within %d s, the host restores what was there before."
                    % self.seconds
                )
            fail(msg=msg, **result)

        module.exit_json = exit_json
        module.fail_json = fail_json
        if self.armed_here:
            self._hold(self.seconds)


def disarm(module: AnsibleModule) -> None:
    """Keep what is, and forget what was.

    Raises:
        WayBackError: the host restores already, or has done so.
    """
    late = "the confirmation came too late: the host has restored what was there before. What was tried lies in %s" % program.tried()
    with program.locked(wait=False) as free:
        if not free or not os.path.isdir(program.armed()) or program.is_restoring():
            raise WayBackError(late)
        program.forget()
    Systemd(module.run_command).attempt("stop", program.SERVICE)
