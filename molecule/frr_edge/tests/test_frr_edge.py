"""Role frr towards others: a session without addresses, what is taken by path, community and RPKI, and keys of OSPFv3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_state import vtysh, wait_for

UNITS = ["frr.service"]
SECRETS = ("xgnSecretEdge", "xgnSecretOspf6")
# A session that was reset waits for its connect timer, 120 s at most, before it initiates the next.
LIMIT_S = 150


def learned(host: Any, family: str) -> dict[str, Any]:
    """Return the first path of each prefix of BGP that came from the neighbor."""
    routes = vtysh(host, f"show bgp {family} unicast")["routes"]
    return {prefix: paths[0] for prefix, paths in routes.items() if any(path.get("peerId") == "edge0" for path in paths)}


def test_session_goes_between_link_local_addresses(host: Any, peer: int) -> None:
    """Both sides find each other, with password, roles and GTSM, and carry both families."""
    wait_for(lambda: vtysh(host, "show bgp neighbors edge0")["edge0"]["bgpState"], "Established", LIMIT_S)
    neighbor = vtysh(host, "show bgp neighbors edge0")["edge0"]
    assert neighbor["remoteAs"] == 65000 + peer
    assert neighbor["hostForeign"].startswith("fe80::")
    assert (neighbor["localRole"], neighbor["remoteRole"]) == ("peer", "peer")
    assert {"ipv4Unicast", "ipv6Unicast"} <= set(neighbor["addressFamilyInfo"])


def test_bfd_is_up(host: Any) -> None:
    """BFD watches the neighbor, whose address nobody has written."""
    wait_for(lambda: [item["status"] for item in vtysh(host, "show bfd peers") if item["interface"] == "edge0"], ["up"], LIMIT_S)


def test_policy_decides_by_path_community_and_rpki(host: Any, peer: int) -> None:
    """What is valid is preferred, of what nobody says anything the preference is low, and what is invalid stays out; single prefixes are summed up."""
    wait_for(lambda: sorted(learned(host, "ipv4")), sorted([f"10.{peer}.0.0/16", f"10.99.{peer}.0/24"]), LIMIT_S)
    found = learned(host, "ipv4")
    preferences = {prefix: path.get("locPrf", path.get("localPref")) for prefix, path in found.items()}
    assert preferences == {f"10.{peer}.0.0/16": 300, f"10.99.{peer}.0/24": 50}
    assert found[f"10.{peer}.0.0/16"]["path"] == " ".join([str(65000 + peer)] * 3)
    detail = vtysh(host, f"show bgp ipv4 unicast 10.{peer}.0.0/16")["paths"][0]
    assert detail["community"]["list"] == ["65000:9", "noExport"] or detail["community"]["string"] == "65000:9 no-export"
    assert detail["largeCommunity"]["string"] == "65000:1:2"


def test_default_route_is_advertised(host: Any, peer: int) -> None:
    """The neighbor gets IPv6 prefixes, the default route among them."""
    wait_for(lambda: sorted(learned(host, "ipv6")), sorted(["::/0", "2001:db8::/36", f"2001:db8:{peer}::/48"]), LIMIT_S)


def test_ipv4_routes_have_an_ipv6_next_hop(host: Any, peer: int) -> None:
    """RFC 8950 as far as the kernel."""
    wait_for(lambda: len(json.loads(host.check_output(f"ip -json route show 10.{peer}.0.0/16"))), 1, LIMIT_S)
    (route,) = json.loads(host.check_output(f"ip -json route show 10.{peer}.0.0/16"))
    assert route["via"]["family"] == "inet6" and route["via"]["host"].startswith("fe80::")


def test_cache_is_connected(host: Any) -> None:
    """FRR has the origins of the first cache."""
    wait_for(lambda: "65099" in host.check_output("vtysh -c 'show rpki prefix-table'"), True, LIMIT_S)
    assert "Connected to group 1" in host.check_output("vtysh -c 'show rpki cache-connection'")


def test_adjacency(host: Any, own: int) -> None:
    """OSPFv3 is full, and where FRR can, an interface has the authentication trailer."""
    wait_for(lambda: [item["state"] for item in vtysh(host, "show ipv6 ospf6 neighbor")["neighbors"]], ["Full"], LIMIT_S)
    assert host.run("grep --quiet %s /etc/frr/frr.conf", f"hmac-sha-256 key {SECRETS[1]}").succeeded == (own == 13)


def test_route_has_its_tag(host: Any) -> None:
    """A static route carries the number."""
    ((route,),) = vtysh(host, "show ip route 203.0.113.0/24").values()
    assert (route["tag"], route["distance"]) == (77, 200)


def test_nothing_left_to_apply(host: Any) -> None:
    """frr-reload.py finds no difference between file and running configuration."""
    test = host.run("/usr/lib/frr/frr-reload.py --test --stdout --bindir /usr/bin --confdir /etc/frr /etc/frr/frr.conf")
    assert test.succeeded, test.stderr
    assert test.stdout == ""


@pytest.mark.parametrize("secret", SECRETS)
def test_secret_is_nowhere_readable(host: Any, secret: str) -> None:
    """A secret is in no file that everybody can read, in no log and on no command line."""
    found = host.run(
        "find / -xdev -type f -perm -o=r -not -path '/proc/*' -not -path '/sys/*' -print0"
        " | xargs -0 grep --files-with-matches --fixed-strings %s --",
        secret,
    )
    assert found.stdout == ""
    logs = host.run("grep --recursive --files-with-matches --fixed-strings %s /var/log", secret)
    assert logs.stdout == ""
    assert secret not in host.check_output("journalctl --no-pager")
