"""The gatherer and its parsers against what real hosts printed, and against what they print when something is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import verify_recorded as recorded
from ansible_collections.xuegao.net.plugins.module_utils import frr_repair, frr_rib, live_gather, live_parse, live_parse_frr
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import host_checks

HOSTS = ("T1", "T2")
REGISTRY = {"T1": {"wg0": "8jzxyTN1Mg3I5B9LeZetz8escHBEV5ZXfrtQx5VnByc="}, "T2": {"wg0": "CRcds/8Dl21V59eMguSp0T72DLlM//BryWjkIx2OWF0="}}
# The recordings leave out /proc; test_checks has the kernel's settings.
NOT_RECORDED = "Kernel "


def failed(host: str, recording: str) -> dict[str, str]:
    variables = recorded.variables_of(host)
    checks = host_checks(host, variables, recorded.state_of(recording, variables), REGISTRY)
    return {check.name: check.detail for check in checks if check.status == "failed" and not check.name.startswith(NOT_RECORDED)}


def test_a_network_that_frr_8_does_not_advertise_is_found_at_both_ends() -> None:
    """Recorded after `systemctl restart wg-quick@wg0`: every session up, and bgpd 8.4.4 holds its own network as inaccessible."""
    there = failed("T2", "T2_unadvertised")
    assert "8.8.8.8/32 is not valid" in there.pop("BGP CORE originates 8.8.8.8/32")
    # Recorded when the next hop was the neighbor's loopback.
    assert "next hop 1.1.1.1 needs a second look-up" in there.pop("Route CORE 8.8.4.4/32 resolves directly")
    assert all(name.startswith("Reach 8.8.4.4") for name in there)
    here = failed("T1", "T1_unadvertised")
    assert here.pop("Route CORE 8.8.8.8/32 by bgp") == "VRF CORE: no such route, expected 8.8.8.8/32 by bgp"
    assert "next hop missing" in here.pop("Route CORE 8.8.8.8/32 resolves directly")
    assert here.pop("Route CORE IPv4 all of the plan") == "missing 1 of 1: 8.8.8.8/32"
    assert all(name.startswith("Reach 8.8.8.8") for name in here)


@pytest.mark.parametrize("host", HOSTS)
def test_no_secret_of_a_recording_is_in_the_state(host: str) -> None:
    variables = recorded.variables_of(host)
    state = recorded.state_of(f"{host}_unadvertised", variables)
    text = json.dumps(state)
    assert "SECRET" not in text, "the private key of the dump"
    assert recorded.PASSWORD not in text


@pytest.mark.parametrize(("host", "version", "kernel"), [("T1", "10.3", "6.12"), ("T2", "8.4.4", "6.1")])
def test_both_versions_of_frr_are_read(host: str, version: str, kernel: str) -> None:
    state = recorded.state_of(f"{host}_unadvertised", recorded.variables_of(host))
    assert state["frr_version"]["data"] == version
    assert state["system"]["kernel"].startswith(kernel)
    (peer,) = state["bgp"]["data"]["CORE"].values()
    assert (peer["state"], peer["password"]) == ("Established", True)
    (session,) = state["bfd"]["data"]
    assert (session["vrf"], session["status"], session["receive"], session["multiplier"]) == ("CORE", "up", 1000, 3)
    assert {route["vrf"] for route in state["rib"]["data"]} >= {"CORE", "default"}
    assert [(rule["priority"], rule["l3mdev"]) for rule in state["rules4"]["data"]][:2] == [(1000, True), (32765, False)]
    assert state["links"]["data"]["CORE"]["table"] == 200
    assert state["units"]["data"]["frr.service"]["ActiveState"] == "active"
    assert "interface.service" in state["units"]["data"]["frr.service"]["After"]


def test_an_empty_machine_yields_reasons_and_no_exception() -> None:
    def nothing(command: Sequence[str], timeout: float = 30) -> Finished:
        return Finished(-1, "", "", f"{command[0]} is not installed")

    gatherer = Gatherer(runner=nothing)
    parts = {**gatherer.frr(), **gatherer.network(), **gatherer.wireguard(["wg0"]), **gatherer.units(["frr.service"], ["frr.service"])}
    parts.update(boot_plot=gatherer.boot_plot(), frr_config=gatherer.frr_config())
    for name in set(parts) - {"originated", "ospf", "ospf6", "wireguard_files"}:
        assert parts[name]["data"] is None, name
        assert "is not installed" in parts[name]["error"], name
    assert gatherer.pings([{"id": "a", "destination": "192.0.2.1"}])[0]["error"] == "ping is not installed"


def test_a_missing_program_is_a_result() -> None:
    assert live_gather.run(["xgn-no-such-program"]).problem == "xgn-no-such-program is not installed"
    assert live_gather.run(["sleep", "3600"], timeout=0.1).problem == "sleep did not end within 0 s"
    assert live_gather.run(["sh", "-c", "echo out; exit 3"]).rc == 3


def test_vtysh_goes_on_behind_a_command_that_fails() -> None:
    """vtysh stops at the first failure; the commands behind it are asked again."""
    calls = []

    def vtysh(command: Sequence[str], timeout: float = 30) -> Finished:
        asked = list(command[3::2])
        calls.append(asked)
        text = ""
        for item in asked:
            text += f"T1# {item}\n"
            if item == live_gather.BFD:
                return Finished(1, text, "bfdd is not running\n")
            text += "FRRouting 10.3 (T1)\n" if item == live_gather.VERSION else "{}\n"
        return Finished(0, text, "")

    parts = Gatherer(runner=vtysh).frr()
    assert len(calls) == 2
    assert parts["bfd"] == {"command": "vtysh -c 'show bfd peers'", "data": None, "error": "bfdd is not running"}
    assert parts["frr_version"]["data"] == "10.3"
    assert parts["rib"]["error"] is None


def test_what_a_daemon_of_frr_has_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds, in both families; what is not FRR's fault is left out, and a file that is not there is a reason."""
    monkeypatch.setattr(frr_repair, "NEXT_HOP_SECONDS", 0)
    monkeypatch.setattr(frr_repair, "ROUTE_SECONDS", 0)
    path = tmp_path / "frr.conf"
    path.write_text(
        "ip route 10.2.0.0/24 10.1.0.2 wg1\nipv6 route fd00:2::/64 fd00:1::2 wg1\nip route 10.3.0.0/24 10.9.0.2 wg9\nrouter bgp 1\nexit\n",
        encoding="utf-8",
    )
    said = {
        frr_rib.BGP_NEXT_HOPS: "\nInstance default:\nCurrent BGP nexthop cache:\n 10.1.0.2 invalid, #paths 1\n fd00:1::2 invalid, #paths 1\n 10.4.0.1 invalid, #paths 0\n",
        frr_rib.TRACKED4: "\nVRF default:\n10.1.0.2(Connected)\n resolved via connected\n is directly connected, wg1\n10.4.0.1\n unresolved\n",
        frr_rib.TRACKED6: "\nVRF default:\nfd00:1::2\n resolved via static\n fd00:1::3, via wg1\n",
    }
    addresses = [{"local": "10.1.0.1", "prefixlen": 30, "family": "inet"}, {"local": "fd00:1::1", "prefixlen": 64, "family": "inet6"}]
    links = [{"ifname": "wg1", "flags": ["UP", "LOWER_UP"], "addr_info": addresses}]

    def runner(command: Sequence[str], timeout: float = 30) -> Finished:
        if command[0] == "ip":
            return Finished(0, json.dumps(links), "")
        return Finished(0, "".join(f"T1# {item}\n{said.get(item, '')}\n" for item in command[3::2]), "")

    found = Gatherer(runner=runner).frr_missed(str(path))
    assert found["error"] is None
    assert [item["prefix"] for item in found["data"]["routes"]] == ["10.2.0.0/24", "fd00:2::/64"]
    assert found["data"]["next_hops"] == [{"vrf": "default", "address": "10.1.0.2"}, {"vrf": "default", "address": "fd00:1::2"}]
    assert "No such file" in Gatherer(runner=runner).frr_missed(str(tmp_path / "none"))["error"]


