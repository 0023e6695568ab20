# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for GRE tunnels (role gre)."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import GRE_KEYS, TTLS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import link_type
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.rules.underlay import (
    end_problems,
    made_problems,
    remote_problems,
    room_problems,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, parse_address, twice


def gre_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of GRE tunnels."""
    tunnels = host.root.views("gre_interfaces")
    yield from twice(((view.at("name"), name) for view in tunnels if (name := view.text("name"))), "name")
    # The kernel tells tunnels apart by ends and key.
    yield from twice(((view.path, words) for view in tunnels if (words := _identity(view))), "tunnel")
    for view in tunnels:
        yield from made_problems(host, view, "gre")
        yield from view.in_range("key", *GRE_KEYS)
        yield from view.in_range("ttl", *TTLS)
        yield from _ends(view)
        yield from room_problems(host, view, link_type("gre").encapsulation(view.data) or "")


def _identity(view: View) -> str | None:
    local, remote = parse_address(view.text("local")), parse_address(view.text("remote"))
    if local is None or remote is None:
        return None
    key = f"with key {view.number('key')}" if view.given("key") else "without a key"
    vrf = view.text("underlay_vrf")
    return f"{local} to {remote} {key}" + (f" in {vrf}" if vrf else "")


def _ends(view: View) -> Iterator[Problem]:
    for key in ("local", "remote"):
        text = view.text(key)
        if text is not None:
            yield from end_problems(view.at(key), text)
    remote = view.text("remote")
    if remote is not None:
        yield from remote_problems(view, view.at("remote"), remote)
    own = parse_address(view.text("local"))
    if own is not None and own.version == 6 and view.given("pmtudisc"):
        yield view.problem("pmtudisc", "belongs to tunnels over IPv4", "leave it out: no router fragments IPv6")
