# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One nftables table, live and as declared, both in the words of the kernel. Serves module ``nft_table`` and the reading of the live state."""

from __future__ import annotations

import re

from ansible_collections.xuegao.net.plugins.module_utils.commands import Runner

# A network namespace of its own takes the rules and is gone with the shell. Without counters (-s) the listing is the same at any time.
_IN_A_NAMESPACE = 'nft -f "$1" && nft -s list table $2'


# A set as it is listed, and what is in it.
_SET = re.compile(r"^\tset \S+ \{\n.*?^\t\}\n", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"^\t\telements = \{.*?\}\n", re.MULTILINE | re.DOTALL)


class NftError(Exception):
    """nft refused; the text is what it said."""


def _declared_part(listing: str) -> str:
    """Return a listing without what packets have put into sets, such as who has connected how often."""
    return _SET.sub(lambda found: _ELEMENTS.sub("", found[0]) if "flags dynamic" in found[0] else found[0], listing)


def live_table(name: str, run: Runner) -> str:
    """Return the listing of a live table, or an empty string when there is none.

    Parameters:
        name: family and name, such as ``inet xgn``.
        run: runs a command.

    Raises:
        NftError: the rules cannot be read.
    """
    status, out, err = run(["nft", "-s", "list", "table", *name.split()])
    if status == 0:
        return _declared_part(out)
    if "No such file or directory" in err:
        return ""
    raise NftError((err or out).strip())


def table_of_file(path: str, name: str, run: Runner) -> str:
    """Return the listing that a table will have once the file is loaded: it is loaded into an empty network namespace and listed there.

    Raises:
        NftError: the file is refused.
    """
    status, out, err = run(["unshare", "--net", "sh", "-c", _IN_A_NAMESPACE, "sh", path, name])
    if status:
        raise NftError((err or out).strip())
    return out