def test_waiting_names_what_is_missing() -> None:
    state = recorded.state_of("T1_unadvertised", recorded.variables_of("T1"))
    expect = {
        "bgp": [{"vrf": "CORE", "address": "2.1.1.1"}, {"vrf": "CORE", "address": "9.9.9.9"}],
        "bfd": [{"vrf": "CORE", "address": "2.1.1.1"}, {"vrf": "default", "address": "2.1.1.1"}],
        "routes": [{"vrf": "CORE", "prefix": "8.8.8.8/32"}, {"vrf": "CORE", "prefix": "2.1.1.1/32"}],
    }
    assert live_gather.still_waiting(state, expect) == ["BGP CORE 9.9.9.9", "BFD default 2.1.1.1", "route CORE 8.8.8.8/32"]


def test_waiting_ends_with_the_time() -> None:
    def nothing(command: Sequence[str], timeout: float = 30) -> Finished:
        return Finished(-1, "", "", "not installed")

    _, waited = Gatherer(runner=nothing).until_up({"bgp": [{"vrf": "CORE", "address": "9.9.9.9"}]}, seconds=0.5)
    assert 0.5 <= waited < 5


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (" neighbor 2.1.1.1 password swordfish", " neighbor 2.1.1.1 password <secret>"),
        (" ip ospf message-digest-key 1 md5 swordfish", " ip ospf message-digest-key 1 md5 <secret>"),
        (" ip ospf authentication-key swordfish", " ip ospf authentication-key <secret>"),
        ("  key-string swordfish", "  key-string <secret>"),
        (" area-password md5 swordfish", " area-password md5 <secret>"),
        (" neighbor 2.1.1.1 password 1234", " neighbor 2.1.1.1 password <secret>"),
        (" neighbor 2.1.1.1 remote-as 65502", " neighbor 2.1.1.1 remote-as 65502"),
    ],
)
def test_secrets_of_a_configuration_stay_on_the_host(line: str, hidden: str) -> None:
    assert live_parse_frr.hide_secrets(line) == hidden


