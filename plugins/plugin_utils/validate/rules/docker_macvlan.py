# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for Docker: networks on a parent that fits, containers on a network with addresses that are free there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY, mac_problems, mtu_problems, name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import (
    IPAddress,
    IPNetwork,
    View,
    address_problems,
    network_problems,
    parse_address,
    parse_network,
    twice,
    unit_problems,
)

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")  # Docker's own, for containers and networks
_SIZE = re.compile(r"([0-9]+)([bkmg]?)\Z")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEAST_MEMORY = 6 << 20  # Docker refuses less
_RESERVED = ("bridge", "host", "none", "default")
# What keeps Docker away from the network: changed, it would bring its bridge and its rules back.
_OWN_KEYS = {"bridge": "none", "ip-forward": False, "ip6tables": False, "iptables": False}


def docker_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of Docker networks, containers, images and daemon settings."""
    root = host.root
    networks, containers = root.views("docker_macvlan_networks"), root.views("docker_macvlan_containers")
    for view in networks:
        yield from _network(host, view)
    for view in containers:
        yield from _container(view, networks)
    # Docker makes one macvlan network a parent, and refuses the second.
    yield from twice(((view.at("parent"), parent) for view in networks if (parent := view.text("parent"))), "parent")
    for noun, views in (("docker_macvlan_networks", networks), ("docker_macvlan_containers", containers)):
        yield from _names(views, noun == "docker_macvlan_networks")
    images = root.views("docker_macvlan_images")
    yield from twice(((view.at("name"), name) for view in images if (name := view.text("name"))), "name")
    for view in images:
        archive = view.text("archive")
        # Where a relative path begins differs between the tasks that use it.
        if archive is not None and not archive.startswith(("/", "~")):
            yield view.problem("archive", "is not an absolute path", f"write for example {{{{ inventory_dir }}}}/{archive}")
    yield from _taken(containers)
    for path, text in root.texts("docker_macvlan_after_units"):
        yield from unit_problems(path, text)
    daemon = root.data.get("docker_macvlan_daemon")
    for key, value in _OWN_KEYS.items():
        if isinstance(daemon, dict) and key in daemon and daemon[key] != value:
            path = Place.of("docker_macvlan_daemon", key)
            yield Problem(path, f"is not {show(value)}", show(daemon[key]), "Docker would change the host's network")
    if isinstance(daemon, dict) and "data-root" in daemon:
        yield Problem(Place.of("docker_macvlan_daemon", "data-root"), "has a variable of its own", hint="set docker_macvlan_data_root")


def _names(views: list[View], networks: bool) -> Iterator[Problem]:
    for view in views:
        name = view.text("name")
        if name is not None and not _NAME.match(name):
            yield view.problem("name", "is not a name that Docker takes", "two or more of A-Z a-z 0-9 _ . -, the first a letter or digit")
        elif networks and name in _RESERVED:
            yield view.problem("name", "is one of Docker's own networks", "choose another name")
    yield from twice(((view.at("name"), name) for view in views if (name := view.text("name"))), "name")


def _network(host: Host, view: View) -> Iterator[Problem]:
    parent, mtu = view.text("parent"), view.number("mtu")
    if parent is not None:
        yield from name_problems(view.at("parent"), parent)
        members = {name: item for item in host.root.views("vrf_interfaces") if (name := item.text("name"))}
        if parent in members and members[parent].text("bridge"):
            bridge = members[parent].text("bridge")
            yield view.problem("parent", f"is a port of {bridge}, and an interface cannot be both", f"use {bridge}")
        sized = [*(item for kind in TUNNELS if kind.layer == 2 for item in host.root.views(kind.variable)), *members.values()]
        found = next((item for item in sized if item.text("name") == parent and item.number("mtu") is not None), None)
        if found is not None and mtu is not None and found.number("mtu") != mtu:
            yield view.problem("mtu", f"differs from {found.at('mtu')}, which is {found.number('mtu')}", "macvlan takes the parent's MTU")
    subnets = view.views("subnets")
    if mtu is not None:
        families = [FAMILY[subnet.version] for item in subnets if (subnet := parse_network(item.text("subnet")))]
        yield from mtu_problems(view.at("mtu"), mtu, families)
    if view.data.get("subnets") == []:
        yield Problem(view.at("subnets"), "is empty", hint="a network has one subnet a family")
    versions: dict[int, Place] = {}
    for item in subnets:
        text = item.text("subnet")
        if text is None:
            continue
        yield from network_problems(item.at("subnet"), text)
        subnet = parse_network(text)
        if subnet is None:
            continue
        if subnet.version in versions:
            yield item.problem("subnet", "is the second of its family", f"the first stands at {versions[subnet.version]}")
        versions.setdefault(subnet.version, item.at("subnet"))
        yield from _inside(item, "gateway", subnet)
        part = parse_network(item.text("ip_range"))
        if item.given("ip_range") and (part is None or part.version != subnet.version or not _holds(subnet, part)):
            yield item.problem("ip_range", f"is no part of {subnet}", f"write a prefix inside {subnet}")


def _holds(outer: IPNetwork, inner: IPNetwork) -> bool:
    return int(outer.network_address) <= int(inner.network_address) and int(inner.broadcast_address) <= int(outer.broadcast_address)


def _inside(view: View, key: str, subnet: IPNetwork) -> Iterator[Problem]:
    """Report an address that is none, or that no host of the subnet may have."""
    text = view.text(key)
    if text is None:
        return
    yield from address_problems(view.at(key), text)
    address = parse_address(text)
    if address is None:
        return
    if address.version != subnet.version or address not in subnet:
        yield view.problem(key, f"is not in {subnet}")
    elif address == subnet.network_address or (subnet.version == 4 and address == subnet.broadcast_address):
        yield view.problem(key, f"is the network or broadcast address of {subnet}")


def _container(view: View, networks: list[View]) -> Iterator[Problem]:
    by_name = {name: item for item in networks if (name := item.text("name"))}
    name, mac = view.text("network"), view.text("mac")
    if name is not None and name not in by_name:
        yield unknown(view.at("network"), f"network {name!r} is not in docker_macvlan_networks", name, by_name, "networks there")
    elif name is not None:
        yield from _container_addresses(view, by_name[name])
    elif not view.given("network"):
        # The schema says that it is required; this says why.
        yield Problem(view.at("network"), "is missing, and there is no default network", hint=f"networks: {', '.join(by_name) or 'none'}")
    if mac is not None:
        yield from mac_problems(view.at("mac"), mac)
    if view.given("command") and view.data.get("system", True) is not False:
        yield Problem(view.at("command"), "is not for a system container", hint="its command is systemd; set system: false")
    memory, both = _bytes(view, "memory", "512m"), _bytes(view, "memory_swap", "768m")
    for key, value in (("memory", memory), ("memory_swap", both)):
        if value is None and view.text(key) is not None:
            yield view.problem(key, "is not a size", "write a number with b, k, m or g, for example 512m")
    if memory is not None and memory < _LEAST_MEMORY:
        yield view.problem("memory", "is less than the 6m that Docker needs")
    if memory is not None and both is not None and both < memory:
        yield view.problem("memory_swap", "is less than memory", "it limits memory and swap together")


def _bytes(view: View, key: str, default: str) -> int | None:
    text = view.text(key) if view.given(key) else default
    match = _SIZE.match(text.lower()) if text is not None else None
    return int(match[1]) * _UNITS[match[2]] if match else None


def _container_addresses(view: View, network: View) -> Iterator[Problem]:
    subnets = {subnet.version: (subnet, item) for item in network.views("subnets") if (subnet := parse_network(item.text("subnet")))}
    for version, key in ((4, "ipv4"), (6, "ipv6")):
        text = view.text(key)
        if text is None:
            continue
        if version not in subnets:
            yield view.problem(key, f"has no subnet in network {network.text('name')}", f"see {network.at('subnets')}")
            continue
        subnet, item = subnets[version]
        yield from _inside(view, key, subnet)
        if parse_address(text) is not None and parse_address(text) == parse_address(item.text("gateway")):
            yield view.problem(key, "is the gateway of its network", f"see {item.at('gateway')}")


def _taken(containers: list[View]) -> Iterator[Problem]:
    named: list[tuple[Place, tuple[str, IPAddress]]] = []
    for view in containers:
        for key in ("ipv4", "ipv6"):
            address = parse_address(view.text(key))
            if address is not None:
                named.append((view.at(key), (view.text("network") or "", address)))
    first: dict[tuple[str, IPAddress], Place] = {}
    for path, identity in named:
        if identity in first:
            yield Problem(path, "is given twice", show(str(identity[1])), f"the same address stands at {first[identity]}")
        first.setdefault(identity, path)
