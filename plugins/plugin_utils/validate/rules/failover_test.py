# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the failover test."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import PORTS, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.vrf import any_vrf_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, address_problems, unit_problems

# Expressions of nftables (nft(8)) without what ends a rule, begins a block or a comment: each becomes the beginning of a rule that drops.
_MATCH = re.compile(r'[A-Za-z0-9@_.,:/=!<>&*" -]+')


def failover_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of the pairs whose tunnels are cut."""
    for path in host.root.views("failover_test_paths"):
        yield from any_vrf_reference(host, path)
        for key in ("source", "destination"):
            text = path.text(key)
            if text is not None:
                yield from address_problems(path.at(key), text)
        for tunnel in path.views("tunnels"):
            yield from _tunnel(tunnel)


def _tunnel(tunnel: View) -> Iterator[Problem]:
    name, unit = tunnel.text("name"), tunnel.text("unit")
    if name is not None:
        yield from name_problems(tunnel.at("name"), name)
    if unit is not None:
        yield from unit_problems(tunnel.at("unit"), unit)
    yield from tunnel.in_range("port", *PORTS)
    for place, text in tunnel.texts("match"):
        if not _MATCH.fullmatch(text):
            yield Problem(
                place, "is no expression of nftables", show(text), "write for example udp dport 4500, without braces, semicolons and #"
            )