def test_the_difference_of_a_configuration() -> None:
    text = (
        "\nLines To Delete\n===============\nrouter bgp 1 vrf CORE\n no neighbor 1.1.1.1 password old\n\n"
        "Lines To Add\n============\nrouter bgp 1 vrf CORE\n neighbor 1.1.1.1 password new\n"
    )
    assert live_parse_frr.parse_reload_test(text) == [
        "- router bgp 1 vrf CORE",
        "-  no neighbor 1.1.1.1 password <secret>",
        "+ router bgp 1 vrf CORE",
        "+  neighbor 1.1.1.1 password <secret>",
    ]
    assert live_parse_frr.parse_reload_test("") == []


def test_private_keys_of_the_dump_are_dropped() -> None:
    text = "wg0\tPRIV\tPUB\t51820\t0xca6c\nwg0\tPEER\tPSK\t[2001:db8::1]:1\t10.0.0.0/8,::/0\t990\t1\t2\t25\nwg1\t(none)\t(none)\t1\toff\n"
    interfaces = live_parse.parse_wireguard(text, now=1000.0)
    assert "PRIV" not in str(interfaces)
    assert "PSK" not in str(interfaces)
    assert interfaces["wg0"]["fwmark"] == 0xCA6C
    assert interfaces["wg0"]["peers"]["PEER"] == {
        "endpoint": "[2001:db8::1]:1",
        "allowed_ips": ["10.0.0.0/8", "::/0"],
        "handshake_age": 10,
        "rx": 1,
        "tx": 2,
        "keepalive": 25,
        "preshared": True,
    }
    assert interfaces["wg1"]["public_key"] is None
    with pytest.raises(ValueError, match="has 2 fields"):
        live_parse.parse_wireguard("a\tb\n", 0)


