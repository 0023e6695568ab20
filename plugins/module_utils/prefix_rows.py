# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many prefixes in few words: subnets of one length that follow each other are written as their first and last, ``10.0.1.0/24-10.0.9.0/24``.

A spoke of a thousand sites learns a thousand subnets of one pool, and says so in one line. Pure, and for managed hosts: only Python's own library is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

# So many subnets one row has at most: a row is read whole.
LONGEST = 65536
# By version: the bits of an address, and what makes one of a number.
_BITS = {4: 32, 6: 128}
_KINDS = {4: IPv4Address, 6: IPv6Address}


def of_rows(rows: Iterable[str]) -> Iterator[str]:
    """Give the prefixes of rows, one by one, in canonical form. Raises ValueError when one is no prefix and no row; it says why."""
    for text in rows:
        yield from _of_row(text)


def _of_row(text: str) -> Iterator[str]:
    start, dash, end = text.partition("-")
    first = ip_network(start.strip())
    if not dash:
        yield str(first)
        return
    last = ip_network(end.strip())
    version, length = first.version, first.prefixlen
    if (version, length) != (last.version, last.prefixlen):
        raise ValueError("%s and %s are not of one length" % (first, last))
    step = 1 << (_BITS[version] - length)
    low, high = int(first.network_address), int(last.network_address)
    if high < low:
        raise ValueError("%s comes before %s" % (last, first))
    if (high - low) // step >= LONGEST:
        raise ValueError("more than %d subnets" % LONGEST)
    kind = _KINDS[version]
    for value in range(low, high + 1, step):
        yield "%s/%d" % (kind(value), length)
