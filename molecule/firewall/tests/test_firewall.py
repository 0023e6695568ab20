"""Role firewall: what answers on the public interface, what answers behind it, and the MSS that leaves and enters a tunnel."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import testinfra
from host_state import wait_for

UNITS = ["xgn-firewall.service", "nftables.service"]
FILE = "/etc/xgn/firewall.nft"
ADDRESS = {"firewall-debian12": "192.0.2.12", "firewall-debian13": "192.0.2.13"}
OTHER = {"firewall-debian12": "firewall-debian13", "firewall-debian13": "firewall-debian12"}
TCP, UDP = "1-2000,8080", "51820,51821,40000"
# What is planned; nothing listens on the UDP ports, so that they refuse.
OPEN = {"tcp": [22, 1194, 1200], "udp": [51820]}
# What is open to everybody, in IPv6, too.
TO_ALL = {"tcp": [1194], "udp": []}
MSS = {4: 1300, 6: 1280}
JOB_SECONDS = 15
TIMESTAMPS = 12  # Linux takes the timestamp option off what it puts into a segment


def name_of(host: Any) -> str:
    """Return the inventory name of a host."""
    return str(host.backend.host)


def peer_of(host: Any) -> Any:
    """Return the other host of the scenario."""
    return testinfra.get_host(f"docker://{OTHER[name_of(host)]}")


def table(host: Any) -> str:
    """Return the live table."""
    return str(host.check_output("nft -s list table inet xgn"))


def test_file_and_unit(host: Any) -> None:
    """The file belongs to root; the unit is enabled, has run, comes before the network, and is a sound unit."""
    file = host.file(FILE)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
    unit = host.service("xgn-firewall.service")
    assert unit.is_enabled
    assert unit.is_running
    before = host.check_output("systemctl show --property=Before --value xgn-firewall.service").split()
    assert {"network-pre.target", "sysinit.target"} <= set(before)
    verified = host.run("systemd-analyze verify --man=no xgn-firewall.service")
    assert (verified.rc, verified.stderr) == (0, "")


def test_live_table_is_that_of_the_file(host: Any) -> None:
    """The kernel lists the live table as it lists the file's, loaded where nothing else is."""
    declared = host.check_output(f"unshare --net sh -c 'nft -f {FILE} && nft -s list table inet xgn'")
    assert table(host) == declared.rstrip()


def test_nothing_waits_for_confirmation(host: Any) -> None:
    """No way back is left behind, neither what was kept nor who would take it."""
    assert not host.file("/var/lib/xgn/way-back/armed").exists
    # The unit of the boot may still be known of: it has run, and removed its own file.
    assert host.check_output("systemctl list-units --plain --no-legend 'xgn-way-back*'") == ""
    assert host.check_output("find /etc/systemd/system -name 'xgn-way-back*'") == ""


def test_scan_of_the_public_interface(host: Any) -> None:
    """From outside, SSH and the tunnels answer, and nothing else does, listener or not."""
    with_listener = host.run("systemd-run --quiet --unit=listener --collect python3 -m http.server 8080")
    assert with_listener.succeeded, with_listener.stderr
    try:
        found = peer_of(host).check_output("python3 /root/scan.py %s %s %s", ADDRESS[name_of(host)], TCP, UDP)
        assert json.loads(found) == OPEN
    finally:
        host.check_output("systemctl stop listener.service")


def test_scan_in_ipv6(host: Any) -> None:
    """What is open by an IPv4 prefix is closed in IPv6, and the rest is as in IPv4."""
    address = json.loads(host.check_output("ip -json -6 address show dev eth0 scope link"))[0]["addr_info"][0]["local"]
    assert json.loads(peer_of(host).check_output("python3 /root/scan.py %s %s %s", f"{address}%eth0", TCP, UDP)) == TO_ALL


def test_a_renamed_interface_is_public(host: Any) -> None:
    """What no list names is closed, whoever it was before."""
    host.check_output("python3 /root/mss.py")
    host.check_output("ip link set tun9 down && ip link set tun9 name new9 && ip link set new9 up")
    try:
        assert json.loads(host.check_output("ip netns exec far python3 /root/scan.py 10.9.2.1 %s %s", TCP, UDP)) == TO_ALL
        # Nothing is forwarded to it or from it, either.
        for space, address in (("lan", "10.9.2.2"), ("far", "10.9.1.2")):
            assert json.loads(host.check_output(f"ip netns exec {space} python3 /root/scan.py {address} 1-100 53")) == {
                "tcp": [],
                "udp": [],
            }
    finally:
        host.check_output("ip link delete new9")


