# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The MTU of every link and segment, through whatever it is nested in, with the arithmetic kept for messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import nth_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import Fit, fit
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import ETHERNET_MTU, FAMILIES, mtu_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import LOOPBACK, MAIN_UPLINK, UPLINK, Intent, Link, Nowhere, Segment


def size_links(intent: Intent, problems: Findings) -> None:
    """Give every link its MTU, from what it travels over upwards. Adds what does not fit to the problems."""
    by_id = {link.id: link for link in intent.links}
    judged: set[int] = set()
    for over_loopbacks in (False, True):
        for link in intent.links:
            if over_loopbacks and link.options.over == LOOPBACK and not link.broken:
                _over_loopbacks(link, intent, problems)
        for link in intent.links:
            _size(link, by_id, [], judged, problems, intent)


def _size(link: Link, by_id: Mapping[int, Link], above: list[Link], judged: set[int], problems: Findings, intent: Intent) -> None:
    over = link.options.over
    if over == LOOPBACK or id(link) in judged:
        return
    judged.add(id(link))
    if over == UPLINK:
        if not link.broken:
            _size_over_uplinks(link, problems)
        return
    # What it travels over is judged though something else about it is wrong.
    below = by_id.get(over) if isinstance(over, int) and not intent.may_be_link(over) else None
    if below is None:
        # An id that no link has may be that of one that could not be read.
        if not (isinstance(over, int) and intent.may_be_link(over)):
            shown = show(over.written if isinstance(over, Nowhere) else over)
            problems.add(
                Problem(link.path.at("over"), "is neither 'uplink' nor 'loopback' nor the id of a link", shown, f"ids: {intent.link_ids()}")
            )
        link.broken = True
        return
    fault = _cannot_carry(link, below, above)
    if fault:
        problems.add(Problem(link.path.at("over"), fault, show(over)))
        link.broken = True
        return
    _size(below, by_id, [*above, link], judged, problems, intent)
    if below.broken or link.broken:
        link.broken = True
        return
    if not below.mtu:
        # It travels between the loopbacks, in the end, and is sized after all that may carry it there.
        judged.discard(id(link))
        return
    link.outer = link.options.family or (below.families[0] if below.families else "ipv4")
    for end in link.ends:
        under = next(item for item in below.ends if item.node is end.node)
        if link.outer in under.addresses:
            end.endpoint = under.addresses[link.outer].bare
    _settle_mtu(link, _inside(link, below.mtu, link.outer), problems)


def _size_over_uplinks(link: Link, problems: Findings) -> None:
    if not link.kind.tunnel:
        mtu = link.options.mtu if link.options.mtu is not None else ETHERNET_MTU
        link.mtu, link.arithmetic = mtu, str(mtu)
        problems.extend(mtu_problems(link.path.at("mtu"), mtu, link.families))
    elif any(end.unsure for end in link.ends):
        link.broken = True
    else:
        uplinks = [end.uplink.mtu for end in link.ends if end.uplink is not None]
        _settle_mtu(link, _inside(link, min(uplinks, default=ETHERNET_MTU), link.outer), problems)


def _cannot_carry(link: Link, below: Link, above: list[Link]) -> str:
    """Return why a link cannot travel over another one, empty when it can. Parameters: both, and the links that travel over the first."""
    if below is link or below in above:
        chain = " over ".join(str(item.id) for item in [*above, link, below])
        return f"runs in a circle: {chain}"
    if {end.node.name for end in below.ends} != {end.node.name for end in link.ends}:
        names = " and ".join(end.node.name for end in below.ends)
        return f"joins {names}, not the two nodes of this link"
    if not link.kind.tunnel and not (link.kind.tagged and below.kind.tunnel and below.kind.layer == 2):
        what = "Ethernet, which only a VXLAN carries" if link.kind.tagged else "a NIC"
        return f"is a link of type {below.type}; a link of type {link.type} needs {what}"
    return ""


