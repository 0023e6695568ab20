# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the interface layer does about VRFs, their members and default routes, how it reads and changes the kernel, and its command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer
from ansible_collections.xuegao.net.plugins.module_utils.interface_layer import UNREACHABLE_METRIC, InterfaceLayerError, Kernel

CORE = {"name": "CORE", "table": 200}
ENDS = {"dst": "default", "type": "unreachable", "metric": UNREACHABLE_METRIC}
# As the kernel has them at first, and as the layer leaves them.
LOCAL_FIRST = {"priority": 0, "src": "all", "table": "local", "protocol": "kernel"}
LOCAL_LAST = {"priority": 32765, "src": "all", "table": "local", "protocol": "kernel"}
L3MDEV = {"priority": 1000, "src": "all", "l3mdev": None, "protocol": "kernel"}

Commands = Callable[..., list[str]]


def rules_of_both(*words: str) -> list[str]:
    """Return commands about rules, for IPv4 and then for IPv6."""
    return [f"ip {family} rule {each}" for family in ("-4", "-6") for each in words]


MOVED = rules_of_both("add preference 32765 table local protocol kernel", "delete preference 0 table local")


def link(name: str, kind: str | None = None, master: str | None = None, up: bool = True, **data: Any) -> dict[str, Any]:
    """Return an interface as ip(8) shows it."""
    shown = {"ifname": name, "mtu": 1500, "flags": ["UP"] if up else [], "linkinfo": {"info_kind": kind, "info_data": data}}
    return {**shown, "master": master} if master else shown


def vrf(name: str = "CORE", table: int = 200, **more: Any) -> dict[str, Any]:
    return link(name, kind="vrf", table=table, **more)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    """Give the commands that bring a kernel in line with what is declared.

    links: the live interfaces. routes: those of any table that is asked for. rules: those of either family, beside the one that asks the VRFs, which
    vrfs_first leaves out. by_hand: routes that somebody has set.
    """

    def found(
        links: list[dict[str, Any]],
        declared: dict[str, Any],
        previous: dict[str, Any] | None = None,
        routes: Sequence[dict[str, Any]] = (ENDS,),
        rules: Sequence[dict[str, Any]] = (LOCAL_LAST,),
        only: str | None = None,
        missing: Sequence[str] = (),
        addresses: Sequence[dict[str, Any]] = (),
        by_hand: Sequence[dict[str, Any]] = (),
        vrfs_first: bool = True,
    ) -> list[str]:
        def read(_kernel: Kernel, *arguments: str, program: str = "ip") -> list[Any]:
            assert program == "ip"
            if arguments[-2:] == ("proto", "boot"):
                return list(by_hand)
            answers: dict[str, list[Any]] = {
                "link": links,
                "route": list(routes),
                "rule": [L3MDEV] * vrfs_first + list(rules),
                "address": list(addresses),
            }
            return next(answers[word] for word in arguments if word in answers)

        monkeypatch.setattr(Kernel, "read", read)
        done, absent = interface_layer.apply(declared, previous, only=only, dry_run=True)
        assert absent == list(missing)
        return done

    monkeypatch.setattr(interface_layer, "INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setattr(interface_layer, "ACCEPT_DAD", str(tmp_path / "%s.accept_dad"))
    monkeypatch.setattr(interface_layer, "IPV6_SETTING", str(tmp_path / "%s.%s"))
    return found


# ---- VRFs ------------------------------------------------------------------------------------------------------------


def test_a_new_vrf_ends_its_lookups_and_comes_before_local(commands: Commands) -> None:
    assert commands([], {"vrfs": [CORE]}, routes=[], rules=[LOCAL_FIRST]) == [
        "ip link add dev CORE type vrf table 200",
        f"ip -4 route add unreachable default table 200 metric {UNREACHABLE_METRIC}",
        f"ip -6 route add unreachable default table 200 metric {UNREACHABLE_METRIC}",
        "ip link set dev CORE up",
        *MOVED,
    ]


def test_a_vrf_as_declared_is_left_alone(commands: Commands) -> None:
    assert commands([vrf()], {"vrfs": [CORE]}) == []


def test_a_vrf_deleted_by_hand_leaves_the_end_of_its_lookups_behind(commands: Commands) -> None:
    """Adding that a second time would fail with `File exists`."""
    assert commands([], {"vrfs": [CORE]}, routes=[ENDS]) == ["ip link add dev CORE type vrf table 200", "ip link set dev CORE up"]


@pytest.mark.parametrize("protocols", [["boot"], ["unspec"], ["static", "kernel"], ["kernel", "boot"]])
def test_a_local_rule_that_a_network_manager_would_remove_is_made_again(commands: Commands, protocols: list[str]) -> None:
    """At no moment is the host without one, and a run that is killed between two of these is followed by one that ends it."""
    add, delete = "add preference %d table local protocol kernel", "delete preference %d table local"
    rules = [{**LOCAL_LAST, "protocol": protocol} for protocol in protocols]
    steps = [add % 32764, *[delete % 32765] * len(rules), add % 32765, delete % 32764]
    assert commands([vrf()], {"vrfs": [CORE]}, rules=rules) == rules_of_both(*steps)
    spare = {**LOCAL_LAST, "priority": 32764}
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[spare, *rules]) == rules_of_both(*steps[1:])
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[spare]) == rules_of_both(*steps[-2:])
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[spare, LOCAL_LAST]) == rules_of_both(steps[-1])


