# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the interface layer does about interfaces that lie on others. The kernel's part is played: what a command does shows in the next one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer

VXLAN = {"name": "vxlan7", "vni": 7, "local": "172.16.0.3", "remotes": ["172.16.0.4"], "port": 4789, "mtu": 1500}
SEGMENT = {"name": "seg7", "kind": "macvlan", "parent": "vxlan7", "mtu": 1500}
MADE = "ip link add link vxlan7 name seg7 type macvlan mode bridge"


def link(name: str, parent: str | None = None, kind: str | None = None, up: bool = True, **data: Any) -> dict[str, Any]:
    """Return an interface as ip(8) shows it."""
    flags = ["UP"] if up else []
    return {
        "ifname": name,
        "mtu": 1500,
        "flags": flags,
        "linkinfo": {"info_kind": kind, "info_data": data},
        **({"link": parent} if parent else {}),
    }


def vxlan(**data: Any) -> dict[str, Any]:
    """Return vxlan7 as it is declared, but for some of its data."""
    return link("vxlan7", kind="vxlan", **{"id": 7, "local": "172.16.0.3", "remote": "172.16.0.4", "port": 4789, **data})


def commands(
    monkeypatch: pytest.MonkeyPatch, live: list[dict[str, Any]], declared: dict[str, Any], previous: dict[str, Any] | None = None
) -> list[str]:
    """Return the commands that bring live interfaces in line with what is declared."""
    fdb = [{"mac": "00:00:00:00:00:00", "dst": "172.16.0.4"}]

    def read(kernel: interface_layer.Kernel, *arguments: str, program: str = "ip") -> list[Any]:
        return fdb if program == "bridge" else live

    monkeypatch.setattr(interface_layer.Kernel, "read", read)
    found, missing = interface_layer.apply(declared, previous, dry_run=True)
    assert missing == []
    return found


def test_a_macvlan_is_made_on_a_vxlan_that_is_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """And after the VXLAN has its MTU, though it is listed last or nowhere."""
    for interfaces in ([SEGMENT], [SEGMENT, {"name": "vxlan7"}]):
        found = commands(monkeypatch, [], {"interfaces": interfaces, "vxlans": [VXLAN]})
        assert found.index("ip link set dev vxlan7 mtu 1500") < found.index(MADE) < found.index("ip link set dev seg7 mtu 1500")
        assert found[-1] == "ip link set dev seg7 up"


def test_nothing_is_done_to_one_that_is_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    live = [vxlan(), link("seg7", "vxlan7", "macvlan", mode="bridge")]
    assert commands(monkeypatch, live, {"interfaces": [SEGMENT], "vxlans": [VXLAN]}) == []


def test_one_on_another_parent_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    live = [vxlan(), link("eth1"), link("seg7", "eth1", "macvlan", mode="bridge")]
    found = commands(monkeypatch, live, {"interfaces": [SEGMENT], "vxlans": [VXLAN]})
    assert found[:2] == ["ip link delete dev seg7", MADE]


