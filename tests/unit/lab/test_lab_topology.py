"""Topology files: what is read, and that every error is told at once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.paths import ARCHIVE_DIR, RECIPE_DIR, TOPOLOGY_DIR
from lab.recipe import recipe_names
from lab.topology import Route, load_topology, parse_topology

IMAGES = frozenset({"bookworm", "trixie"})
GOOD: dict[str, Any] = {
    "vms": {
        "r1": {
            "image": "trixie",
            "memory_mib": 512,
            "nics": [
                {
                    "wire": "up",
                    "addresses": ["10.0.0.1/24", "fd00::1/64"],
                    "routes": [{"to": "default", "via": "10.0.0.254"}],
                },
                {"wire": "down", "mtu": 9000, "mac": "52:54:00:00:00:01"},
            ],
        },
        "r2": {"image": "bookworm"},
    },
    "wires": {"up": {"mtu": 1492, "delay_ms": 2.5}, "down": None},
}


def errors_of(data: object) -> list[str]:
    with pytest.raises(LabError) as caught:
        parse_topology("t", data, IMAGES)
    return list(caught.value.problems)


def test_a_good_topology_is_read_in_full() -> None:
    topology = parse_topology("t", GOOD, IMAGES)
    first, second = topology.vms["r1"].nics
    assert first.addresses == ("10.0.0.1/24", "fd00::1/64")
    assert first.routes == (Route("default", "10.0.0.254"),)
    assert first.mtu == 1500
    assert (second.mac, second.mtu, second.addresses) == ("52:54:00:00:00:01", 9000, ())
    assert topology.vms["r2"].memory_mib == 768
    assert topology.wires["up"].mtu == 1492
    assert topology.wires["up"].delay_ms == 2.5


def test_archives_are_read_and_unknown_ones_named() -> None:
    known = frozenset({"router", "resolver"})
    assert parse_topology("t", GOOD, IMAGES, known).archives == ()
    assert parse_topology("t", {**GOOD, "archives": ["router"]}, IMAGES, known).archives == ("router",)
    with pytest.raises(LabError) as caught:
        parse_topology("t", {**GOOD, "archives": ["router", "rooter", 7]}, IMAGES, known)
    assert list(caught.value.problems) == [
        "t.yml: archives[1]: 'rooter': there are: resolver, router",
        "t.yml: archives[2]: 7: there are: resolver, router",
    ]
    assert errors_of({**GOOD, "archives": "router"}) == ["t.yml: archives: 'router': must be a list"]


def test_the_controller_reaches_who_has_an_address_on_its_wire() -> None:
    topology = parse_topology("t", {**GOOD, "controller": {"wire": "up", "address": "10.0.0.9/24"}}, IMAGES)
    assert topology.controller is not None
    assert topology.controller.reaches == {"r1": "10.0.0.1"}
    assert parse_topology("t", GOOD, IMAGES).controller is None


@pytest.mark.parametrize(
    ("controller", "messages"),
    [
        (
            {"wire": "up", "address": "10.0.0.1/24"},
            ["controller.address: '10.0.0.1/24': is also vms.r1.nics[0].addresses[0] on the same wire"],
        ),
        (
            {"wire": "up", "address": "10.9.0.1/24"},
            ["controller.address: '10.9.0.1/24': no machine on wire up has an address in its network"],
        ),
        ({"wire": "up", "address": "10.0.0.9"}, ["controller.address: '10.0.0.9': must have the prefix length 24"]),
        (
            {"wire": "up", "address": "fd00::9/64"},
            ["controller.address: 'fd00::9/64': must be an IPv4 address with prefix such as 100.1.1.9/24"],
        ),
        ({"wire": "nowhere", "address": "10.0.0.9/24"}, ["controller.wire: 'nowhere': there are: down, up"]),
        ({"wire": "up"}, ["controller: lacks address"]),
        ("up", ["controller: 'up': must be a mapping with wire, address"]),
    ],
    ids=["taken", "elsewhere", "no_prefix", "ipv6", "wire", "no_address", "shape"],
)
def test_a_place_that_the_controller_cannot_have(controller: object, messages: list[str]) -> None:
    assert errors_of({**GOOD, "controller": controller}) == [f"t.yml: {message}" for message in messages]


def test_who_gives_addresses_and_who_takes_them() -> None:
    data = copy.deepcopy(GOOD)
    data["vms"]["r1"]["managed"] = "no"
    data["vms"]["r1"]["nics"] = [
        {"wire": "up", "addresses": ["10.0.0.1/24"], "dynamic": True},
        {"wire": "up", "provides": True},
        {"wire": "up", "dynamic": 1},
    ]
    assert errors_of(data) == [
        "t.yml: vms.r1.nics[0].dynamic: True: excludes addresses and routes, which come from others",
        "t.yml: vms.r1.nics[1].provides: True: needs addresses, in whose networks it gives some to others",
        "t.yml: vms.r1.nics[2].dynamic: 1: must be true or false",
        "t.yml: vms.r1.managed: 'no': must be true or false",
    ]


def test_mac_addresses_are_stable_unique_and_unicast() -> None:
    topology = parse_topology("t", GOOD, IMAGES)
    macs = [vm.management_mac for vm in topology.vms.values()]
    macs += [nic.mac for vm in topology.vms.values() for nic in vm.nics]
    assert len(set(macs)) == 4
    assert all(int(mac[:2], 16) & 1 == 0 for mac in macs)
    without_r2 = copy.deepcopy(GOOD)
    del without_r2["vms"]["r2"]
    assert parse_topology("t", without_r2, IMAGES).vms["r1"] == topology.vms["r1"]


def test_all_errors_come_at_once_with_path_and_value() -> None:
    data = {
        "vms": {
            "r 1": {"image": "trixie"},
            "r1": {
                "image": "sid",
                "memory_mib": "768",
                "cpus": 2,
                "nics": [
                    {
                        "wire": "nowhere",
                        "addresses": ["10.0.0.300/24", "10.0.0.1"],
                        "mtu": 20,
                        "mac": "53:54:00:00:00:01",
                    },
                    {"addresses": ["10.0.0.1/24"], "wire": "up", "routes": [{"to": "default", "via": "10.1.0.1"}]},
                    {"addresses": ["10.0.0.1/24"], "wire": "up", "routes": [{"to": "here"}]},
                    {},
                ],
            },
            "R1": {"nics": []},
        },
        "wires": {"up": {"loss_percent": 101, "speed": 1}},
        "networks": {},
    }
    assert errors_of(data) == [
        "t.yml: (top): 'networks': unknown key; there are: vms, wires, archives, controller",
        "t.yml: wires.up.loss_percent: 101: must be a number from 0 to 100",
        (
            "t.yml: wires.up.speed: unknown key; there are: cut, delay_ms, loss_percent, duplicate_percent, reorder_percent, rate_kbit, mtu, drop_udp, "
            "drop_tcp"
        ),
        "t.yml: vms: 'r 1': is not a usable name (letters, digits and inner hyphens, at most 32)",
        "t.yml: vms.r1: 'cpus': unknown key; there are: image, memory_mib, manager, managed, nics",
        "t.yml: vms.r1.image: 'sid': there are: bookworm, trixie",
        "t.yml: vms.r1.memory_mib: '768': must be an integer from 256 to 65536",
        "t.yml: vms.r1.nics[0].wire: 'nowhere': there are: up",
        ("t.yml: vms.r1.nics[0].mac: '53:54:00:00:00:01': must be a unicast MAC address in lower case such as 52:54:00:00:00:01"),
        "t.yml: vms.r1.nics[0].mtu: 20: must be an integer from 68 to 65535",
        "t.yml: vms.r1.nics[0].addresses[0]: '10.0.0.300/24': must be an address with prefix such as 100.1.1.1/30",
        "t.yml: vms.r1.nics[0].addresses[1]: '10.0.0.1': lacks the prefix length",
        "t.yml: vms.r1.nics[1].routes[0].via: '10.1.0.1': lies in no network of this NIC's addresses",
        "t.yml: vms.r1.nics[2].addresses[0]: '10.0.0.1/24': is also vms.r1.nics[1].addresses[0] on the same wire",
        "t.yml: vms.r1.nics[2].routes[0]: lacks via",
        "t.yml: vms.r1.nics[2].routes[0].to: 'here': must be a prefix or \"default\"",
        "t.yml: vms.r1.nics[3]: lacks wire",
        "t.yml: vms.R1: lacks image",
        "t.yml: vms.R1: 'R1': differs from vms.r1 only in case",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "t.yml: (top): None: must be a mapping with vms, wires, archives, controller"),
        ({"vms": {}}, "t.yml: vms: {}: must hold at least one machine"),
        ({"vms": []}, "t.yml: vms: []: must hold at least one machine"),
        (
            {"vms": {"a": {"image": "trixie", "nics": {"wire": "x"}}}},
            "t.yml: vms.a.nics: {'wire': 'x'}: must be a list",
        ),
    ],
)
def test_wrong_shapes(data: object, message: str) -> None:
    assert errors_of(data) == [message]


def test_equal_mac_addresses_are_refused() -> None:
    data = copy.deepcopy(GOOD)
    data["vms"]["r2"]["nics"] = [{"wire": "up", "mac": "52:54:00:00:00:01"}]
    assert errors_of(data) == ["t.yml: vms.r2.nics[0].mac: '52:54:00:00:00:01': this MAC address is also that of vms.r1.nics[1].mac"]


def test_a_doubled_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("vms:\n  a: {image: trixie}\n  a: {image: bookworm}\n")
    with pytest.raises(LabError, match="the key 'a' occurs twice"):
        load_topology("t", tmp_path, IMAGES)


@pytest.mark.parametrize("name", ["absent", "../t", ""])
def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / "known.yml").write_text("vms: {}\n")
    with pytest.raises(LabError, match="there are: known"):
        load_topology(name, tmp_path, IMAGES)


def test_every_topology_of_the_checkout_is_valid() -> None:
    names = [path.stem for path in TOPOLOGY_DIR.glob("*.yml")]
    assert "t1_t2" in names
    for name in names:
        load_topology(name, TOPOLOGY_DIR, recipe_names(RECIPE_DIR), recipe_names(ARCHIVE_DIR))
