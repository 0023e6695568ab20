#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gobgp_route
short_description: Steering routes of a GoBGP box
version_added: 0.1.0
description:
  - Advertises and withdraws routes of a host that role C(gobgp) made a steering box, over gRPC with the client C(gobgp) on that host.
  - Every route is checked before the first is changed, and gobgpd's table is read back afterwards, since the client reports success also for
    routes that gobgpd does not take.
  - Routes that are not named are left alone.
  - While the health command of the box fails (role C(gobgp)), a route is only written down, and advertised when the command succeeds again.
author: xuegao.net maintainers (@xuegao)
options:
  routes:
    description: The routes. C(absent) looks at their prefixes only.
    type: list
    elements: dict
    default: []
    suboptions:
      prefix:
        description: IPv4 or IPv6 prefix, one of those the box may steer or a part of one.
        type: str
        required: true
      next_hop:
        description: Where the router sends the traffic. The box's own address, C(gobgp_next_hops), when not given.
        type: str
      local_pref:
        description: Local preference. It has to beat that of the plain path, which is 100 where nothing else was said.
        type: int
        default: 200
      med:
        description: Multi-exit discriminator; none when not given.
        type: int
      communities:
        description:
          - Communities as C(65503:100), or V(blackhole), V(no-advertise), V(no-export), V(no-export-subconfed) or V(no-peer).
        type: list
        elements: str
        default: []
      large_communities:
        description: Large communities as C(65503:1:100).
        type: list
        elements: str
        default: []
      persistent:
        description:
          - Advertise the route again when gobgpd starts again, also after a boot. Any other is gone with the daemon, and the traffic takes
            the plain path until somebody steers it again.
        type: bool
        default: false
  all:
    description: With C(absent), every steering route of the box.
    type: bool
    default: false
  state:
    description: Whether the routes are to be advertised or withdrawn.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - xuegao.net.attributes
"""

EXAMPLES = r"""
- name: Steer a prefix through this box
  xuegao.net.gobgp_route:
    routes:
      - {prefix: 192.0.2.0/25, communities: [no-export]}

- name: End all steering
  xuegao.net.gobgp_route:
    all: true
    state: absent
"""

RETURN = r"""
advertised:
  description: The routes in gobgpd's table after (or, in check mode, before) the call, one sentence each.
  returned: always
  type: list
  elements: str
held:
  description: Why nothing is advertised now although it is wanted; empty when it is.
  returned: always
  type: str
routers:
  description: The routers that have a session with this box now. Without any, nobody hears of a route; the module warns.
  returned: always
  type: list
  elements: str
started:
  description: When the module began, in seconds since 1970, for whoever wants to know how long it took until a router had the route.
  returned: always
  type: float
seconds:
  description: How long the change took, from the start of the module until gobgpd's table was read back.
  returned: always
  type: float
