# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses and prefixes of an intent, each of the family that its key says."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Address, AddressError, Prefix, parse_address, parse_prefix
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import TITLE, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show


def read_address(text: str | None, family: str, path: Place, problems: Findings) -> Address | None:
    """Return an address, or None for one that is not given or wrong.

    Parameters:
        text: as written.
        family: ``ipv4`` or ``ipv6``.
        path: where it stands.
        problems: gets what is wrong with it.
    """
    if text is None:
        return None
    try:
        address = parse_address(text)
    except AddressError as error:
        problems.add(Problem(path, str(error)))
        return None
    if address.version != VERSION[family]:
        problems.add(Problem(path, f"is no {TITLE[family]} address", show(text)))
        return None
    return address


def read_prefix(text: str | None, family: str, path: Place, problems: Findings) -> Prefix | None:
    """Return a prefix, or None for one that is not given or wrong. Parameters as of `read_address`."""
    if text is None:
        return None
    try:
        prefix = parse_prefix(text)
    except AddressError as error:
        problems.add(Problem(path, str(error)))
        return None
    if prefix.version != VERSION[family]:
        problems.add(Problem(path, f"is no {TITLE[family]} prefix", show(text)))
        return None
    return prefix