def test_pings() -> None:
    fine = live_parse.parse_ping("3 packets transmitted, 3 received, 0% packet loss\nrtt min/avg/max/mdev = 1.0/2.5/4.0/0.1 ms")
    assert (fine["transmitted"], fine["received"], fine["rtt_ms"], fine["too_long"], fine["note"]) == (3, 3, 2.5, False, "")
    long = live_parse.parse_ping("ping: local error: message too long, mtu=1412\n2 packets transmitted, 0 received, +2 errors")
    assert (long["received"], long["too_long"], long["note"]) == (0, True, "ping: local error: message too long, mtu=1412")
    assert live_parse.parse_ping("From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)")["too_long"]
    request = {"id": "x", "destination": "8.8.8.8", "source": "8.8.4.4", "vrf": "CORE", "size": 1384, "df": True, "count": 2}
    assert " ".join(live_gather.ping_command(request)) == "ping -n -c 2 -i 0.3 -W 2 -I CORE -I 8.8.4.4 -M do -s 1384 8.8.8.8"


@pytest.mark.parametrize(("answers", "received"), [((1, 0), 0), ((1, 1), 1), ((2,), 2), ((0,), 0)])
def test_a_path_that_changed_between_two_packets_is_asked_once_more(answers: tuple[int, ...], received: int) -> None:
    """After a boot, say: the first packet takes a reserve that carries more, the second one the tunnel that is back."""
    left = list(answers)

    def runner(_command: Sequence[str], timeout: float = 30) -> Finished:
        count = left.pop(0)
        return Finished(0, f"2 packets transmitted, {count} received", "" if count == 2 else "ping: sendmsg: Message too long")

    found = Gatherer(runner=runner).ping({"id": "over 0", "destination": "8.8.8.8", "size": 1385, "df": True, "count": 2})
    assert (found["received"], left) == (received, [])


def test_kernel_routes_of_one_destination_over_several_hops() -> None:
    text = json.dumps(
        [
            {
                "dst": "10.0.0.0/8",
                "table": "200",
                "protocol": "186",
                "nexthops": [{"gateway": "10.1.1.1", "dev": "wg0"}, {"gateway": "10.1.1.5", "dev": "wg1"}],
            },
            {"dst": "192.0.2.1", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "eth0"},
            {"type": "3", "dst": "10.255.255.255", "dev": "wg0", "table": "255", "protocol": "2"},
            {"type": "2", "dst": "10.9.0.0/16", "dev": "lo", "table": "200", "scope": "254"},
            {"type": "9", "dst": "default", "table": "200"},
        ]
    )
    routes = live_parse.parse_kernel_routes(text, 4)
    assert [(route["prefix"], route["table"], route["via"]) for route in routes] == [
        ("10.0.0.0/8", 200, ["10.1.1.1", "10.1.1.5"]),
        ("192.0.2.1/32", 254, ["fe80::1"]),
        ("10.9.0.0/16", 200, []),
        ("0.0.0.0/0", 200, []),
    ]
    assert [route["type"] for route in routes] == ["unicast", "unicast", "local", "throw"], (
        "somebody's own, unlike the kernel's broadcast address"
    )
    assert live_parse.prefix_of("default", 6) == "::/0"


def test_kernel_settings() -> None:
    values = Gatherer().sysctl(["kernel.ostype", "kernel.no_such_key"])["sysctl"]["data"]
    assert values == {"kernel.ostype": "Linux", "kernel.no_such_key": None}