def test_a_local_rule_for_some_packets_is_somebody_elses(commands: Commands) -> None:
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[{**LOCAL_FIRST, "iif": "eth0"}, LOCAL_LAST]) == []


def test_the_rule_that_asks_the_vrfs_comes_back(commands: Commands) -> None:
    """The kernel makes it with the first VRF, and never again; a dry run that would make one knows that it comes by itself."""
    missing = rules_of_both("add preference 1000 l3mdev protocol kernel")
    assert commands([vrf()], {"vrfs": [CORE]}, vrfs_first=False) == missing
    assert not set(missing) & set(commands([], {"vrfs": [CORE]}, vrfs_first=False))
    older = {"priority": 1000, "src": "all", "table": "[l3mdev-table]", "protocol": "kernel"}
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[older, LOCAL_LAST], vrfs_first=False) == []


def test_a_nic_that_was_set_up_again_goes_on_hearing_routers(commands: Commands, tmp_path: Path) -> None:
    """Whoever did it gave it 1, with which a host that forwards hears none; 0 is a manager's that hears them itself."""
    declared = {"interfaces": [{"name": "eth1", "hears_routers": True}, {"name": "eth2"}]}
    live = [link("eth1"), link("eth2")]
    assert commands(live, declared) == []
    setting = tmp_path / "eth1.accept_ra"
    (tmp_path / "eth2.accept_ra").write_text("1\n", encoding="ascii")
    for value, done in (("0", []), ("1", [f"write 2 to {setting}"]), ("2", [])):
        setting.write_text(f"{value}\n", encoding="ascii")
        assert commands(live, declared) == done
    assert commands([], declared, missing=["eth1", "eth2"]) == []


MARKED = {"name": "WAN", "table": 300, "fwmark": 300}
MARK = {"priority": 990, "src": "all", "fwmark": "0x12c", "table": "300", "protocol": "2"}


def test_packets_with_the_mark_of_a_vrf_are_routed_in_it(commands: Commands) -> None:
    """WireGuard's one socket is in the default VRF."""
    live, declared = [vrf("WAN", 300)], {"vrfs": [MARKED]}
    added = rules_of_both("add preference 990 fwmark 300 table 300 protocol kernel")
    assert commands(live, declared) == added
    assert commands(live, declared, rules=[MARK, LOCAL_LAST]) == []
    # Of one interface nothing is said about it.
    assert commands(live, declared, only="eth0") == []


def test_a_mark_that_is_another_or_declared_no_more_goes(commands: Commands) -> None:
    live, rules = [vrf("WAN", 300)], [MARK, LOCAL_LAST]
    gone = rules_of_both("delete preference 990 fwmark 300 table 300")
    assert commands(live, {"vrfs": [{"name": "WAN", "table": 300}]}, {"vrfs": [MARKED]}, rules=rules) == gone
    changed = rules_of_both("add preference 990 fwmark 7 table 300 protocol kernel", "delete preference 990 fwmark 300 table 300")
    assert commands(live, {"vrfs": [{**MARKED, "fwmark": 7}]}, {"vrfs": [MARKED]}, rules=rules) == changed
    # Where a former version had it.
    former = {**MARK, "priority": 1010}
    moved = rules_of_both("add preference 990 fwmark 300 table 300 protocol kernel", "delete preference 1010 fwmark 300 table 300")
    assert commands(live, {"vrfs": [MARKED]}, {"vrfs": [MARKED]}, rules=[former, LOCAL_LAST]) == moved
    # Somebody else's, by its place or its table.
    for other in ({**MARK, "priority": 900}, {**MARK, "table": "100"}):
        assert commands(live, {"vrfs": [{"name": "WAN", "table": 300}]}, {"vrfs": [MARKED]}, rules=[other, LOCAL_LAST]) == []


@pytest.mark.parametrize("protocol", ["boot", "unspec"])
def test_a_rule_by_hand_that_leads_every_packet_past_the_vrfs_goes(commands: Commands, protocol: str) -> None:
    past = {"priority": 500, "src": "all", "table": "main", "protocol": protocol}
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[past, LOCAL_LAST]) == rules_of_both("delete preference 500 table main")


