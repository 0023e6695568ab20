"""Read and check a topology file: which machines there are and which wires join them."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.conditions import Conditions
from lab.errors import LabError

NAME_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?\Z")
WIRE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")
MAC_PATTERN = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\Z")
NAME_RULE = "letters, digits and inner hyphens, at most 32"
WIRE_RULE = "letters, digits, hyphens and underscores, at most 32"
MEMORY_MIB_RANGE = range(256, 65537)
MTU_RANGE = range(68, 65536)
# QEMU's q35 machine has free PCI slots for this many wire NICs beside the disks and the management NIC.
MAX_NICS = 24
# libslirp's network is a /24, whatever it is told.
CONTROLLER_PREFIX_LENGTH = 24
# What can configure a machine's NICs. The image has to have its package; the first one is in all of them.
MANAGERS = ("networkd", "netplan", "cloud-init", "ifupdown", "NetworkManager")


@dataclass(frozen=True)
class Route:
    """A static route: ``to`` is a prefix or "default", ``via`` the gateway's address."""

    to: str
    via: str


@dataclass(frozen=True)
class Nic:
    """A machine's port on a wire. Without addresses the lab only brings it up.

    With ``dynamic`` its manager asks for an address by DHCP, and takes one, and a default route, from router advertisements. One that ``provides`` answers
    DHCP, and advertises itself as router, in the networks of its addresses; its image has to have dnsmasq.
    """

    wire: str
    mac: str
    mtu: int = 1500
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    dynamic: bool = False
    provides: bool = False


@dataclass(frozen=True)
class Vm:
    """A virtual machine; its wire NICs are eth0, eth1, ... in this order.

    ``position`` counts the machines of a topology from 0. ``manager`` is the network manager that configures the NICs. One that is not ``managed``
    stands in no inventory: a neighbor of the network, as a provider is.
    """

    name: str
    image: str
    memory_mib: int
    management_mac: str
    nics: tuple[Nic, ...] = ()
    position: int = 0
    manager: str = "networkd"
    managed: bool = True


@dataclass(frozen=True)
class Controller:
    """The controller's own place on a wire: ``address`` with its prefix, and there the address of each machine that it can reach, by name."""

    wire: str
    address: str
    reaches: Mapping[str, str]


@dataclass(frozen=True)
class Topology:
    """All machines and wires of a lab; a wire's conditions are those it starts with.

    ``archives`` names the root file systems for containers that are to be there.
    """

    name: str
    vms: Mapping[str, Vm]
    wires: Mapping[str, Conditions] = field(default_factory=dict)
    archives: tuple[str, ...] = ()
    controller: Controller | None = None


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win; a topology must not lose a machine that way."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} occurs twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def derived_mac(topology: str, vm: str, port: str) -> str:
    """Return a locally administered MAC address that depends on nothing but the names."""
    digest = hashlib.sha256(f"{topology}/{vm}/{port}".encode()).digest()
    return "52:54:" + ":".join(f"{byte:02x}" for byte in digest[:4])


def load_topology(name: str, directory: Path, images: frozenset[str], archives: frozenset[str] = frozenset()) -> Topology:
    """Read ``directory/name.yml``.

    Parameters:
        name: the topology's name.
        directory: where topologies are kept.
        images: names of the images that can be built.
        archives: names of the archives for containers that can be built.

    Raises:
        LabError: the file is missing or wrong; with all errors at once.
    """
    known = ", ".join(sorted(path.stem for path in directory.glob("*.yml")))
    if not WIRE_PATTERN.match(name):
        raise LabError(f"{name!r} is not a topology's name ({WIRE_RULE}); there are: {known}")
    path = directory / f"{name}.yml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabError(f"there is no topology {name!r}; there are: {known}") from None
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise LabError(f"{path.name} is not valid YAML: {error}") from None
    return parse_topology(name, data, images, archives)


def parse_topology(name: str, data: object, images: frozenset[str], archives: frozenset[str] = frozenset()) -> Topology:
    """Turn the content of a topology file into a `Topology`.

    Raises:
        LabError: with one line for each error: path, value, and what would be valid.
    """
    reader = _Reader(name, images, archives)
    topology = reader.topology(data)
    if reader.errors:
        raise LabError(*(f"{name}.yml: {error}" for error in reader.errors))
    return topology