@pytest.mark.parametrize("kind", ["macvlan", "vlan"])
def test_what_lies_on_a_vxlan_comes_back_with_it(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The kernel deletes both; the names that were read at the start say otherwise."""
    upper = SEGMENT if kind == "macvlan" else {**SEGMENT, "kind": kind, "vlan": 5}
    live = [vxlan(id=8), link("seg7", "vxlan7", kind, id=5), link("seg7.9", "seg7", "vlan", id=9)]
    declared = {"interfaces": [upper, {"name": "seg7.9", "kind": "vlan", "parent": "seg7", "vlan": 9}], "vxlans": [VXLAN]}
    found = commands(monkeypatch, live, declared)
    assert [line for line in found if "delete" in line] == ["ip link delete dev vxlan7"]
    made = [line for line in found if " add " in line]
    assert [line.split()[3:7] for line in made[1:]] == [["link", "vxlan7", "name", "seg7"], ["link", "seg7", "name", "seg7.9"]]


@pytest.mark.parametrize(
    ("live", "declared", "interrupted"),
    [
        ([vxlan()], {"vxlans": [VXLAN]}, []),
        ([], {"vxlans": [VXLAN]}, []),
        ([vxlan()], {"vxlans": [{**VXLAN, "mtu": 1400}]}, []),
        ([vxlan(id=8)], {"vxlans": [VXLAN]}, ["vxlan7"]),
        ([vxlan(local="172.16.0.9")], {"vxlans": [VXLAN]}, ["vxlan7"]),
        ([vxlan(remote="172.16.0.9")], {"vxlans": [VXLAN]}, ["vxlan7"]),
        ([vxlan()], {"vxlans": [{**VXLAN, "remotes": ["172.16.0.4", "172.16.0.5"]}]}, []),
        ([vxlan(remote=None)], {"vxlans": [{**VXLAN, "remotes": ["172.16.0.4", "172.16.0.5"]}]}, []),
        (
            [vxlan(id=8), link("seg7", "vxlan7", "macvlan", mode="bridge"), link("seg7.9", "seg7", "vlan", id=9)],
            {"interfaces": [SEGMENT], "vxlans": [VXLAN]},
            ["seg7", "seg7.9", "vxlan7"],
        ),
        ([vxlan(id=8) | {"master": "br7"}, link("br7", kind="bridge")], {"vxlans": [VXLAN]}, ["br7"]),
        ([vxlan(id=8) | {"master": "CORE"}, link("CORE", kind="vrf")], {"vxlans": [VXLAN]}, ["vxlan7"]),
        (
            [link("gre1", kind="gre", local="192.0.2.1", remote="192.0.2.2")],
            {"gre_tunnels": [{"name": "gre1", "local": "192.0.2.1", "remote": "192.0.2.3"}]},
            ["gre1"],
        ),
        (
            [link("gre1", kind="gre", local="192.0.2.1", remote="192.0.2.2", ttl=9)],
            {"gre_tunnels": [{"name": "gre1", "local": "192.0.2.1", "remote": "192.0.2.2", "ttl": 64}]},
            [],
        ),
        (
            [link("eth1"), link("eth1.5", "eth1", "vlan", id=5)],
            {"interfaces": [{"name": "eth1.5", "kind": "vlan", "parent": "eth1", "vlan": 5, "mtu": 1400}, {"name": "eth1", "mtu": 1400}]},
            [],
        ),
        (
            [link("eth1"), link("link5", "eth1", "vlan", id=5)],
            {"interfaces": [{"name": "link5", "kind": "vlan", "parent": "eth1", "vlan": 6}]},
            ["link5"],
        ),
    ],
)
def test_what_interrupts_links(
    monkeypatch: pytest.MonkeyPatch, live: list[dict[str, Any]], declared: dict[str, Any], interrupted: list[str]
) -> None:
    """They are made again, or get other ends; what is changed in place, or is not there, interrupts nothing. A bridge stands for its ports."""
    monkeypatch.setattr(interface_layer.Kernel, "read", lambda _kernel, *_arguments, **_named: live)
    links = interface_layer.Kernel(dry_run=True).links()
    assert interface_layer.links_to_interrupt(links, declared) == interrupted


def test_what_is_dropped_with_its_vxlan_is_deleted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    live = [vxlan(), link("seg7", "vxlan7", "macvlan"), link("eth0")]
    found = commands(monkeypatch, live, {"interfaces": [{"name": "eth0"}]}, {"interfaces": [SEGMENT], "vxlans": [VXLAN]})
    assert found == ["ip link delete dev vxlan7"]


def test_bridges_first_then_vxlans_then_the_order_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = [
        {"name": "eth1.5", "kind": "vlan", "parent": "eth1", "vlan": 5},
        {"name": "lan5", "kind": "macvlan", "parent": "eth1.5"},
        SEGMENT,
        {"name": "br0", "kind": "bridge"},
    ]
    found = commands(monkeypatch, [link("eth1")], {"interfaces": interfaces, "vxlans": [VXLAN]})
    ups = [line.split()[4] for line in found if line.endswith(" up")]
    assert ups == ["br0", "vxlan7", "eth1.5", "lan5", "seg7"]


def test_arp_of_a_vxlan_is_as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = vxlan()
    quiet["flags"].append("NOARP")
    assert commands(monkeypatch, [quiet], {"vxlans": [{**VXLAN, "arp": False}]}) == []
    assert commands(monkeypatch, [quiet], {"vxlans": [VXLAN]}) == ["ip link set dev vxlan7 arp on"]
    assert commands(monkeypatch, [vxlan()], {"vxlans": [{**VXLAN, "arp": False}]}) == ["ip link set dev vxlan7 arp off"]