@pytest.mark.parametrize(
    "other",
    [
        {"priority": 500, "src": "all", "table": "main", "protocol": "static"},
        {"priority": 500, "src": "192.0.2.0", "srclen": 24, "table": "main", "protocol": "boot"},
        {"priority": 500, "src": "all", "fwmark": "0x1", "table": "100", "protocol": "boot"},
        {"priority": 220, "src": "all", "table": "220", "protocol": "unspec"},
        {"priority": 2000, "src": "all", "table": "main", "protocol": "boot"},
    ],
    ids=["of a network manager", "for some sources", "for some packets", "of IPsec", "behind the VRFs"],
)
def test_any_other_rule_stays(commands: Commands, other: dict[str, Any]) -> None:
    assert commands([vrf()], {"vrfs": [CORE]}, rules=[other, LOCAL_LAST]) == []


def test_a_route_by_hand_in_a_vrf_goes(commands: Commands) -> None:
    """In the table of a declared VRF; what ends its lookups, its own default route, and the main table stay."""
    default = {"gateway": "192.0.2.1", "interface": "eth0", "vrf": "CORE"}
    by_hand = [
        {"dst": "10.0.0.0/8", "gateway": "192.0.2.9", "dev": "eth0", "table": "200", "metric": 5},
        {"dst": "203.0.113.0/24", "table": "200", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]},
        {"dst": "default", "type": "7", "table": "200", "metric": UNREACHABLE_METRIC},
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "table": "200"},
        {"dst": "192.0.2.53", "type": "2", "dev": "eth0", "table": "200"},
        {"dst": "10.9.0.0/16", "gateway": "192.0.2.9", "dev": "eth0"},
        {"dst": "10.9.0.0/16", "gateway": "192.0.2.9", "dev": "eth0", "table": "300"},
    ]
    declared = {"vrfs": [CORE], "default_routes": [default]}
    best = {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "metric": 0}
    assert commands([vrf(), link("eth0", master="CORE")], declared, routes=[ENDS, best], by_hand=by_hand) == [
        f"ip {family} route delete {words}"
        for family in ("-4", "-6")
        for words in ("10.0.0.0/8 table 200 proto boot metric 5 dev eth0", "203.0.113.0/24 table 200 proto boot")
    ]
    assert commands([vrf(), link("eth0")], declared, routes=[ENDS, best], by_hand=by_hand, only="CORE") == []


def test_what_a_vrf_lost_comes_back(commands: Commands) -> None:
    other = {**ENDS, "metric": 1}
    found = commands([vrf(up=False)], {"vrfs": [CORE]}, routes=[other])
    assert [line.split()[1:4] for line in found] == [["-4", "route", "add"], ["-6", "route", "add"], ["link", "set", "dev"]]


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (vrf(table=300), "VRF CORE lives with table 300, declared is 200, and .* `ip link delete dev CORE`"),
        (link("CORE", kind="dummy"), r"CORE exists and is no VRF \(kind dummy\)"),
    ],
    ids=["table", "kind"],
)
def test_a_contradiction_is_refused(commands: Commands, live: dict[str, Any], words: str) -> None:
    with pytest.raises(InterfaceLayerError, match=words):
        commands([live], {"vrfs": [CORE]})


def test_a_vrf_of_ours_gets_another_table_with_all_that_is_in_it(commands: Commands) -> None:
    """None of its members is up before it is in the VRF again, nor one that nobody declared and that only this knows of."""
    live = [
        vrf(),
        link("wg1", "wireguard", master="CORE"),
        link("eth1", master="CORE", up=False),
        link("veth7", "veth", master="CORE"),
        link("veth8", "veth", master="CORE", up=False),
        link("eth2"),
    ]
    interfaces = [{"name": "wg1", "vrf": "CORE"}, {"name": "eth1", "vrf": "CORE"}]
    found = commands(
        live,
        {"vrfs": [{"name": "CORE", "table": 300}], "interfaces": interfaces},
        {"vrfs": [CORE], "interfaces": interfaces},
    )
    assert found == [
        "ip link set dev wg1 down",
        "ip link set dev veth7 down",
        "ip link delete dev CORE",
        *(f"ip {family} route delete unreachable default table 200 metric {UNREACHABLE_METRIC}" for family in ("-4", "-6")),
        "ip link add dev CORE type vrf table 300",
        "ip link set dev CORE up",
        "ip link set dev wg1 master CORE",
        "ip link set dev wg1 up",
        "ip link set dev eth1 master CORE",
        "ip link set dev eth1 up",
        "ip link set dev veth7 master CORE",
        "ip link set dev veth7 up",
        "ip link set dev veth8 master CORE",
    ]


def test_two_vrfs_change_their_tables_with_each_other(commands: Commands) -> None:
    """Both go before one is made, and the ends of both tables stay."""
    other = {"name": "NFV", "table": 201}
    declared = {"vrfs": [{**CORE, "table": 201}, {**other, "table": 200}]}
    assert commands([vrf(), vrf("NFV", 201)], declared, {"vrfs": [CORE, other]}) == [
        "ip link delete dev CORE",
        "ip link delete dev NFV",
        "ip link add dev CORE type vrf table 201",
        "ip link set dev CORE up",
        "ip link add dev NFV type vrf table 200",
        "ip link set dev NFV up",
    ]