class _Reader:
    """Walks the data once and collects errors on the way."""

    def __init__(self, name: str, images: frozenset[str], archives: frozenset[str]) -> None:
        self.name = name
        self.images = images
        self.known_archives = archives
        self.errors: list[str] = []
        self.macs: dict[str, str] = {}
        self.addresses: dict[tuple[str, str], str] = {}

    def topology(self, data: object) -> Topology:
        top = self.mapping("(top)", data, required=("vms",), optional=("wires", "archives", "controller"))
        wires = {
            key: self.conditions(f"wires.{key}", value)
            for key, value in self.named(top.get("wires") or {}, "wires", WIRE_PATTERN, WIRE_RULE).items()
        }
        vms = {
            key: self.vm(f"vms.{key}", key, position, value, wires)
            for position, (key, value) in enumerate(self.named(top.get("vms") or {}, "vms", NAME_PATTERN, NAME_RULE).items())
        }
        if "vms" in top and not vms:
            self.error("vms", top["vms"], "must hold at least one machine")
        lower: dict[str, str] = {}
        for key in vms:
            if (other := lower.setdefault(key.lower(), key)) != key:
                self.error(f"vms.{key}", key, f"differs from vms.{other} only in case")
        archives = self.sequence("archives", top.get("archives") or [])
        for index, archive in enumerate(archives):
            if archive not in self.known_archives:
                self.error(f"archives[{index}]", archive, f"there are: {', '.join(sorted(self.known_archives)) or 'none'}")
        controller = self.controller("controller", top["controller"], vms, wires) if "controller" in top else None
        return Topology(self.name, vms, wires, tuple(dict.fromkeys(map(str, archives))), controller)

    def controller(self, path: str, data: object, vms: Mapping[str, Vm], wires: Mapping[str, Conditions]) -> Controller | None:
        entry = self.mapping(path, data, required=("wire", "address"), optional=())
        wire = entry.get("wire", "")
        if "wire" in entry and wire not in wires:
            self.error(f"{path}.wire", wire, f"there are: {', '.join(sorted(wires)) or 'no wires'}")
        text = entry.get("address", "")
        where = f"{path}.address"
        if "address" not in entry:
            return None
        interface = self.address(where, text, ipaddress.IPv4Interface, "an IPv4 address with prefix such as 100.1.1.9/24")
        if interface is None:
            return None
        if interface.network.prefixlen != CONTROLLER_PREFIX_LENGTH:
            self.error(where, text, f"must have the prefix length {CONTROLLER_PREFIX_LENGTH}")
            return None
        if (other := self.addresses.setdefault((str(wire), str(interface.ip)), where)) != where:
            self.error(where, text, f"is also {other} on the same wire")
        found = {
            vm.name: str(own.ip)
            for vm in vms.values()
            for nic in vm.nics
            if nic.wire == wire
            for own in map(ipaddress.ip_interface, nic.addresses)
            if own.ip in interface.network
        }
        if not found and wire in wires:
            self.error(where, text, f"no machine on wire {wire} has an address in its network")
        return Controller(str(wire), str(interface), found)

    def vm(self, path: str, name: str, position: int, data: object, wires: Mapping[str, Conditions]) -> Vm:
        entry = self.mapping(path, data, required=("image",), optional=("memory_mib", "manager", "managed", "nics"))
        image = entry.get("image", "")
        if "image" in entry and image not in self.images:
            self.error(f"{path}.image", image, f"there are: {', '.join(sorted(self.images))}")
        memory = self.integer(f"{path}.memory_mib", entry.get("memory_mib", 768), MEMORY_MIB_RANGE)
        nic_list = self.sequence(f"{path}.nics", entry.get("nics", []))
        if len(nic_list) > MAX_NICS:
            self.error(f"{path}.nics", len(nic_list), f"at most {MAX_NICS} fit")
        nics = tuple(self.nic(f"{path}.nics[{i}]", name, i, nic, wires) for i, nic in enumerate(nic_list))
        manager = entry.get("manager", MANAGERS[0])
        if manager not in MANAGERS:
            self.error(f"{path}.manager", manager, f"there are: {', '.join(MANAGERS)}")
        managed = self.boolean(f"{path}.managed", entry.get("managed", True))
        management = derived_mac(self.name, name, "management")
        self.unique(self.macs, management, path, "MAC address of the management NIC")
        return Vm(name, str(image), memory, management, nics, position, str(manager), managed)

    def nic(self, path: str, vm: str, index: int, data: object, wires: Mapping[str, Conditions]) -> Nic:
        entry = self.mapping(path, data, required=("wire",), optional=("mac", "mtu", "addresses", "routes", "dynamic", "provides"))
        wire = entry.get("wire", "")
        if "wire" in entry and wire not in wires:
            self.error(f"{path}.wire", wire, f"there are: {', '.join(sorted(wires)) or 'no wires'}")
        mac = entry.get("mac", derived_mac(self.name, vm, f"eth{index}"))
        if not isinstance(mac, str) or not MAC_PATTERN.match(mac) or int(mac[:2], 16) & 1:
            self.error(f"{path}.mac", mac, "must be a unicast MAC address in lower case such as 52:54:00:00:00:01")
        else:
            self.unique(self.macs, mac, f"{path}.mac", "MAC address")
        mtu = self.integer(f"{path}.mtu", entry.get("mtu", 1500), MTU_RANGE)
        interfaces = []
        for i, text in enumerate(self.sequence(f"{path}.addresses", entry.get("addresses", []))):
            where = f"{path}.addresses[{i}]"
            interface = self.address(where, text, ipaddress.ip_interface, "an address with prefix such as 100.1.1.1/30")
            if interface is None or "/" not in str(text):
                if interface is not None:
                    self.error(where, text, "lacks the prefix length")
                continue
            interfaces.append(interface)
            key = (str(wire), str(interface.ip))
            if (other := self.addresses.setdefault(key, where)) != where:
                self.error(where, text, f"is also {other} on the same wire")
        routes = tuple(
            self.route(f"{path}.routes[{i}]", item, interfaces)
            for i, item in enumerate(self.sequence(f"{path}.routes", entry.get("routes", [])))
        )
        dynamic = self.boolean(f"{path}.dynamic", entry.get("dynamic", False))
        if dynamic and (interfaces or routes):
            self.error(f"{path}.dynamic", dynamic, "excludes addresses and routes, which come from others")
        provides = self.boolean(f"{path}.provides", entry.get("provides", False))
        if provides and not interfaces:
            self.error(f"{path}.provides", provides, "needs addresses, in whose networks it gives some to others")
        return Nic(str(wire), str(mac), mtu, tuple(str(interface) for interface in interfaces), routes, dynamic, provides)

    def route(self, path: str, data: object, interfaces: list[Any]) -> Route:
        entry = self.mapping(path, data, required=("to", "via"), optional=())
        to = entry.get("to")
        via = entry.get("via")
        if "to" in entry and to != "default":
            self.address(f"{path}.to", to, ipaddress.ip_network, 'a prefix or "default"')
        if "via" in entry:
            gateway = self.address(f"{path}.via", via, ipaddress.ip_address, "an address")
            if gateway is not None and not any(gateway in interface.network for interface in interfaces):
                self.error(f"{path}.via", via, "lies in no network of this NIC's addresses")
        return Route(str(to), str(via))

    def conditions(self, path: str, data: object) -> Conditions:
        if data is None:
            data = {}
        if not isinstance(data, dict):
            self.error(path, data, "must be a mapping")
            return Conditions()
        try:
            return Conditions.from_mapping(data)
        except LabError as error:
            self.errors.extend(f"{path}.{problem}" for problem in error.problems)
            return Conditions()

    def error(self, path: str, value: object, rule: str) -> None:
        self.errors.append(f"{path}: {value!r}: {rule}")

    def mapping(self, path: str, data: object, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.error(path, data, f"must be a mapping with {', '.join(required + optional)}")
            return {}
        for key in data:
            if key not in required + optional:
                self.error(path, key, f"unknown key; there are: {', '.join(required + optional)}")
        for key in required:
            if key not in data:
                self.errors.append(f"{path}: lacks {key}")
        return data

    def named(self, data: object, path: str, pattern: re.Pattern[str], rule: str) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.error(path, data, "must be a mapping from name to definition")
            return {}
        good = {}
        for key, value in data.items():
            if isinstance(key, str) and pattern.match(key):
                good[key] = value
            else:
                self.error(path, key, f"is not a usable name ({rule})")
        return good

    def sequence(self, path: str, data: object) -> list[Any]:
        if not isinstance(data, list):
            self.error(path, data, "must be a list")
            return []
        return data

    def integer(self, path: str, value: object, valid: range) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in valid:
            self.error(path, value, f"must be an integer from {valid[0]} to {valid[-1]}")
            return valid[0]
        return value

    def boolean(self, path: str, value: object) -> bool:
        if not isinstance(value, bool):
            self.error(path, value, "must be true or false")
        return value is True

    def address(self, path: str, value: object, parse: Callable[[str], Any], rule: str) -> Any:
        try:
            # An integer would be taken as a packed address.
            return parse(value if isinstance(value, str) else repr(value))
        except ValueError:
            self.error(path, value, f"must be {rule}")
            return None

    def unique(self, seen: dict[str, str], value: str, path: str, what: str) -> None:
        if (other := seen.setdefault(value, path)) != path:
            self.error(path, value, f"this {what} is also that of {other}")
