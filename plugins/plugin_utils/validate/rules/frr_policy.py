# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for prefix lists, route maps and BFD profiles, and for references to them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, EVERYTHING, FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import FAMILY_DEFAULT, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.frr_bgp_lists import SEQ_MAX, sequence_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    View,
    line_problems,
    network_problems,
    parse_interface,
    twice,
    unit_problems,
    word_problems,
)

_HOST_NAME_LENGTH = 255  # lib/command.h
_NAME_LENGTH = 128
_PROFILE_NAME_LENGTH = 64  # yang/frr-bfdd.yang
_INTERVAL = (10, 4294967)  # ms; bfdd/bfdd_cli.c
_PREFIX_LIST = re.compile(r"\b(ip|ipv6)\s+(?:address|next-hop|route-source)\s+prefix-list\s+(\S+)")
_EXAMPLES = {"ipv4": "10.0.0.0/8", "ipv6": "2001:db8::/32"}


def policy_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of FRR's prefix lists, route maps and BFD profiles, and of the names it is given."""
    for prefix_list in host.root.views("frr_prefix_lists"):
        yield from _prefix_list(prefix_list)
    lists = [(view.at("name"), name, _family(view)) for view in host.root.views("frr_prefix_lists") if (name := view.text("name"))]
    for family in FAMILY.values():
        yield from twice(((path, name) for path, name, of in lists if of == family), f"name of an {family} prefix list")
    defined = {family: list(dict.fromkeys(name for _path, name, of in lists if of == family)) for family in FAMILY.values()}
    for route_map in host.root.views("frr_route_maps"):
        yield from _route_map(route_map, defined)
    yield from twice(((view.at("name"), name) for view in host.root.views("frr_route_maps") if (name := view.text("name"))), "name")
    for profile in host.root.views("frr_bfd_profiles"):
        yield from _bfd_profile(profile)
    yield from twice(((view.at("name"), name) for view in host.root.views("frr_bfd_profiles") if (name := view.text("name"))), "name")
    hostname = host.root.text("frr_hostname")
    if hostname is not None:
        yield from word_problems(host.root.at("frr_hostname"), hostname, "host", _HOST_NAME_LENGTH)
        if hostname and not (hostname[0].isascii() and hostname[0].isalnum()):
            yield host.root.problem("frr_hostname", "does not begin with a letter or digit", "FRR refuses it")
    for path, unit in host.root.texts("frr_after_units"):
        yield from unit_problems(path, unit)


def names_of(host: Host, variable: str) -> dict[str, None]:
    """Return the names in a list of named dictionaries, in order; a dictionary for fast look-ups."""
    return dict.fromkeys(name for view in host.root.views(variable) if (name := view.text("name")))


def reference(view: View, key: str, noun: str, defined: dict[str, None]) -> Iterator[Problem]:
    """Report a name that is not defined.

    Parameters:
        view, key: where the name stands.
        noun: what it names, for example ``route map``.
        defined: the names that exist.
    """
    name = view.text(key)
    if name is not None and name not in defined:
        yield unknown(view.at(key), f"{noun} {show(name)} is not defined", name, defined, f"defined {noun}s")


def _family(view: View) -> str:
    return view.text("family") or FAMILY_DEFAULT


def _prefix_list(prefix_list: View) -> Iterator[Problem]:
    name = prefix_list.text("name")
    if name is not None:
        yield from word_problems(prefix_list.at("name"), name, "prefix list", _NAME_LENGTH)
    yield from sequence_problems(prefix_list, SEQ_MAX)
    for entry in prefix_list.views("entries"):
        prefix = entry.text("prefix")
        if prefix == "any":
            for key in ("ge", "le"):
                if entry.given(key):
                    yield entry.problem(
                        key, "does not go with 'any', which matches every length", f"write prefix: {_any(_family(prefix_list))}"
                    )
        elif prefix is not None:
            yield from _prefix(entry, prefix, _family(prefix_list))


def _any(family: str) -> str:
    return EVERYTHING.get(family, EVERYTHING["ipv4"])


def _prefix(entry: View, prefix: str, family: str) -> Iterator[Problem]:
    yield from network_problems(entry.at("prefix"), prefix, _EXAMPLES.get(family, _EXAMPLES["ipv4"]))
    parsed = parse_interface(prefix)
    if parsed is None:
        return
    if FAMILY[parsed.version] != family:
        yield entry.problem("prefix", f"is not an {family} prefix", f"set family: {FAMILY[parsed.version]} on the prefix list")
        return
    length, longest = parsed.network.prefixlen, BITS[parsed.version]
    ge, le = entry.number("ge"), entry.number("le")
    # lib/filter_nb.c: mask length <= ge <= le
    if ge is not None and not length <= ge <= longest:
        yield entry.problem("ge", f"is impossible for {prefix}", f"valid: {length} to {longest}")
    if le is not None and not length <= le <= longest:
        yield entry.problem("le", f"is impossible for {prefix}", f"valid: {length} to {longest}")
    if ge is not None and le is not None and ge > le:
        yield entry.problem("ge", "is greater than le, so nothing matches", f"{ge} > {le}")


def _route_map(route_map: View, prefix_lists: dict[str, list[str]]) -> Iterator[Problem]:
    name = route_map.text("name")
    if name is not None:
        yield from word_problems(route_map.at("name"), name, "route map", _NAME_LENGTH)
    yield from sequence_problems(route_map, 65535)
    for entry in route_map.views("entries"):
        description = entry.text("description")
        if description is not None:
            yield from line_problems(entry.at("description"), description)
        for path, text in entry.texts("match") + entry.texts("set"):
            yield from line_problems(path, text)
            word = text.split(maxsplit=1)[0] if text.split() else ""
            if word in ("match", "set"):
                yield Problem(path, f"repeats the word {word!r}, which the key says already", show(text), f"leave out {word!r}")
        for path, text in entry.texts("match"):
            found = _PREFIX_LIST.search(text)
            if found:
                family = FAMILY[4] if found[1] == "ip" else FAMILY[6]
                defined = prefix_lists[family]
                if found[2] not in defined:
                    message = f"{family} prefix list {show(found[2])} is not defined"
                    yield unknown(path, message, found[2], defined, f"defined {family} prefix lists")


def _bfd_profile(profile: View) -> Iterator[Problem]:
    name = profile.text("name")
    if name is not None:
        yield from word_problems(profile.at("name"), name, "BFD profile", _PROFILE_NAME_LENGTH)
    yield from profile.in_range("detect_multiplier", 1, 255)
    yield from profile.in_range("receive_interval", *_INTERVAL, " ms")
    yield from profile.in_range("transmit_interval", *_INTERVAL, " ms")