def test_tunnels_over_a_vrf_that_gets_another_table_are_made_again(commands: Commands) -> None:
    """A GRE tunnel would go on over an interface that is gone. What lies on a VXLAN goes with it; somebody else's VXLAN the kernel takes by itself."""
    gre = {"name": "gre1", "local": "192.0.2.1", "remote": "192.0.2.2", "underlay_vrf": "CORE"}
    live = [
        vrf(),
        link("gre1", "gre", local="192.0.2.1", remote="192.0.2.2", ttl=64, pmtudisc=True, link="CORE"),
        link("gre9", "gre", local="192.0.2.9", remote="192.0.2.8", link="CORE"),
        link("vxlan9", "vxlan", link="CORE", id=9, local="192.0.2.9"),
        {**link("mac9", "macvlan", master="CORE"), "link": "vxlan9"},
    ]
    state: dict[str, Any] = {"vrfs": [CORE], "gre_tunnels": [gre]}
    found = commands(live, {**state, "vrfs": [{**CORE, "table": 300}]}, state)
    assert [line for line in found if " route " not in line] == [
        "ip link delete dev gre1",
        "ip link delete dev CORE",
        "ip link add dev CORE type vrf table 300",
        "ip link set dev CORE up",
        "ip link add dev gre1 type gre local 192.0.2.1 remote 192.0.2.2 dev CORE ttl 64 pmtudisc",
        "ip link set dev gre1 up",
    ]


@pytest.mark.parametrize(
    ("previous", "only"),
    [(None, None), ({"vrfs": [{**CORE, "found": True}]}, None), ({"vrfs": [CORE]}, "wg1")],
    ids=["boot", "found", "one interface"],
)
def test_a_vrf_that_is_not_known_as_ours_keeps_its_table(commands: Commands, previous: dict[str, Any] | None, only: str | None) -> None:
    """A hook that still reads the former file must not take back what role vrf has just changed."""
    declared = {"vrfs": [{**CORE, "table": 300}], "interfaces": [{"name": "wg1", "vrf": "CORE"}]}
    with pytest.raises(InterfaceLayerError, match="VRF CORE lives with table 200, declared is 300"):
        commands([vrf(), link("wg1", master="CORE")], declared, previous, only=only)


def test_a_vrf_nobody_declares_any_more_goes_and_its_members_are_down_before_they_fall_into_the_main_table(commands: Commands) -> None:
    """Also one that nobody ever declared. The route that ends its lookups goes after it."""
    live = [
        vrf(),
        vrf("OLD", 300),
        link("eth1", master="OLD"),
        link("ovpn9", "tun", master="OLD"),
        link("eth2", master="CORE"),
        link("br1", kind="bridge"),
    ]
    previous = {
        "vrfs": [CORE, {"name": "OLD", "table": 300}, {"name": "NEVER", "table": 400}],
        "interfaces": [{"name": "eth1", "vrf": "OLD"}, {"name": "eth2", "vrf": "CORE"}, {"name": "br1", "kind": "bridge"}, {"name": "wg9"}],
    }
    assert commands(live, {"vrfs": [CORE], "interfaces": [{"name": "eth2", "vrf": "CORE"}]}, previous) == [
        "ip link set dev eth1 down",
        "ip link set dev eth1 nomaster",
        "ip link delete dev br1",
        *(f"ip {family} route delete unreachable default table 400 metric {UNREACHABLE_METRIC}" for family in ("-4", "-6")),
        "ip link set dev ovpn9 down",
        "ip link delete dev OLD",
        *(f"ip {family} route delete unreachable default table 300 metric {UNREACHABLE_METRIC}" for family in ("-4", "-6")),
    ]


def test_what_was_found_stays_when_it_leaves_and_its_members_are_down(commands: Commands) -> None:
    """A bridge, a dummy, a tunnel and a VRF of the owner's that were declared for a while; with a VRF left, the rules stay, too."""
    gre = {"name": "gre1", "local": "192.0.2.1", "remote": "192.0.2.2", "found": True}
    live = [
        vrf(),
        link("br0", kind="bridge", master="CORE"),
        {**link("dum0", kind="dummy"), "mtu": 1280},
        link("gre1", kind="gre"),
    ]
    previous = {
        "vrfs": [{**CORE, "found": True}],
        "interfaces": [
            {"name": "br0", "kind": "bridge", "vrf": "CORE", "found": True},
            {"name": "dum0", "kind": "dummy", "mtu": 1280, "former_mtu": 1500, "found": True},
        ],
        "gre_tunnels": [gre],
    }
    assert commands(live, {}, previous) == [
        "ip link set dev br0 down",
        "ip link set dev br0 nomaster",
        "ip link set dev dum0 mtu 1500",
    ]


