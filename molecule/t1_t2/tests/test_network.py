"""The running pair, seen from both hosts: tunnel, VRF, BGP, BFD, MTU, boot order."""

from __future__ import annotations

from typing import Any

import pytest
from host_state import vtysh, wait_for

UNITS = ["wg-quick@wg0", "interface", "frr"]

# A session that was reset is initiated again after its connect timer, 120 s at most (FRR 8).
SESSION_SECONDS = 180
PLANNED_MTU = 1412
HEADERS = 28  # IPv4 and ICMP

OWN = {"T1": "1.1.1.1", "T2": "2.1.1.1"}
NETWORK = {"T1": "8.8.4.4", "T2": "8.8.8.8"}
PEER = {"T1": "T2", "T2": "T1"}


def name_of(host: Any) -> str:
    """T1 or T2."""
    return str(host.backend.get_hostname())


def sessions(host: Any) -> tuple[str | None, str | None]:
    """States of BGP with the other host in CORE, and of BFD with it."""
    peer = OWN[PEER[name_of(host)]]
    summary = vtysh(host, "show bgp vrf CORE summary").get("ipv4Unicast", {})
    bfd = {item["peer"]: item["status"] for item in vtysh(host, "show bfd vrf CORE peers")}
    return summary.get("peers", {}).get(peer, {}).get("state"), bfd.get(peer)


def test_bgp_and_bfd_come_up_inside_the_vrf(host: Any) -> None:
    wait_for(lambda: sessions(host), ("Established", "up"), SESSION_SECONDS)


def test_bgp_uses_the_password(host: Any) -> None:
    neighbor = vtysh(host, f"show bgp vrf CORE neighbors {OWN[PEER[name_of(host)]]}")
    assert next(iter(neighbor.values()))["authenticationEnabled"] == 1


def test_network_of_the_other_side_is_in_table_200_only(host: Any) -> None:
    prefix = NETWORK[PEER[name_of(host)]]
    wait_for(lambda: "proto bgp" in host.check_output("ip -4 route show table 200 %s/32", prefix), seconds=SESSION_SECONDS)
    everywhere = host.check_output("ip -4 route show table all %s/32", prefix).splitlines()
    assert len(everywhere) == 1, everywhere
    assert "table 200" in everywhere[0] or "table CORE" in everywhere[0]


def test_networks_reach_each_other(host: Any) -> None:
    own, other = NETWORK[name_of(host)], NETWORK[PEER[name_of(host)]]
    wait_for(lambda: host.run("ip vrf exec CORE ping -c 3 -W 3 -I %s %s", own, other).succeeded, seconds=SESSION_SECONDS)


def test_planned_mtu_passes_and_one_byte_more_does_not(host: Any) -> None:
    own, other = NETWORK[name_of(host)], NETWORK[PEER[name_of(host)]]
    ping = "ip vrf exec CORE ping -M do -c 2 -W 3 -I %s -s %s %s"
    wait_for(lambda: host.run(ping, own, str(PLANNED_MTU - HEADERS), other).succeeded, seconds=SESSION_SECONDS)
    assert host.run(ping, own, str(PLANNED_MTU - HEADERS + 1), other).failed


def test_main_table_knows_nothing_of_the_vrf(host: Any) -> None:
    assert host.run("ping -c 1 -W 2 %s", NETWORK[PEER[name_of(host)]]).failed
    main = host.check_output("ip -4 route show table main")
    assert "10.1.1." not in main and "8.8." not in main


@pytest.mark.parametrize("path", ["/etc/wireguard/wg0.conf", "/etc/wireguard/wg0.key"])
def test_files_with_keys_are_for_root_only(host: Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)


def test_wg_quick_file_is_as_planned(host: Any) -> None:
    lines = host.file("/etc/wireguard/wg0.conf").content_string.splitlines()
    assert "MTU = 1412" in lines
    assert "Table = off" in lines
    assert "AllowedIPs = 0.0.0.0/0" in lines
    assert not [line for line in lines if line.startswith("Address")]
    assert ("ListenPort = 1111" in lines) == (name_of(host) == "T1")
    assert ("Endpoint = 100.1.1.1:1111" in lines and "PersistentKeepalive = 10" in lines) == (name_of(host) == "T2")


def test_frr_files_have_their_owners(host: Any) -> None:
    for path, group in (("/etc/frr/frr.conf", "frr"), ("/etc/frr/daemons", "frr"), ("/etc/frr/vtysh.conf", "frrvty")):
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("frr", group, 0o640), path


def test_no_secret_in_a_file_others_can_read(host: Any) -> None:
    secrets = [host.file("/etc/wireguard/wg0.key").content_string.strip(), "T1-and-T2-test"]
    for secret in secrets:
        found = host.run("find /etc /run /tmp /var -xdev -type f -perm /o=r -exec grep -lF -e %s -- {} +", secret).stdout
        assert found == "", f"a secret stands in {found}"


def test_password_is_in_no_log(host: Any) -> None:
    journal = host.run("journalctl --no-pager --grep=T1-and-T2-test").stdout.splitlines()
    # journalctl marks the boots it looked through.
    assert [line for line in journal if not line.startswith("-- ")] == []
    assert host.run("grep -rlF T1-and-T2-test /var/log/frr").stdout == ""


def test_units_are_clean_enabled_and_ordered(host: Any) -> None:
    units = ["wg-quick@wg0.service", "interface.service", "frr.service"]
    verify = host.run("systemd-analyze --man=no verify interface.service frr.service wg-quick@wg0.service")
    assert verify.succeeded and verify.stderr.strip() == "", verify.stderr
    for unit in units:
        assert host.check_output("systemctl is-enabled %s", unit) == "enabled"
        assert host.check_output("systemctl is-active %s", unit) == "active"
    assert units[0] in host.check_output("systemctl show --property=After --value interface.service").split()
    assert units[1] in host.check_output("systemctl show --property=After --value frr.service").split()


def test_boot_broke_no_cycle(host: Any) -> None:
    assert "ordering cycle" not in host.check_output("journalctl --boot --no-pager --identifier=systemd")


def test_nothing_is_left_to_apply(host: Any) -> None:
    pending = host.run("/usr/lib/frr/frr-reload.py --test --stdout /etc/frr/frr.conf")
    assert pending.succeeded and pending.stdout.strip() == "", pending.stdout
    assert host.check_output("/usr/local/sbin/xgn-interface check") == ""
