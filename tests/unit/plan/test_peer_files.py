"""Files for the owner of an unmanaged router: what cannot be said in its words is said in a comment, with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import plan_files


def files_of(version: str = "1.4", end: str | dict[str, Any] = "b", **link: Any) -> dict[str, str]:
    """Return the files of router b, which has one GRE link to a."""
    raw = {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_vrfs": {"WAN": {"table": 300}},
        "xgn_bgp": {"asn_base": 64512},
        "xgn_vyos": {"version": version},
        "xgn_nodes": {
            "a": {"id": 1, "uplink": {"device": "eth0", "address": "198.51.100.1/24", "address6": "2001:db8::1/64"}},
            "b": {
                "id": 2,
                "managed": False,
                "uplink": {"device": "eth0", "address": "198.51.100.2/24", "address6": "2001:db8::2/64"},
                "uplinks": {"wan": {"device": "eth1", "address": "203.0.113.2/24", "vrf": "WAN"}},
            },
        },
        "xgn_links": [{"id": 7, "type": "gre", "insecure": True, "ends": ["a", end], **link}],
    }
    return {path.partition("/")[2]: text for path, text in plan_files(make_plan(raw)) if path.startswith("b/")}


def test_vyos_before_and_since_its_new_words() -> None:
    new, old = (set(files_of(version, key=9)["vyos.txt"].splitlines()) for version in ("1.4", "1.2"))
    assert {
        "set interfaces tunnel tun7 encapsulation 'gre'",
        "set interfaces tunnel tun7 parameters ip key '9'",
        "set interfaces tunnel tun7 parameters ip ttl '64'",
        "set interfaces tunnel tun7 mtu '1472'",
    } <= new & old
    assert {"set interfaces tunnel tun7 source-address '198.51.100.2'", "set interfaces tunnel tun7 remote '198.51.100.1'"} <= new
    assert {"set interfaces tunnel tun7 local-ip '198.51.100.2'", "set interfaces tunnel tun7 remote-ip '198.51.100.1'"} <= old


@pytest.mark.parametrize(
    ("version", "end", "link", "reason"),
    [
        ("1.2", "b", {"family": "ipv6"}, "VyOS 1.2 has no GRE over IPv6"),
        ("1.2", "b", {"pmtudisc": False}, "VyOS 1.2 always forbids fragments of the outer packets"),
        ("1.4", {"node": "b", "uplink": "wan"}, {}, "its outer packets are routed in VRF WAN, which tunnels of VyOS cannot"),
        (
            "1.4",
            {"node": "b", "interface": "hq"},
            {},
            "VyOS numbers its tunnels; give the end an interface with letters and a number of its own",
        ),
    ],
)
def test_what_vyos_cannot_is_told(version: str, end: str | dict[str, Any], link: dict[str, Any], reason: str) -> None:
    text = files_of(version, end, **link)["vyos.txt"]
    assert "set interfaces tunnel" not in text
    name = end.get("interface", "gre7") if isinstance(end, dict) else "gre7"
    assert f"# GRE tunnel {name} to a is not here: {reason}" in text.splitlines()


def test_static_routes_of_vyos_name_the_tunnel_as_vyos_does() -> None:
    text = files_of(session="loopback")["vyos.txt"]
    assert "set protocols static route 10.255.0.1/32 next-hop 10.254.0.29 interface 'tun7'" in text
    assert "'gre7'" not in text


@pytest.mark.parametrize(
    ("end", "link", "reason"),
    [
        ("b", {"key": 0}, "RouterOS has no GRE keys, and this one has 0; leave the key of the link out"),
        ({"node": "b", "uplink": "wan"}, {}, "its outer packets are routed in VRF WAN"),
    ],
)
def test_what_routeros_cannot_is_told(end: str | dict[str, Any], link: dict[str, Any], reason: str) -> None:
    text = files_of(end=end, **link)["routeros.rsc"]
    assert "/interface gre" not in text
    assert f"# GRE tunnel gre7 to a is not here: {reason}" in text.splitlines()


@pytest.mark.parametrize(("link", "menu", "mtu"), [({}, "gre", 1476), ({"family": "ipv6"}, "gre6", 1456)])
def test_routeros_makes_it_without_the_keepalives_linux_does_not_answer(link: dict[str, Any], menu: str, mtu: int) -> None:
    assert f"/interface {menu} add name=gre7 " in (text := files_of(**link)["routeros.rsc"])
    assert f" mtu={mtu} !keepalive comment=a" in text


def test_linux_is_given_the_commands() -> None:
    text = files_of(key=3, ttl=9, pmtudisc=False)["README.md"]
    assert (
        "ip link add dev gre7 type gre local 198.51.100.2 remote 198.51.100.1 key 3 ttl 9 nopmtudisc\nip link set dev gre7 mtu 1472 up"
        in text
    )
