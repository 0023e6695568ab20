"""The topology of the report: every link of a plan with what runs over it, in every state, and what plain role variables give."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pytest
import verify_samples as samples
from ansible_collections.xuegao.net.plugins.plugin_utils.render import graphviz
from ansible_collections.xuegao.net.plugins.plugin_utils.report.data import build_report
from ansible_collections.xuegao.net.plugins.plugin_utils.report.html_page import KIND_LEGEND, STATE_LEGEND, legend_of
from ansible_collections.xuegao.net.plugins.plugin_utils.report.links import first_hops
from ansible_collections.xuegao.net.plugins.plugin_utils.report.topology import graph_of, worded
from verify_demo import demo_report, results_of
from verify_plans import GOLDEN, META, golden_report, plan_of, registry_of, state_of

NETWORKS = sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml"))
HYBRID = [
    ("hq-core", "hq-nfv", "direct", "eth1 – eth0 · wire up\nBGP v4 v6 up\nOSPF v2 v3 full · BFD up"),
    ("hq-core", "hq-nfv", "vlan", "eth1.100 – eth0.100 · VLAN 100 up"),
    ("hq-core", "cloud-edge", "wireguard", "wg1 · WireGuard up\nBGP v4 v6 up · BFD up"),
    ("hq-core", "cloud-edge", "openvpn", "ovpn2 · OpenVPN up · reserve\nBGP v4 v6 up · BFD up"),
    ("hq-core", "cloud-edge", "l2tp_ipsec", "l2tp6 · L2TP/IPsec up · reserve\nBGP v4 v6 up · BFD up"),
    ("cloud-edge", "cloud-node", "vxlan", "vxlan1000 · VXLAN up\nBGP v4 v6 up · BFD up"),
    ("cloud-edge", "VNI 1100", "vxlan", "vxlan1100 · VXLAN up"),
    ("cloud-node", "VNI 1100", "vxlan", "vxlan1100 · VXLAN up"),
    ("igp", "VNI 1100", "docker", "eth0 · Docker apps up\nBGP to cloud-edge v4 v6 up · BFD up"),
]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def hybrid_states() -> dict[str, dict[str, Any]]:
    """Return the live state of the hosts of the hybrid network, to break something in."""
    plan = plan_of("hybrid")
    return {host: state_of(variables, registry_of(plan)) for host, variables in plan.hosts.items()}


def link_of(report: dict[str, Any], interface: str) -> graphviz.Link:
    """Return the one drawn link whose label begins with an interface."""
    (found,) = [link for link in graph_of(report)[1] if link.label.startswith(f"{interface} ")]
    return found


def set_sessions(states: dict[str, dict[str, Any]], hosts: tuple[str, ...], addresses: tuple[str, ...], bgp: str, bfd: str) -> None:
    """Give the sessions with some neighbors a state."""
    for host in hosts:
        for address, peer in states[host]["bgp"]["data"]["CORE"].items():
            peer["state"] = bgp if address in addresses else peer["state"]
        for session in states[host]["bfd"]["data"]:
            session["status"] = bfd if session["peer"] in addresses else session["status"]


# ---- a plan ----------------------------------------------------------------------------------------------------------


def test_the_hybrid_network() -> None:
    nodes, links = graph_of(golden_report("hybrid"))
    assert [(*link.ends, link.kind, link.label) for link in links] == HYBRID
    assert {link.state for link in links} == {"up"}
    assert [link.label.partition(" ")[0] for link in links if link.reserve] == ["ovpn2", "l2tp6"]
    assert [(node.name, node.site) for node in nodes if node.segment] == [("VNI 1100", "cloud")]
    assert "container on cloud-node" in next(node for node in nodes if node.name == "igp").lines


@pytest.mark.parametrize("network", NETWORKS)
def test_every_link_of_a_plan_is_drawn_once_and_carries_its_sessions(network: str) -> None:
    intent = plan_of(network).intent
    report = golden_report(network)
    nodes, links = graph_of(report)
    on_segments = {node.name for node in nodes if node.segment}
    external = {neighbor.name for neighbor in intent.neighbors}
    assert {node.name for node in nodes if node.external} == external
    drawn = Counter((frozenset(link.ends), link.kind, link.reserve) for link in links if not set(link.ends) & (on_segments | external))
    # The report knows what managed hosts say: of a link between two others there is nothing to say.
    links_of_hosts = [link for link in intent.links if any(end.node.managed for end in link.ends)]
    planned = Counter((frozenset(end.node.name for end in link.ends), link.type, link.reserve_of is not None) for link in links_of_hosts)
    assert not planned - drawn
    assert (drawn - planned).total() == len(intent.segments) - len(on_segments), "a segment of two is one line"
    apart = [link for link in links if link.kind == "bgp"]
    assert all(set(link.ends) & external for link in apart), "every session between nodes runs over a link"
    told = "\n".join(link.tooltip for link in links)
    for host in report["hosts"]:
        for session in host["sessions"]:
            assert told.count(f"{host['host']} → {session['address']} (VRF {session['vrf']})") == 1


def test_without_a_plan_only_the_reserve_is_not_known() -> None:
    links = graph_of(golden_report("hybrid", without=("verify_reserves",)))[1]
    assert [(*link.ends, link.kind, link.label) for link in links] == [(*row[:3], row[3].replace(" · reserve", "")) for row in HYBRID]
    assert not any(link.reserve for link in links)


# ---- states ----------------------------------------------------------------------------------------------------------


def test_one_family_is_down() -> None:
    states = hybrid_states()
    set_sessions(states, ("hq-core", "cloud-edge"), ("fd00:255::1", "fd00:255::3"), "Active", "up")
    link = link_of(golden_report("hybrid", states), "wg1")
    assert link.label == "wg1 · WireGuard up\nBGP v4 up, v6 DOWN · BFD up"
    assert (link.state, link.line_states) == ("half", ("up", "half"))


def test_one_family_is_not_negotiated() -> None:
    states = hybrid_states()
    states["hq-core"]["bgp"]["data"]["CORE"]["10.255.0.2"]["families"]["ipv6Unicast"]["negotiated"] = False
    assert "\nBGP v4 up, v6 DOWN\n" in link_of(golden_report("hybrid", states), "eth1").label


def test_one_end_only() -> None:
    states = hybrid_states()
    states["cloud-edge"]["openvpn"]["data"]["ovpn2"]["state"] = "RECONNECTING"
    link = link_of(golden_report("hybrid", states), "ovpn2")
    assert link.label.startswith("ovpn2 · OpenVPN up at one end · reserve\n")
    assert (link.state, link.line_states) == ("half", ("half", "up"))
    assert "cloud-edge ovpn2: DOWN, RECONNECTING" in link.tooltip


def test_a_tunnel_that_is_down_keeps_its_sessions() -> None:
    """The live routes to the other loopback may then lead through another tunnel; the session is still that of the first."""
    states = hybrid_states()
    for host, peer in (("hq-core", "10.255.0.3/32"), ("cloud-edge", "10.255.0.1/32")):
        tunnel = next(iter(states[host]["wireguard"]["data"]["wg1"]["peers"].values()))
        tunnel["handshake_age"] = 754
        states[host]["rib"]["data"].append(samples.rib_route(peer, "bgp", "10.254.0.10", "ovpn2"))
    set_sessions(states, ("hq-core", "cloud-edge"), ("10.255.0.1", "10.255.0.3", "fd00:255::1", "fd00:255::3"), "Connect", "down")
    report = golden_report("hybrid", states)
    link = link_of(report, "wg1")
    assert (link.label, link.state) == ("wg1 · WireGuard DOWN\nBGP v4 v6 DOWN · BFD DOWN", "down")
    assert link_of(report, "ovpn2").label == HYBRID[3][3]


@pytest.mark.parametrize(
    ("part", "found", "state"),
    [
        ("ipsec", {"l2tp6": {"child": None}}, "down"),
        ("links", {"l2tp6": {"up": False, "oper": "DOWN"}}, "down"),
        ("links", {}, "down"),
        ("ipsec", None, "unknown"),
    ],
)
def test_l2tp_needs_both_its_parts(part: str, found: Any, state: str) -> None:
    states = hybrid_states()
    for host in ("hq-core", "cloud-edge"):
        states[host][part]["data"] = found
    assert link_of(golden_report("hybrid", states), "l2tp6").state == state


def test_a_wire_without_a_signal_is_down_though_its_interface_is_switched_on() -> None:
    states = hybrid_states()
    for host, interface in (("hq-core", "eth1"), ("hq-nfv", "eth0")):
        states[host]["links"]["data"][interface]["oper"] = "DOWN"
    link = link_of(golden_report("hybrid", states), "eth1")
    assert link.state == "down"
    assert "hq-nfv eth0: DOWN, no carrier" in link.tooltip


def test_ospf_and_its_watchdog() -> None:
    states = hybrid_states()
    for host in ("hq-core", "hq-nfv"):
        states[host]["ospf6"]["data"] = []
        states[host]["bfd"]["data"] = [session for session in states[host]["bfd"]["data"] if not session["peer"].startswith("fe80")]
    link = link_of(golden_report("hybrid", states), "eth1")
    assert link.label.splitlines()[2] == "OSPF v2 full, v3 DOWN · BFD v4 up, v6 DOWN"
    assert link.state == "half"


def test_a_failed_check_of_the_link_shows() -> None:
    check = {"host": "cloud-edge", "name": "Interface wg1 MTU", "status": "failed", "command": "", "detail": "found 1420, expected 1412"}
    report = golden_report("hybrid", checks=[check])
    link = link_of(report, "wg1")
    assert link.label.startswith("wg1 · WireGuard up · 1 check FAILED\n")
    assert (link.state, link.line_states) == ("half", ("half", "up"))
    assert "cloud-edge ✗ Interface wg1 MTU: found 1420, expected 1412" in link.tooltip
    assert link_of(report, "ovpn2").state == "up"


def test_a_failed_check_of_the_interface_with_the_addresses_shows() -> None:
    check = {
        "host": "cloud-edge",
        "name": "Interface seg1100 addresses",
        "status": "failed",
        "command": "",
        "detail": "missing 10.100.0.1/24",
    }
    links = [link for link in graph_of(golden_report("hybrid", checks=[check]))[1] if link.label.startswith("vxlan1100 ")]
    assert {link.ends[0]: link.state for link in links} == {"cloud-edge": "half", "cloud-node": "up"}


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ({"v4": ["up"], "v6": ["up"]}, "v4 v6 full"),
        ({"v4": ["up"], "v6": ["down"]}, "v4 full, v6 DOWN"),
        ({"v4": ["up", "up", "down"]}, "v4 2 of 3 full"),
        ({"": ["half"]}, "up at one end"),
        ({"v4": ["unknown"], "v6": ["unknown"]}, "v4 v6 not known"),
    ],
)
def test_states_in_few_words(groups: dict[str, list[str]], text: str) -> None:
    assert worded(groups, "full") == text


# ---- plain role variables --------------------------------------------------------------------------------------------


def test_the_two_views_of_a_link_become_one() -> None:
    nodes, links = graph_of(demo_report(2))
    assert [node.name for node in nodes] == ["T1", "T2"]
    assert [(link.kind, link.state) for link in links] == [("wireguard", "up")]
    assert links[0].label == "wg0 · WireGuard up\nBGP v4 up · BFD up"
    assert links[0].tooltip.count("\n") == 4, "a line per end, for the tunnel and for the session"


@pytest.mark.parametrize(
    ("ours", "theirs", "state"),
    [("up", "up", "up"), ("up", "down", "half"), ("down", "down", "down"), ("unknown", "down", "down"), ("unknown", "unknown", "unknown")],
)
def test_the_state_of_a_link(ours: str, theirs: str, state: str) -> None:
    report = demo_report(2)
    for host, word in zip(report["hosts"], (ours, theirs), strict=True):
        host["links"][0]["state"] = word
    assert graph_of(report)[1][0].state == state


def test_a_session_whose_bfd_is_down_is_not_whole() -> None:
    report = demo_report(2)
    for host in report["hosts"]:
        host["sessions"][0]["bfd"] = "down"
    link = graph_of(report)[1][0]
    assert link.state == "half"
    assert "BFD DOWN" in link.label


def test_a_session_over_no_link_of_its_own_is_a_thin_line() -> None:
    """Two loopbacks, with a third router between them: no link joins the hosts of the session."""
    report = demo_report(3)
    first, _between, last = report["hosts"]
    for host, peer in ((first, last), (last, first)):
        loopbacks = [next(address for address in item["addresses"] if address.startswith("10.255.")) for item in (host, peer)]
        host["sessions"].append({**host["sessions"][0], "local": loopbacks[0], "address": loopbacks[1], "description": peer["host"]})
    links = [link for link in graph_of(report)[1] if set(link.ends) == {first["host"], last["host"]}]
    assert [(link.kind, link.state, link.label) for link in links] == [("bgp", "up", "BGP v4 up · BFD up")]
    assert "by wg" in links[0].tooltip


def test_a_router_of_others_is_drawn_as_such() -> None:
    report = demo_report(2)
    report["hosts"][0]["sessions"].append({**report["hosts"][0]["sessions"][0], "address": "192.0.2.1", "description": "provider"})
    nodes, links = graph_of(report)
    assert [(node.name, node.managed) for node in nodes][-1] == ("provider", False)
    assert [(link.kind, link.ends) for link in links][-1] == ("bgp", ("T1", "provider"))


def test_the_wire_to_a_router_of_others_is_known_by_its_session() -> None:
    report = demo_report(2)
    host = report["hosts"][0]
    host["sessions"].append({**host["sessions"][0], "address": "10.1.0.9", "local": None, "description": "provider", "interfaces": ["br0"]})
    link = graph_of(report)[1][-1]
    assert (link.kind, link.ends, link.label) == ("direct", ("T1", "provider"), "br0 · wire up\nBGP v4 up · BFD up")


def test_the_same_subnet_in_two_places_is_no_link() -> None:
    report = demo_report(2)
    for host in report["hosts"]:
        next(end for end in host["links"] if end["interface"] == "br0")["addresses"] = ["192.168.1.1/24"]
    assert [link.kind for link in graph_of(report)[1]] == ["wireguard"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.254.0.2", ["wg0"]),
        ("10.255.0.2", ["wg0"]),
        ("10.2.0.7", ["wg0"]),
        ("10.9.0.1", []),
        ("192.0.2.1", []),
        ("router.example", []),
    ],
)
def test_what_a_session_leaves_through(address: str, expected: list[str]) -> None:
    """A connected subnet, a static route, a live route; a default route and a route of another VRF tell nothing."""
    variables, _registry, states = samples.network(2)
    routes = states["T1"]["rib"]["data"]
    routes += [
        samples.rib_route("0.0.0.0/0", "static", "10.254.0.2", "wg0"),
        samples.rib_route("10.9.0.0/24", "bgp", "10.254.0.2", "wg0", "NFV"),
    ]
    assert first_hops(variables["T1"], states["T1"], "CORE", address) == expected


# ---- the drawing -----------------------------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_the_drawing_has_every_host_and_link(count: int) -> None:
    report = demo_report(count) if count > 1 else build_report(results_of(2)[:1], META)
    nodes, links = graph_of(report)
    svg, reason = graphviz.draw(nodes, links)
    assert reason == ""
    assert svg is not None
    tree = ElementTree.fromstring(svg)
    titles = {element.text for element in tree.iter("{http://www.w3.org/2000/svg}title")}
    assert {node.name for node in nodes} <= titles
    merged = len(links) > graphviz.LABELLED_LINKS
    lines = [element for element in tree.iter() if "link " in element.get("class", "")]
    assert len(lines) == (len(graphviz.merged(links)) if merged else 2 * len(links)), (
        "a labelled line has two halves, with the label between"
    )
    assert len([1 for element in tree.iter() if "card " in element.get("class", "")]) == (0 if merged else len(links))


@needs_dot
def test_labels_do_not_overlap_and_a_reserve_is_a_double_line() -> None:
    svg, reason = graphviz.draw(*graph_of(golden_report("hybrid")))
    assert svg is not None, reason
    space = "{http://www.w3.org/2000/svg}"
    tree = ElementTree.fromstring(svg)
    boxes = []
    for element in tree.iter(f"{space}g"):
        kind = element.get("class", "")
        shapes = [path for path in element.iter(f"{space}path") if path.get("fill") == "white"]
        if kind.startswith("node") and shapes:
            numbers = [float(number) for number in shapes[0].get("d", "").replace("M", "").replace("C", " ").replace(",", " ").split()]
            boxes.append((min(numbers[::2]), max(numbers[::2]), min(numbers[1::2]), max(numbers[1::2])))
        if kind.startswith("edge link"):
            seen = [path for path in element.iter(f"{space}path") if path.get("stroke") != "transparent"]
            assert len(seen) == (2 if "reserve" in kind else 1)
            assert not [mark for tag in ("ellipse", "polygon") for mark in element.iter(space + tag) if mark.get("fill") == "transparent"]
    assert len(boxes) == 6 + len(HYBRID)
    for number, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert right < other[0] or other[1] < left or bottom < other[2] or other[3] < top


@needs_dot
def test_the_legend_explains_what_is_drawn_and_nothing_else() -> None:
    svg, reason = graphviz.draw(*graph_of(golden_report("hybrid")))
    assert svg is not None, reason
    assert legend_of(svg) == {
        "kinds": {kind: words for kind, words in KIND_LEGEND.items() if kind not in ("gre", "bgp", "both")},
        "states": {"up": STATE_LEGEND["up"]},
        "reserve": True,
    }
    assert set(KIND_LEGEND) == set(graphviz.WIDTHS)
    svg, reason = graphviz.draw(*graph_of(demo_report(2, faults=True)))
    assert svg is not None, reason
    assert legend_of(svg) == {"kinds": {"wireguard": "WireGuard tunnel"}, "states": {"down": STATE_LEGEND["down"]}, "reserve": False}


def test_lines_that_become_one_show_the_worst_and_tell_all() -> None:
    states = hybrid_states()
    states["cloud-edge"]["openvpn"]["data"]["ovpn2"]["state"] = "RECONNECTING"
    links = graph_of(golden_report("hybrid", states))[1]
    lines = graphviz.merged(links)
    assert len(lines) == len({frozenset(link.ends) for link in links}) < len(links)
    assert sum(len(line.tooltip.splitlines()) for line in lines) == sum(len(link.tooltip.splitlines()) for link in links)
    for line in lines:
        found = {link.state for link in links if set(link.ends) == set(line.ends)}
        assert (line.state == "up") == (found == {"up"})
        assert (line.label == "") == (line.state == "up"), "marked without colour too"


def test_dot_quotes_what_is_special() -> None:
    node = graphviz.Node('a"b\\<', site='s"', lines=("<i>&",))
    link = graphviz.Link(('a"b\\<', "c"), "bgp", "down", 'x"\n<y>', 't"')
    text = graphviz.dot_source([node, graphviz.Node("c")], [link])
    assert '"a\\"b\\\\<" -- "a\\"b\\\\< – c, 1"' in text
    assert "&lt;i&gt;&amp;" in text
    assert "&lt;y&gt;" in text and "<y>" not in text
    assert 'tooltip="t\\""' in text
    assert "style=dotted" in text


def test_each_gre_tunnel_is_a_line_of_its_own() -> None:
    """Also two between the same addresses, with other names at either end, and one through WireGuard, and one to a router that tells nothing."""
    links = [link for link in graph_of(golden_report("gre"))[1] if link.kind == "gre"]
    assert sorted((*link.ends, link.label.partition("\n")[0]) for link in links) == [
        ("a", "b", "gre1 · GRE up"),
        ("a", "b", "gre2 – branch · GRE up · reserve"),
        ("a", "b", "gre3 · GRE up"),
        ("a", "b", "gre4 · GRE up"),
        ("a", "c", "gre6 · GRE up"),
        ("a", "c", "gre7 · GRE up · reserve"),
        ("a", "partner", "gre8 · GRE up"),
        ("a", "partner", "gre9 · GRE up · reserve"),
    ]
