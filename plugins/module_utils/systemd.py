# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""systemd through its own programs: systemctl, systemd-run and journalctl."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.xuegao.net.plugins.module_utils.commands import Runner, output

# States of a unit that runs, or is about to.
RUNNING = ("active", "activating", "reloading")


def property_blocks(text: str) -> list[dict[str, str]]:
    """Read `systemctl show UNIT...`: the properties of each unit, in the order asked for."""
    blocks: list[dict[str, str]] = [{}]
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            blocks[-1][name] = value
        elif not line.strip() and blocks[-1]:
            blocks.append({})
    return [block for block in blocks if block]


def show_command(units: Sequence[str], *names: str) -> list[str]:
    """Give the command that shows the named properties of units, in blocks that `property_blocks` reads; of the manager itself where there is no unit."""
    return ["systemctl", "show", "--property=" + ",".join(names), *units]


def has_systemd(find: Callable[[str], str | None]) -> bool:
    """Say whether a host has systemd's programs; a plain container has none. find: AnsibleModule.get_bin_path."""
    return find("systemctl") is not None


def instance_of(unit: str) -> str:
    """Give the instance of a unit of a template: what stands between ``@`` and the suffix."""
    return unit.partition("@")[2].rpartition(".")[0]


class Systemd:
    """The host's service manager. run: runs a command."""

    def __init__(self, run: Runner) -> None:
        self.run = run

    def attempt(self, *arguments: str) -> tuple[int, str]:
        """Run systemctl; return its exit status and what it said."""
        status, out, err = self.run(["systemctl", *arguments])
        return status, (err or out).strip()

    def do(self, *arguments: str) -> None:
        """Run systemctl. Raises CommandError when it fails."""
        output(self.run, "systemctl", *arguments)

    def properties(self, units: Sequence[str], *names: str) -> dict[str, dict[str, str]]:
        """Give the named properties by unit; a unit that does not exist has them, too. Raises CommandError."""
        if not units:
            return {}
        text = output(self.run, *show_command(units, *names))
        return dict(zip(units, property_blocks(text)))

    def settled(
        self, units: Sequence[str], written: bool, dry_run: bool, others: Sequence[str] = ()
    ) -> tuple[dict[str, dict[str, str]], list[str]]:
        """Take masks off units and let systemd read definitions that it has not read.

        written: the caller has just written one. others: units that are only to be read. dry_run: only say so. Returns ActiveState, UnitFileState
        and MainPID by unit after that, and what was (or would be) done, in words. Raises CommandError.
        """
        names, shown = [*units, *others], ("LoadState", "ActiveState", "UnitFileState", "MainPID", "NeedDaemonReload")
        states = self.properties(names, *shown)
        masked = [name for name in units if states.get(name, {}).get("LoadState") == "masked"]
        stale = [name for name in names if states.get(name, {}).get("NeedDaemonReload") == "yes"]
        done = ["%s: unmask" % name for name in masked]
        # What was just written has been told by who wrote it.
        done += [] if written else ["%s: read its definition again" % name for name in stale]
        if dry_run or not (masked or stale or written):
            return states, done
        for name in masked:
            self.do("unmask", "--quiet", name)
            # A mask until the next boot lies elsewhere.
            self.do("unmask", "--quiet", "--runtime", name)
        self.do("daemon-reload")
        return self.properties(names, *shown), done

    def main_pid(self, unit: str) -> str:
        """Give the number of a unit's main process, ``0`` while it does not run; empty where systemd does not answer."""
        return self.run(["systemctl", "show", "--property=MainPID", "--value", unit])[1].strip()

    def is_active(self, unit: str) -> bool:
        """Say whether a unit runs."""
        return self.run(["systemctl", "is-active", "--quiet", unit])[0] == 0

    def is_enabled(self, unit: str) -> bool:
        """Say whether a unit starts at boot because somebody enabled it."""
        return self.run(["systemctl", "is-enabled", unit])[1].strip() == "enabled"

    def journal(self, unit: str, lines: int) -> str:
        """Give the last messages of a unit, without times."""
        command = ["journalctl", "--no-pager", "--lines=%d" % lines, "--output=cat", "--unit=" + unit]
        return self.run(command)[1].strip()

    def start_later(self, unit: str, seconds: int, command: Sequence[str], description: str) -> None:
        """Run a command after some seconds unless `cancel` is called before. unit: name of the transient units, without suffix. Raises CommandError."""
        transient = ["systemd-run", "--quiet", "--collect", "--unit=" + unit, "--on-active=%ds" % seconds]
        options = ["--timer-property=AccuracySec=100ms", "--description=" + description]
        output(self.run, *transient, *options, *command)

    def cancel(self, unit: str) -> bool:
        """Stop the timer of `start_later`; return whether there was one to stop."""
        return self.run(["systemctl", "stop", unit + ".timer"])[0] == 0