def test_the_configuration_file_is_described_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "wg0.conf"
    path.write_text("[Interface]\nPrivateKey = abc\nTable = Off\n# Address = 10.0.0.1/8\n[Peer]\nPublicKey = x\n")
    path.chmod(0o600)
    found = live_gather.configuration_file(str(path))
    assert found is not None
    assert (found["mode"], found["address"], found["table"]) == ("0600", False, "off")
    assert "abc" not in str(found)
    path.write_text("[Interface]\nAddress=10.0.0.1/8\n")
    changed = live_gather.configuration_file(str(path))
    assert changed is not None
    assert (changed["address"], changed["table"]) == (True, None)
    assert live_gather.configuration_file(str(tmp_path / "none.conf")) is None


INBOUND = """
Building configuration...

Current configuration:
!
frr version 10.3
router bgp 65503 vrf CORE
 neighbor 10.254.0.14 remote-as 64522
 neighbor 10.254.0.14 password S3cretWord
 !
 address-family ipv4 unicast
  network 10.1.0.0/24
  neighbor 10.254.0.14 activate
  neighbor 10.254.0.14 maximum-prefix 16 restart 5
  neighbor 10.254.0.14 route-map XGN-DRAIN-IN-FROM-gre3 in
  neighbor 10.254.0.14 route-map PUBLISHED out
  neighbor 10.254.0.18 activate
 exit-address-family
exit
!
ip prefix-list FROM-gre3 seq 100 permit 10.10.0.0/24
ip prefix-list FROM-gre33 seq 100 permit 10.33.0.0/24
ip prefix-list PUBLISHED seq 1 permit 10.0.0.0/9 ge 24 le 24
!
ipv6 prefix-list FROM-gre3 seq 100 permit fd00:1:10::/64
!
route-map FROM-gre3 permit 10
 match ip address prefix-list FROM-gre3
 set local-preference 50
exit
!
route-map FROM-gre3 permit 20
 match ipv6 address prefix-list FROM-gre3
exit
!
route-map PUBLISHED permit 10
 match ip address prefix-list PUBLISHED
exit
!
route-map XGN-DRAIN-IN-FROM-gre3 permit 10
 call FROM-gre3
 on-match next
exit
!
end
"""


def test_what_bgpd_says_of_its_filters_is_read_without_the_rest() -> None:
    found = live_parse_frr.parse_inbound(INBOUND)
    assert found["neighbors"] == [
        {
            "vrf": "CORE",
            "address": "10.254.0.14",
            "family": "ipv4",
            "route_map": "XGN-DRAIN-IN-FROM-gre3",
            "route_map_out": "PUBLISHED",
            "limit": "16 restart 5",
        },
        {"vrf": "CORE", "address": "10.254.0.18", "family": "ipv4", "route_map": None, "route_map_out": None, "limit": None},
    ]
    assert list(found["policy"]) == [
        "ip prefix-list PUBLISHED seq 1 permit 10.0.0.0/9 ge 24 le 24",
        "route-map PUBLISHED permit 10",
        "route-map XGN-DRAIN-IN-FROM-gre3 permit 10",
        "ip prefix-list FROM-gre3 seq 100 permit 10.10.0.0/24",
        "ipv6 prefix-list FROM-gre3 seq 100 permit fd00:1:10::/64",
        "route-map FROM-gre3 permit 10",
        "route-map FROM-gre3 permit 20",
    ]
    assert "S3cretWord" not in json.dumps(found)


def test_a_drained_neighbor_has_its_filter_still() -> None:
    variables = recorded.variables_of("T1")
    state = recorded.state_of("T1_unadvertised", variables)
    (neighbor,) = state["inbound"]["data"]["neighbors"]
    neighbor["route_map"] = f"XGN-DRAIN-IN-{neighbor['route_map']}"
    checks = {check.name: check for check in host_checks("T1", variables, state, REGISTRY)}
    assert checks["BGP CORE neighbor 2.1.1.1 inbound filter"].status == "passed"