def test_the_last_vrf_leaves_the_rules_as_they_were(commands: Commands) -> None:
    found = commands([vrf()], {}, {"vrfs": [CORE]}, routes=[])
    assert found == [
        "ip link delete dev CORE",
        *(
            f"ip {family} rule {words}"
            for family in ("-4", "-6")
            for words in ("add preference 0 table local protocol kernel", "delete preference 32765 table local")
        ),
    ]


def test_a_local_rule_for_some_packets_is_no_reason_to_leave_the_others_without(commands: Commands) -> None:
    """Of the owner's, at preference 0: with it alone at its place the host would answer nobody else."""
    mine = {"priority": 0, "src": "all", "table": "local", "fwmark": "0x1"}
    found = commands([vrf()], {}, {"vrfs": [CORE]}, routes=[], rules=[mine, LOCAL_LAST])
    assert "ip -4 rule add preference 0 table local protocol kernel" in found


def test_a_member_that_goes_with_its_vrf_is_put_into_the_next(commands: Commands) -> None:
    live = [vrf("OLD", 300), link("eth1", master="OLD")]
    declared = {"vrfs": [CORE], "interfaces": [{"name": "eth1", "vrf": "CORE"}]}
    previous = {"vrfs": [{"name": "OLD", "table": 300}], "interfaces": [{"name": "eth1", "vrf": "OLD"}]}
    found = commands(live, declared, previous)
    # Never in between in the main table, and never down.
    assert [line for line in found if " route " not in line] == [
        "ip link add dev CORE type vrf table 200",
        "ip link set dev CORE up",
        "ip link set dev eth1 master CORE",
        "ip link delete dev OLD",
    ]


# ---- members ---------------------------------------------------------------------------------------------------------


def test_members_move(commands: Commands) -> None:
    """Into a VRF, into a bridge, and out of either; a master of another kind that nobody declared is somebody else's."""
    live = [vrf(), link("br0", kind="bridge"), link("bond0", kind="bond")]
    live += [link("eth1"), link("eth2", master="CORE"), link("eth3", master="bond0"), link("eth4", master="br0")]
    interfaces = [{"name": "eth1", "vrf": "CORE"}, {"name": "eth2", "bridge": "br0"}, {"name": "eth3"}, {"name": "eth4"}]
    declared = {"vrfs": [CORE], "interfaces": [*interfaces, {"name": "br0", "kind": "bridge", "vrf": "CORE"}]}
    previous = {"interfaces": [{"name": "eth4", "bridge": "br0"}]}
    assert commands(live, declared, previous) == [
        "ip link set dev eth4 nomaster",
        "ip link set dev br0 master CORE",
        "ip link set dev eth1 master CORE",
        "ip link set dev eth2 master br0",
    ]
    assert commands([vrf(), link("eth1", master="CORE")], {"interfaces": [{"name": "eth1"}]}) == ["ip link set dev eth1 nomaster"]


def test_an_interface_of_another_kind_is_refused(commands: Commands) -> None:
    with pytest.raises(InterfaceLayerError, match="br0 exists with kind dummy, declared is bridge"):
        commands([link("br0", kind="dummy")], {"interfaces": [{"name": "br0", "kind": "bridge"}]})


def test_what_something_else_makes_is_missed_unless_it_comes_and_goes(commands: Commands) -> None:
    interfaces = [{"name": "wg0"}, {"name": "ppp0", "dynamic": True}, {"name": "eth9.5", "kind": "vlan", "parent": "eth9", "vlan": 5}]
    assert commands([], {"interfaces": interfaces}, missing=["wg0", "eth9"]) == []


def test_one_interface_alone_brings_its_vrf(commands: Commands) -> None:
    """As after wg-quick has made a tunnel: nothing else is touched, and nothing is taken down."""
    declared = {
        "vrfs": [CORE, {"name": "OTHER", "table": 300}],
        "interfaces": [{"name": "wg0", "vrf": "CORE", "mtu": 1412}, {"name": "wg1", "vrf": "OTHER"}],
        "default_routes": [{"gateway": "192.0.2.1", "interface": "wg1"}],
    }
    live = [vrf(), link("wg0"), link("wg1"), link("gone")]
    found = commands(live, declared, {"interfaces": [{"name": "gone", "kind": "dummy"}]}, only="wg0")
    assert found == ["ip link set dev wg0 master CORE", "ip link set dev wg0 mtu 1412"]


