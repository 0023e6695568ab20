# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A pool that becomes another one: who would get another address by it, and how the pool can grow without that.

A number in the plan counts from the pool's first address. A pool that begins where it began, and is larger, renumbers nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import Prefix, parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, TITLE
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem

_YES = "--extra-vars xgn_interrupt=true"
_LISTED = 3
# Where an address is written that is not to come from a pool.
_WRITTEN = {
    "links": "with ipv4 or ipv6 at both ends",
    "loopbacks": "under loopback of the node",
    "networks": "with address or address6 of the network",
}


@dataclass(frozen=True, slots=True)
class Move:
    """An address that a pool gives, and that would become another one.

    Attributes:
        place: the pools, one a family.
        family: ``ipv4`` or ``ipv6``.
        what: what has the address, in words.
        number: which subnet or address of the pool it is.
        old, new: with the prefix length.
        length: of what the pool is divided into, in bits.
        pool: what the intent says now.
    """

    place: Place
    family: str
    what: str
    number: int
    old: str
    new: str
    length: int
    pool: Prefix


def changed_pools(moves: Iterable[Move]) -> list[list[Move]]:
    """Return what moves of each pool that changed. Where something of a pool stays where it was, the others have other ids, and the pool is the same."""
    pools: dict[tuple[Place, str], list[Move]] = defaultdict(list)
    for move in moves:
        pools[move.place, move.family].append(move)
    return [same for same in pools.values() if all(move.old != move.new for move in same)]


def pool_problem(moves: list[Move]) -> Problem:
    """Return the mistake of a pool that would renumber what is there, with the way to do without."""
    move = moves[0]
    shown = "; ".join(f"{item.what} {item.old} becomes {item.new}" for item in moves[:_LISTED])
    more = f"; and {len(moves) - _LISTED} more" if len(moves) > _LISTED else ""
    what = f"gives others than the addresses in use: {shown}{more}"
    hint = f"{_way(moves)}. To renumber all the same, which interrupts what runs over them: {_YES}"
    return Problem(move.place.at(move.family), what, str(move.pool), hint)


def _way(moves: list[Move]) -> str:
    """Return how the pool could be larger and renumber nobody."""
    move, kind = moves[0], str(moves[0].place.keys[-1])
    family, bits = TITLE[move.family], BITS[move.pool.version]
    others = f"what has no place in it gets its {family} address written, {_WRITTEN[kind]}"
    if any(parse_address(item.old).length != item.length for item in moves):
        return f"keep {move.place}.{move.family}_prefix: {parse_address(move.old).length}"
    starts = {parse_address(item.old).prefix.value - (item.number << bits - item.length) for item in moves}
    if len(starts) > 1:
        # The numbers were others: more networks a node.
        return f"keep the pool and per_node as they were; {others}" if kind == "networks" else f"keep the pool as it was; {others}"
    (start,) = starts
    # The shortest prefix that begins there: its host bits are the zeros at the end of the address.
    shortest = bits - ((start & -start).bit_length() - 1) if start > 0 else 0
    length = max(shortest, move.pool.length)
    if start >= 0 and length <= move.length and 1 << move.length - length > max(item.number for item in moves):
        larger = Prefix(move.pool.version, start, length)
        return f"begin it where it began, as {larger} does: then nothing gets another address" + (
            "" if length == move.pool.length else f"; no larger one begins there, and {others}"
        )
    return f"keep the pool as it was; {others}"