def _over_loopbacks(link: Link, intent: Intent, problems: Findings) -> None:
    """A tunnel between loopbacks may take any path, so the smallest MTU of its VRF counts."""
    if not link.kind.tunnel:
        hint = f"a link of type {link.type} has no outer packets"
        problems.add(Problem(link.path.at("over"), "is for tunnels only", show("loopback"), hint))
        return
    # What speaks no routing protocol carries nothing between loopbacks.
    carriers = [
        item
        for item in intent.links
        if item is not link and item.vrf == link.vrf and item.mtu and item.routing != "none" and item.options.over != LOOPBACK
    ]
    family = link.options.family or "ipv4"
    for end in link.ends:
        if family in end.node.loopback:
            end.endpoint = end.node.loopback[family].bare
        elif not intent.loopback_in_doubt(end.node):
            problems.add(Problem(link.path.at("over"), f"{end.node.name} has no {family} loopback", show("loopback")))
    link.outer = family
    if not carriers and (intent.lost_links or any(item.broken for item in intent.links)):
        # It may be one that could not be read.
        link.broken = True
        return
    if not carriers:
        problems.add(Problem(link.path.at("over"), "there is no other link in this VRF to travel over", show("loopback")))
        return
    smallest = min(carriers, key=lambda item: (item.mtu, item.id))
    _settle_mtu(link, _inside(link, smallest.mtu, family), problems)


def _inside(link: Link, underlay: int, outer: str | None) -> Fit:
    layer = link.options.encapsulation
    if layer is None:
        return Fit(underlay, str(underlay))
    # Where peers roam the larger header counts, unless the family is fixed in the intent.
    return fit(underlay, layer, link.options.family if link.kind.roams else outer)


def _settle_mtu(link: Link, room: Fit, problems: Findings) -> None:
    wanted = link.options.mtu
    link.arithmetic = room.arithmetic
    link.mtu = wanted if wanted is not None else min(room.mtu, link.kind.largest_mtu or room.mtu)
    if wanted is not None and wanted > room.mtu:
        problems.add(Problem(link.path.at("mtu"), "does not fit the underlay", str(wanted), f"{room.arithmetic} is the most"))
    problems.extend(_floor_problems(link.path, link.mtu, link.families, "" if wanted is not None else room.arithmetic))


def _floor_problems(path: Place, mtu: int, families: Collection[str], arithmetic: str) -> Iterator[Problem]:
    """An MTU that is too small: at its key when it was written, else with its arithmetic at what it belongs to."""
    if arithmetic:
        yield from mtu_problems(path, mtu, families, arithmetic=arithmetic, title="an MTU of")
    else:
        yield from mtu_problems(path.at("mtu"), mtu, families)


def number_segment(segment: Segment, intent: Intent, problems: Findings) -> None:
    """Give a segment its MTU and its members their addresses. Adds what does not fit to the problems."""
    _size_segment(segment, intent, problems)
    for family, prefix in segment.prefixes.items():
        for node in segment.members:
            number = 1 if node is segment.gateway else node.id + 1
            if node.broken:
                continue
            # The last address of an IPv4 subnet is its broadcast address.
            if number > prefix.size - (2 if family == "ipv4" else 1):
                text = f"{node.name} would have number {node.id} + 1 = {number}"
                problems.add(Problem(segment.path.at(family), f"{prefix} holds {prefix.size} addresses; {text}", hint="enlarge the prefix"))
                continue
            segment.addresses.setdefault(node.name, {})[family] = nth_address(prefix, number)


def _size_segment(segment: Segment, intent: Intent, problems: Findings) -> None:
    uplinks = {node.name: segment.uplink_of(node) for node in segment.members}
    # One that the segment names and the member has not is told there.
    unnamed = [node for node in segment.members if node.name not in segment.options.uplinks]
    lacking = [node.name for node in unnamed if intent.misses_uplink(node, MAIN_UPLINK)]
    if lacking:
        problems.add(
            Problem(
                segment.path.at("members"),
                f"{', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no uplink",
                hint="a segment travels over the uplinks",
            )
        )
        return
    present = [uplink for uplink in uplinks.values() if uplink is not None and not uplink.unsure]
    if intent.reading.within(segment.path) or len(present) < len(uplinks):
        return
    common = [family for family in FAMILIES if all(family in uplink.addresses for uplink in present)]
    if present and not common:
        unknown = [uplink for uplink in present if uplink.learned]
        named = ", ".join(str(uplink.path) for uplink in unknown)
        hint = f"the members send to each other's addresses, and those of {named} only the hosts know" if unknown else ""
        problems.add(Problem(segment.path.at("members"), "no family that all uplinks have", hint=hint))
        return
    room = fit(min((uplink.mtu for uplink in present), default=ETHERNET_MTU), "vxlan", common[0] if common else "ipv4")
    wanted = segment.options.mtu
    segment.mtu = wanted if wanted is not None else min(room.mtu, ETHERNET_MTU)
    if wanted is not None and wanted > room.mtu:
        problems.add(Problem(segment.path.at("mtu"), "does not fit the underlay", str(wanted), f"{room.arithmetic} is the most"))
    problems.extend(_floor_problems(segment.path, segment.mtu, segment.prefixes, "" if wanted is not None else room.arithmetic))