@pytest.mark.parametrize(
    "declared",
    [
        {"vrfs": [CORE]},
        {"interfaces": [{"name": "CORE", "kind": "dummy"}]},
        {"interfaces": [{"name": "eth1"}, {"name": "CORE", "kind": "vlan", "parent": "eth1", "vlan": 5}]},
    ],
    ids=["vrf", "dummy", "vlan"],
)
def test_one_that_was_renamed_gets_its_name_back(commands: Commands, tmp_path: Path, declared: dict[str, Any]) -> None:
    """By its index, which the kernel gives once: what lies on it and what is in it stays."""
    (tmp_path / "index").write_text('{"CORE": 7}', encoding="utf-8")
    kind = "vrf" if "vrfs" in declared else declared["interfaces"][-1]["kind"]
    renamed = {**link("other", kind=kind, table=200, id=5), "ifindex": 7, "link": "eth1"}
    live = [{**link("eth1"), "ifindex": 2}, renamed]
    assert commands(live, declared) == ["ip link set dev other name CORE"]
    # Another interface has that index after a boot only, and then nothing is known.
    (tmp_path / "index").write_text("{", encoding="utf-8")
    assert "ip link set dev other name CORE" not in commands(live, declared)


def test_a_name_that_is_declared_is_not_taken_away(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "index").write_text('{"br0": 7}', encoding="utf-8")
    live = [{**link("br1", kind="bridge"), "ifindex": 7}]
    (tmp_path / "br1.accept_dad").write_text("0\n", encoding="ascii")
    found = commands(live, {"interfaces": [{"name": "br0", "kind": "bridge"}, {"name": "br1", "kind": "bridge"}]})
    assert [line for line in found if " name " in line] == []
    assert found[0] == "ip link add dev br0 type bridge"


# ---- addresses of a bridge without ports -----------------------------------------------------------------------------


BRIDGE = {"name": "br0", "kind": "bridge"}


def test_a_bridge_without_ports_looks_for_no_duplicates(commands: Commands, tmp_path: Path) -> None:
    """It has no carrier, and the kernel would wait for one: the address would stay tentative for ever, after every boot."""
    setting = tmp_path / "br0.accept_dad"
    quiet = f"write 0 to {setting}"
    assert quiet in commands([], {"interfaces": [BRIDGE]})
    setting.write_text("1\n", encoding="ascii")
    live = [{**link("br0", kind="bridge"), "ifindex": 5}]
    held = [{"ifname": "br0", "addr_info": [{"local": "fd00::1", "prefixlen": 64, "scope": "global", "tentative": True}]}]
    assert commands(live, {"interfaces": [BRIDGE]}, addresses=held) == [
        quiet,
        "ip -6 address delete fd00::1/64 dev br0",
        "ip -6 address add fd00::1/64 dev br0",
    ]
    setting.write_text("0\n", encoding="ascii")
    assert commands(live, {"interfaces": [BRIDGE]}, addresses=held) == []


def test_one_that_gets_a_port_looks_for_them_again(commands: Commands, tmp_path: Path) -> None:
    setting = tmp_path / "br0.accept_dad"
    setting.write_text("0\n", encoding="ascii")
    live = [{**link("br0", kind="bridge"), "ifindex": 5}, link("eth1", master="br0")]
    declared = {"interfaces": [BRIDGE, {"name": "eth1", "bridge": "br0"}]}
    assert commands(live, declared, {"interfaces": [BRIDGE]}) == [f"write 1 to {setting}"]
    # What the host's owner has set is left alone.
    assert commands(live, declared, declared) == []


# ---- default routes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gateway", "best", "words"),
    [
        ("192.0.2.1", 0, "-4 route replace default via 192.0.2.1 dev eth0 table 200 metric 0"),
        ("2001:db8::1", 1, "-6 route replace default via 2001:db8::1 dev eth0 table 200 metric 1"),
    ],
)
def test_the_default_route_is_the_one_with_the_best_metric(commands: Commands, gateway: str, best: int, words: str) -> None:
    declared = {"vrfs": [CORE], "default_routes": [{"gateway": gateway, "interface": "eth0", "vrf": "CORE"}]}
    live = [vrf(), link("eth0", master="CORE")]
    own = {"dst": "default", "gateway": gateway, "dev": "eth0", "metric": best}
    dhcp = {**own, "gateway": "203.0.113.1", "metric": 1024}
    assert commands(live, declared, routes=[ENDS, dhcp, own]) == []
    assert commands(live, declared, routes=[ENDS, dhcp]) == [f"ip {words}"]
    # With the best metric, too, and before it: the kernel takes the first, and says "File exists" to a route that would replace it and is there already.
    other = {**own, "gateway": "203.0.113.1"}
    family = words.split()[0]
    assert commands(live, declared, routes=[ENDS, other]) == [f"ip {words}"]
    assert commands(live, declared, routes=[ENDS, other, own]) == [
        f"ip {family} route delete default via 203.0.113.1 dev eth0 table 200 metric {best}"
    ]


