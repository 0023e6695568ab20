# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Commands of the host, and what they say when they fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# Runs a command and returns exit status, output and errors, as AnsibleModule.run_command does.
Runner = Callable[[list[str]], tuple[int, str, str]]


class CommandError(Exception):
    """A command failed; the text is the command line and what it said. said: the latter alone."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__("%s: %s" % (" ".join(command), said))
        self.said = said


def output(run: Runner, *command: str) -> str:
    """Give the output of a command that must succeed.

    Raises:
        CommandError: its exit status is not 0.
    """
    status, out, err = run(list(command))
    if status != 0:
        raise CommandError(command, (err or out).strip())
    return out
