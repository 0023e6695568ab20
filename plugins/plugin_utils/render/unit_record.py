# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a unit records what its daemon reads, for module `units` to compare with."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.xuegao.net.plugins.module_utils.loaded import RECORDS


def record_command(paths: Iterable[str]) -> str:
    """Return a command for ``ExecStartPre=`` or ``ExecReload=`` of a unit that records the digests of files. It never fails.

    Parameters:
        paths: absolute, without spaces and quotes. One that is missing is left out of the record.
    """
    return f"+/bin/sh -c 'umask 077; mkdir -p {RECORDS}; sha256sum {' '.join(paths)} >{RECORDS}/%n 2>/dev/null; :'"