def test_a_gateway_outside_of_every_subnet_is_said_to_be_on_the_link(commands: Commands) -> None:
    """The kernel says no to it else (Nexthop has invalid gateway). One that is there is not made again, whoever has made it."""
    declared = {"default_routes": [{"gateway": "172.31.1.1", "interface": "eth0", "onlink": True}]}
    assert commands([link("eth0")], declared, routes=[]) == [
        "ip -4 route replace default via 172.31.1.1 dev eth0 table main metric 0 onlink"
    ]
    assert (
        commands([link("eth0")], declared, routes=[{"dst": "default", "gateway": "172.31.1.1", "dev": "eth0", "flags": ["onlink"]}]) == []
    )


def test_a_default_route_waits_for_its_interface(commands: Commands) -> None:
    assert commands([], {"default_routes": [{"gateway": "192.0.2.1", "interface": "eth0"}]}) == []


IPV4 = {"gateway": "192.0.2.1", "interface": "eth0"}
IPV6 = {"gateway": "2001:db8::1", "interface": "eth0"}
OURS: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"},
    {"dst": "default", "gateway": "2001:db8::1", "dev": "eth0", "metric": 1},
]
LEASED = {"dst": "default", "gateway": "192.0.2.9", "dev": "eth0", "protocol": "dhcp", "metric": 100}


@pytest.mark.parametrize(
    ("former", "words"),
    [
        (None, ["-4 route delete default via 192.0.2.1 dev eth0 metric 0", "-6 route delete default via 2001:db8::1 dev eth0 metric 1"]),
        ({"found": True}, []),
        (
            {"gateway": "192.0.2.9", "dev": "eth1", "protocol": "static", "onlink": True},
            [
                f"-{number} route replace default via 192.0.2.9 dev eth1 metric {best} proto static onlink"
                for number, best in ((4, 0), (6, 1))
            ],
        ),
        (
            {"dev": "ppp0", "onlink": False},
            [f"-{number} route replace default dev ppp0 metric {best}" for number, best in ((4, 0), (6, 1))],
        ),
    ],
    ids=["nothing before", "found", "replaced another", "replaced one without a gateway"],
)
def test_a_default_route_that_leaves_is_gone_or_gives_way_to_the_one_of_before(
    commands: Commands, former: dict[str, Any] | None, words: list[str]
) -> None:
    """Of the main table; one of a lease beside it is its maker's."""
    more = {"former": former} if former else {}
    previous = {"default_routes": [{**IPV4, **more}, {**IPV6, **more}]}
    kept = {"interfaces": [{"name": "eth0", "mtu": 1500}]}
    assert commands([link("eth0")], kept, previous, routes=[LEASED, *OURS]) == [f"ip {line}" for line in words]
    # Somebody has taken it away, or given another one.
    assert commands([link("eth0")], kept, previous, routes=[LEASED]) == []


def test_a_default_route_that_is_another_now_replaces_the_former(commands: Commands) -> None:
    previous = {"default_routes": [IPV4, IPV6]}
    other = {"default_routes": [{**IPV4, "gateway": "192.0.2.7"}, IPV6]}
    assert commands([link("eth0")], other, previous, routes=OURS) == [
        "ip -4 route replace default via 192.0.2.7 dev eth0 table main metric 0"
    ]


def test_a_default_route_of_a_vrf_that_leaves_goes_with_what_was_set_by_hand(commands: Commands) -> None:
    """In both families, and the one of a lease stays."""
    previous = {"vrfs": [CORE], "default_routes": [{**IPV4, "vrf": "CORE"}, {**IPV6, "vrf": "CORE"}]}
    live = [vrf(), link("eth0", master="CORE")]
    declared = {"vrfs": [CORE], "interfaces": [{"name": "eth0", "vrf": "CORE"}]}
    by_hand = [{**route, "table": "200"} for route in OURS]
    found = commands(live, declared, previous, routes=[ENDS, LEASED, *OURS], by_hand=by_hand)
    assert found[:2] == [
        "ip -4 route delete default table 200 proto boot dev eth0",
        "ip -4 route delete default table 200 proto boot metric 1 dev eth0",
    ]
    assert [line.split()[1] for line in found] == ["-4", "-4", "-6", "-6"]