def test_only_what_is_planned_is_forwarded(host: Any) -> None:
    """A stranger who routes by this host gets nowhere, but to a port that somebody forwards; bridges of others are theirs."""
    host.check_output("python3 /root/mss.py")
    peer, own = peer_of(host), ADDRESS[name_of(host)]
    peer.check_output(f"ip route replace 10.9.2.0/24 via {own}")
    host.check_output(
        "nft -f - <<'END'\ntable ip published {\nchain pre {\ntype nat hook prerouting priority dstnat;\n"
        'iifname "eth0" tcp dport 8443 dnat to 10.9.2.2:8443\n}\n}\nEND'
    )
    try:
        assert json.loads(peer.check_output("python3 /root/scan.py 10.9.2.2 1-100,8443 53")) == {"tcp": [], "udp": []}
        assert json.loads(peer.check_output(f"python3 /root/scan.py {own} 8442-8444 53")) == {"tcp": [8443], "udp": []}
        found = json.loads(host.check_output("ip netns exec lan python3 /root/scan.py 10.9.2.2 1-100 53"))
        assert found == {"tcp": [*range(1, 101)], "udp": [53]}
        # A bridge as Docker makes it, with a container behind it.
        host.check_output(
            "ip netns add box && ip link add box0 type bridge && ip link add box1 master box0 type veth peer name eth0 netns box && "
            "ip address add 10.9.3.1/24 dev box0 && ip link set box0 up && ip link set box1 up && ip -n box link set eth0 up && "
            "ip -n box address add 10.9.3.2/24 dev eth0 && ip -n box route add default via 10.9.3.1"
        )
        peer.check_output(f"ip route replace 10.9.3.0/24 via {own}")
        target = ADDRESS[OTHER[name_of(host)]]
        assert json.loads(host.check_output(f"ip netns exec box python3 /root/scan.py {target} 1194 53"))["tcp"] == [1194]
        assert json.loads(host.check_output("ip netns exec box python3 /root/scan.py 10.9.2.2 1-100 53")) == {"tcp": [], "udp": []}
    finally:
        host.run("nft delete table ip published; ip link delete box0; ip netns delete box")
        peer.run("ip route delete 10.9.2.0/24; ip route delete 10.9.3.0/24")


def test_what_leaves_by_an_exit_is_translated_and_its_answer_finds_back(host: Any) -> None:
    """The other host has no route to the source, and the main table has one that leads astray: only NAT and the mark bring an answer."""
    host.check_output("python3 /root/mss.py")
    host.check_output(
        "ip netns add box && ip link add vrf9 type veth peer name eth0 netns box && ip link set vrf9 up && ip -n box link set eth0 up && "
        "ip address add 10.9.4.1/24 dev vrf9 noprefixroute && ip -n box address add 10.9.4.2/24 dev eth0 && "
        "ip -n box route add default via 10.9.4.1 && ip route add 10.9.4.2/32 dev lan9 && "
        "ip route add 10.9.4.0/24 dev vrf9 table 100"
    )
    ask = f"ip netns exec box python3 /root/scan.py {ADDRESS[OTHER[name_of(host)]]} 1194 53"
    try:
        assert json.loads(host.check_output(ask))["tcp"] == []
        host.check_output("ip rule add preference 990 fwmark 100 lookup 100")
        assert json.loads(host.check_output(ask))["tcp"] == [1194]
    finally:
        host.run("ip rule delete preference 990; ip link delete vrf9; ip netns delete box; ip route delete 10.9.4.2/32")


def test_own_rules_stand_in_chains_of_their_own(host: Any) -> None:
    """As the kernel lists them, in their order; what no public interface accepts goes through one before it is dropped."""
    forward = host.check_output("nft -s list chain inet xgn own_forward")
    assert "jump own_forward" in host.check_output("nft -s list chain inet xgn forward")
    assert forward.index("ct mark set 0x00000064") < forward.index("tcp dport { 1998, 1999 } reject with tcp reset")
    public = host.check_output("nft -s list chain inet xgn public")
    assert public.index("tcp dport 22 accept") < public.index("jump own_public") < public.rindex("counter drop")
    peer = ADDRESS[OTHER[name_of(host)]]
    assert f'ip saddr {peer} tcp dport 1200 accept comment "for the peer; alone"' in host.check_output(
        "nft -s list chain inet xgn own_public"
    )


def test_inside_of_a_tunnel_is_open(host: Any) -> None:
    """What a trusted interface brings is not filtered: every port answers there."""
    host.check_output("python3 /root/mss.py")
    found = host.check_output("ip netns exec far python3 /root/scan.py 10.9.2.1 %s %s", TCP, UDP)
    assert [len(json.loads(found)[kind]) for kind in ("tcp", "udp")] == [2001, 3]


def test_outside_can_be_reached(host: Any) -> None:
    """Answers to the host's own connections come in, and so do pings and neighbor discovery."""
    peer = ADDRESS[OTHER[name_of(host)]]
    assert json.loads(host.check_output(f"python3 /root/scan.py {peer} 22 51820")) == {"tcp": [22], "udp": [51820]}
    host.check_output(f"ping -c 1 -W 2 {peer}")
    link_local = json.loads(peer_of(host).check_output("ip -json -6 address show dev eth0 scope link"))[0]["addr_info"][0]["local"]
    host.check_output("ip neighbor flush dev eth0")
    host.check_output(f"ping -c 1 -W 2 {link_local}%eth0")