"""

import time
from ipaddress import ip_address, ip_network
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import steering
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module

LARGEST = 2**32 - 1


def problems_of(item: dict[str, Any], path: str, configured: dict[str, Any], wants_more: bool) -> list[str]:
    """Everything that is wrong with one route as given. wants_more: its attributes matter, not its prefix alone."""
    prefix = item["prefix"]
    try:
        network = ip_network(prefix)
    except ValueError as error:
        return ["%s.prefix: %r is not a prefix: %s" % (path, prefix, error)]
    if "/" not in prefix or str(network) != prefix:
        return ["%s.prefix: %r is not in canonical form; write %s" % (path, prefix, network)]
    # What may no longer be steered can still be withdrawn.
    if not wants_more:
        return []
    found = []
    if not steering.permitted(prefix, configured["prefixes"]):
        listed = ", ".join(configured["prefixes"]) or "none"
        found.append("%s.prefix: %s is outside of what this box may steer (gobgp_prefixes: %s)" % (path, prefix, listed))
    family = steering.family_of(prefix)
    next_hop = item["next_hop"] or configured["next_hops"].get(family)
    if next_hop is None:
        found.append("%s.next_hop: none is given, and gobgp_next_hops of the box has none for %s" % (path, family))
    else:
        found += next_hop_problems(next_hop, family, path)
    for key in ("local_pref", "med"):
        if item[key] is not None and not 0 <= item[key] <= LARGEST:
            found.append("%s.%s: %d is out of range; valid: 0 to %d" % (path, key, item[key], LARGEST))
    for text in item["communities"]:
        try:
            steering.community_number(text)
        except ValueError:
            names = ", ".join(sorted(steering.COMMUNITIES))
            found.append("%s.communities: %r is none; write two numbers up to 65535 as 65503:100, or one of %s" % (path, text, names))
    for text in item["large_communities"]:
        parts = text.split(":")
        if len(parts) != 3 or not all(part.isdecimal() and int(part) <= LARGEST for part in parts):
            found.append("%s.large_communities: %r is none; write three numbers up to %d as 65503:1:100" % (path, text, LARGEST))
    return found


def next_hop_problems(text: str, family: str, path: str) -> list[str]:
    """What is wrong with a next hop."""
    try:
        address = ip_address(text)
    except ValueError:
        return ["%s.next_hop: %r is not an address" % (path, text)]
    if "ipv%d" % address.version != family:
        return ["%s.next_hop: %s is not an %s address like the prefix" % (path, text, "IPv4" if family == "ipv4" else "IPv6")]
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        return ["%s.next_hop: %s is no address of a router" % (path, text)]
    return []


def route_of(item: dict[str, Any], configured: dict[str, Any]) -> dict[str, Any]:
    """A valid route as the files and `steering.live_route` write it."""
    route = {
        "prefix": item["prefix"],
        "next_hop": str(ip_address(item["next_hop"] or configured["next_hops"][steering.family_of(item["prefix"])])),
        "communities": [
            steering.community_text(number) for number in sorted({steering.community_number(text) for text in item["communities"]})
        ],
        "persistent": item["persistent"],
    }
    large = sorted({tuple(int(part) for part in text.split(":")) for text in item["large_communities"]})
    route["large_communities"] = ["%d:%d:%d" % values for values in large]
    route.update({key: item[key] for key in ("local_pref", "med") if item[key] is not None})
    return route


def report(live: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]]) -> list[str]:
    """The routes as sentences: those advertised, and those only wanted."""
    lines = []
    for prefix in sorted(live.keys() | wanted.keys()):
        if prefix in live:
            lines.append(steering.sentence({**live[prefix], "persistent": wanted.get(prefix, {}).get("persistent", False)}))
        else:
            lines.append(steering.sentence(wanted[prefix]) + " (not advertised)")
    return lines


def main() -> None:
    texts = {"type": "list", "elements": "str", "default": []}
    options = {
        "prefix": {"type": "str", "required": True},
        "next_hop": {"type": "str"},
        "local_pref": {"type": "int", "default": 200},
        "med": {"type": "int"},
        "communities": texts,
        "large_communities": texts,
        "persistent": {"type": "bool", "default": False},
    }
    module = host_module(
        argument_spec={
            "routes": {"type": "list", "elements": "dict", "default": [], "options": options},
            "all": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    started, began = time.time(), time.monotonic()
    try:
        result = run(module)
    except (steering.SteeringError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(started=started, seconds=round(time.monotonic() - began, 3), **result)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Check, compare, change. Returns the result. Raises SteeringError and OSError."""
    items, present = module.params["routes"], module.params["state"] == "present"
    configured = steering.settings()
    wrong = [problem for index, item in enumerate(items) for problem in problems_of(item, "routes[%d]" % index, configured, present)]
    prefixes = [item["prefix"] for item in items]
    wrong += ["routes: %s is given twice" % prefix for prefix in sorted({prefix for prefix in prefixes if prefixes.count(prefix) > 1})]
    if module.params["all"] and present:
        wrong.append("all: goes with state absent only")
    if wrong:
        module.fail_json(msg="These routes cannot be steered, and nothing was changed:\n" + "\n".join(wrong))
    # The families of the request first, so that nothing else delays it.
    families = {steering.family_of(prefix) for prefix in prefixes} if not module.params["all"] else set(steering.FAMILIES)
    with steering.locked():
        live, before = steering.advertised(families=families), steering.wanted_routes()
        wanted = dict(before)
        if present:
            wanted.update({item["prefix"]: route_of(item, configured) for item in items})
        else:
            for prefix in list({**wanted, **live}) if module.params["all"] else prefixes:
                wanted.pop(prefix, None)
        touched = set(prefixes) | ((live.keys() | before.keys()) if module.params["all"] else set())
        reason = steering.held(configured)
        target = {prefix: route for prefix, route in live.items() if prefix not in touched}
        if reason is None:
            target.update({prefix: wanted[prefix] for prefix in touched if prefix in wanted})
        pending = target.keys() != live.keys() or any(not steering.same(target[prefix], live[prefix]) for prefix in target)
        if not module.check_mode:
            if pending:
                steering.bring_in_line(target, live)
            if wanted != before:
                steering.keep_wanted(wanted)
        others = steering.advertised(families=set(steering.FAMILIES) - families)
    live.update(others)
    target.update(others)
    now = live if module.check_mode else target
    routers = steering.established()
    if present and not routers:
        module.warn(
            "No router has a session with this box, so its routes reach nobody. `gobgp --target unix://%s neighbor` says why."
            % steering.SOCKET
        )
    return {
        "routers": routers,
        "changed": pending or wanted != before,
        "advertised": report(now, {prefix: route for prefix, route in wanted.items() if prefix in now}),
        "held": reason or "",
        "diff": {
            "before_header": "steering routes",
            "after_header": "steering routes",
            "before": "".join(line + "\n" for line in report(live, before)),
            "after": "".join(line + "\n" for line in report(target, wanted)),
        },
    }


if __name__ == "__main__":
    main()