# ---- the kernel ------------------------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ip(8) that keeps how it was called, and answers with the files out, err and status."""
    program = tmp_path / "ip"
    program.write_text(
        f'#!/bin/sh\ncd {tmp_path}\necho "$*" >>calls\ncat out 2>/dev/null\ncat err >&2 2>/dev/null\nexit $(cat status 2>/dev/null || echo 0)\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def called(programs: Path) -> list[str]:
    path = programs / "calls"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def fail(programs: Path, words: str) -> None:
    (programs / "status").write_text("2", encoding="utf-8")
    (programs / "err").write_text(words + "\n", encoding="utf-8")


def test_what_ip_shows_is_read(programs: Path) -> None:
    shown = [{}, {**vrf(), "ifindex": 7, "address": "02:00:00:00:00:01"}, {"link_type": "nameless"}]
    (programs / "out").write_text(json.dumps(shown), encoding="utf-8")
    links = Kernel().links()
    assert called(programs) == ["-json -details link show"]
    assert set(links) == {"CORE"}
    expected = {"index": 7, "kind": "vrf", "table": 200, "mac": "02:00:00:00:00:01", "up": True, "arp": True}
    assert links["CORE"].items() >= expected.items()


def test_a_table_without_a_route_yet_is_empty(programs: Path) -> None:
    fail(programs, "Error: ipv4: FIB table does not exist.\nDump terminated")
    assert Kernel().read("-4", "route", "show", "table", "200") == []
    fail(programs, "RTNETLINK answers: Operation not permitted")
    with pytest.raises(InterfaceLayerError, match=r"^ip -json link show: RTNETLINK answers: Operation not permitted$"):
        Kernel().read("link", "show")


def test_a_change_is_remembered_and_a_dry_run_only_remembers(programs: Path) -> None:
    kernel = Kernel()
    kernel.change("link", "set", "dev", "CORE", "up")
    assert kernel.commands == ["ip link set dev CORE up"]
    dry = Kernel(dry_run=True)
    dry.change("link", "delete", "dev", "CORE")
    assert dry.commands == ["ip link delete dev CORE"]
    assert called(programs) == ["link set dev CORE up"]


def test_a_refusal_that_is_counted_on_is_no_error(programs: Path) -> None:
    fail(programs, "RTNETLINK answers: Device or resource busy")
    kernel = Kernel()
    assert not kernel.attempt("resource busy", "link", "set", "dev", "eth0", "address", "02:00:00:00:00:01")
    assert kernel.commands == []
    with pytest.raises(InterfaceLayerError, match=r"^ip link set dev eth0 up: RTNETLINK answers: Device or resource busy$"):
        kernel.change("link", "set", "dev", "eth0", "up")


# ---- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "answer", "status", "out", "err"),
    [
        (["apply"], (["ip link set dev CORE up"], []), 0, "ip link set dev CORE up\n", ""),
        (["check"], (["ip link set dev CORE up"], []), 2, "ip link set dev CORE up\n", ""),
        (["check"], ([], []), 0, "", ""),
        (["apply", "--previous", "/tried.json"], ([], []), 0, "", ""),
        (
            ["apply", "--interface", "wg0"],
            ([], ["wg0"]),
            1,
            "",
            "xgn-interface: wg0 does not exist; what makes it has not run or has failed\n",
        ),
    ],
)
def test_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    answer: tuple[list[str], list[str]],
    status: int,
    out: str,
    err: str,
) -> None:
    asked: list[dict[str, Any]] = []

    def apply(declared: dict[str, Any], previous: dict[str, Any] | None, only: str | None, dry_run: bool) -> tuple[list[str], list[str]]:
        asked.append({"declared": declared, "previous": previous, "only": only, "dry_run": dry_run})
        return answer

    monkeypatch.setattr(interface_layer, "load", lambda path="": {"tried": path} if path else {"vrfs": [CORE]})
    monkeypatch.setattr(interface_layer, "apply", apply)
    monkeypatch.setattr(sys, "argv", ["xgn-interface", *words])
    assert interface_layer.main() == status
    previous = {"tried": words[2]} if "--previous" in words else None
    only = "wg0" if "--interface" in words else None
    assert asked == [{"declared": {"vrfs": [CORE]}, "previous": previous, "only": only, "dry_run": words == ["check"]}]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (out, err)


def test_a_declaration_that_is_torn_or_missing(tmp_path: Path) -> None:
    path = tmp_path / "interface.json"
    assert interface_layer.load(str(path)) == {}
    path.write_text('{"vrfs": []}', encoding="utf-8")
    assert interface_layer.load(str(path)) == {"vrfs": []}
    path.write_text('{"vrfs": [', encoding="utf-8")
    with pytest.raises(InterfaceLayerError, match=rf"^{path} is no JSON|^{path} holds no JSON object"):
        interface_layer.load(str(path))


def test_the_program_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def torn() -> dict[str, Any]:
        raise InterfaceLayerError("/etc/xgn/interface.json: torn")

    monkeypatch.setattr(interface_layer, "load", torn)
    monkeypatch.setattr(sys, "argv", ["xgn-interface", "apply"])
    assert interface_layer.main() == 1
    assert capsys.readouterr().err == "xgn-interface: /etc/xgn/interface.json: torn\n"


def test_a_nic_that_leaves_gets_its_former_mtu_unless_somebody_else_has_set_another(commands: Commands) -> None:
    previous = {"interfaces": [{"name": "eth1", "mtu": 9000, "former_mtu": 1500}]}
    assert commands([{**link("eth1"), "mtu": 9000}], {"interfaces": []}, previous) == ["ip link set dev eth1 mtu 1500"]
    assert commands([{**link("eth1"), "mtu": 1400}], {"interfaces": []}, previous) == []