@pytest.fixture(scope="module")
def connections(host: Any) -> dict[str, Any]:
    """Return what mss.py saw."""
    found = json.loads(host.check_output("python3 /root/mss.py"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("end", "kind"), [("far", "SYN"), ("far", "SYN-ACK"), ("lan", "SYN"), ("lan", "SYN-ACK")])
def test_mss_of_forwarded_connections(connections: dict[str, Any], end: str, kind: str, version: int) -> None:
    """SYN and SYN-ACK have the planned MSS, whichever side of the tunnel connects."""
    networks = {"far": ("10.9.1.", "fd09:1:"), "lan": ("10.9.2.2", "fd09:2::2")}[end]
    found = {
        item["mss"]
        for item in connections[end]["seen"]
        if item["kind"] == kind and item["from"].startswith(networks) and (":" in item["from"]) == (version == 6)
    }
    assert found == {MSS[version]}


@pytest.mark.parametrize("version", [4, 6])
def test_mss_of_own_connections(connections: dict[str, Any], version: int) -> None:
    """The router's own connections through the tunnel keep to it as well, and the far end learns it from them."""
    used = {item["snd_mss"] for item in connections["router"]["used"] if (":" in item["peer"]) == (version == 6)}
    assert used == {MSS[version] - TIMESTAMPS}
    router = ("10.9.2.1", "fd09:2::1")
    told = {item["mss"] for item in connections["far"]["seen"] if item["from"] in router and (":" in item["from"]) == (version == 6)}
    assert told == {MSS[version]}


# Where a packet comes from in the test, its source and target by family, and whether it arrives.
SOURCES = {
    "lan, its own": ("lan", ("10.9.1.2", "10.9.1.1"), ("fd09:1::2", "fd09:1::1"), True),
    "lan, another one of it": ("lan", ("10.9.1.77", "10.9.2.1"), ("fd09:1::77", "fd09:2::1"), True),
    "lan, of the tunnel": ("lan", ("10.9.2.77", "10.9.1.1"), ("fd09:2::77", "fd09:1::1"), False),
    "lan, of anywhere": ("lan", ("198.51.100.7", "10.9.1.1"), ("2001:db8:51::7", "fd09:1::1"), False),
    "tunnel, its own": ("far", ("10.9.2.2", "10.9.2.1"), ("fd09:2::2", "fd09:2::1"), True),
    # One way through the tunnel, the other one through the LAN.
    "tunnel, of the LAN": ("far", ("10.9.1.77", "10.9.2.1"), ("fd09:1::77", "fd09:2::1"), True),
    "tunnel, the router's own": ("far", ("10.9.1.1", "10.9.2.1"), ("fd09:1::1", "fd09:2::1"), False),
}
SEND = (
    "import socket, sys; one = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM); "
    "one.bind((sys.argv[1], 0)); one.sendto(b'?', (sys.argv[2], 7777))"
)


@pytest.mark.usefixtures("connections")
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("case", SOURCES)
def test_a_source_that_cannot_come_in_there_is_dropped(host: Any, case: str, version: int) -> None:
    """On a LAN what is routed elsewhere, on a tunnel what is routed nowhere or the router's own; in both families."""
    space, ipv4, ipv6, arrives = SOURCES[case]
    source, target = ipv4 if version == 4 else ipv6
    spare = f"{source}/{32 if version == 4 else 128} dev lo"
    host.check_output(f"ip -n {space} address add {spare}{'' if version == 4 else ' nodad'}")
    host.check_output(
        "nft -f - <<'END'\ntable inet seen {\nchain input {\ntype filter hook input priority -400;\nudp dport 7777 counter\n}\n}\nEND"
    )
    try:
        dropped = drops(host)
        host.check_output(f'ip netns exec {space} python3 -c "{SEND}" {source} {target}')
        # Neighbor discovery comes before the first packet.
        seen = "udp dport 7777 counter packets 1 "
        wait_for(lambda: seen in host.check_output("nft list table inet seen") if arrives else drops(host) > dropped, seconds=JOB_SECONDS)
        assert (seen in host.check_output("nft list table inet seen")) == arrives
    finally:
        host.check_output(f"nft delete table inet seen; ip -n {space} address delete {spare}")


def drops(host: Any) -> int:
    """Return how many packets were dropped for their source."""
    return sum(int(number) for number in re.findall(r"missing counter packets (\d+)", host.check_output("nft list chain inet xgn sources")))


def test_rules_of_others(host: Any) -> None:
    """Tables of others are as they were; whatever the stock unit does, ours is there behind it."""
    if name_of(host) != "firewall-debian13":
        pytest.skip("only firewall-debian13 has rules of somebody else")
    before = table(host)
    for verb in ("restart", "reload"):
        host.check_output(f"systemctl {verb} nftables.service")
        # systemctl waits for the unit it was told, not for the jobs that follow from it.
        wait_for(lambda: "table inet xgn" in host.check_output("nft list tables").splitlines(), seconds=JOB_SECONDS)
        assert sorted(host.check_output("nft list tables").splitlines()) == ["table inet theirs", "table inet xgn"], verb
        assert table(host) == before
