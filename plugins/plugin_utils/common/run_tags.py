# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may not be left out of a run by its tags."""

from __future__ import annotations

from collections.abc import Iterable

ALWAYS = "always"


def needs_always(hosts: str, skipped: Iterable[str]) -> str:
    """Return the hosts of a play as they are.

    Ansible asks for them whatever tags are chosen, and before it does anything: no task could stand here that ``--skip-tags`` does not leave out.

    Parameters:
        hosts: the play's.
        skipped: the tags that a run leaves out.

    Raises:
        ValueError: tag ``always`` is among them. Ansible would leave out, without a word, what finds the plan, takes the hosts and looks into the roles.
    """
    if ALWAYS in skipped:
        raise ValueError(
            "--skip-tags always would leave out the plan, the check of the variables, and most roles, as their own tags are looked at within them. "
            "Nothing was done. Remedy: name the roles or steps that are to be left out, such as --skip-tags frr, or those that are to run with --tags"
        )
    return hosts
