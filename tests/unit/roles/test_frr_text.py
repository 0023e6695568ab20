"""FRR's configuration text as a host's own FRR would print it."""

from __future__ import annotations

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.frr import as_shown

CONFIGURATION = """\
router bgp 65001
 address-family ipv4 unicast
  network 192.0.2.1/32
  maximum-paths 64
  maximum-paths ibgp 64
 exit-address-family
exit
"""
HIDDEN = CONFIGURATION.replace("  maximum-paths 64\n  maximum-paths ibgp 64\n", "")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("'--enable-multipath=64' '--enable-user=frr'", HIDDEN),
        ("'--enable-multipath=256' '--enable-multipath=64'", HIDDEN),
        ("'--enable-multipath=256'", CONFIGURATION),
        ("'--enable-multipath=6'", CONFIGURATION),
        ("'--enable-multipath=640'", CONFIGURATION),
        ("'--enable-user=frr'", CONFIGURATION),
        ("", CONFIGURATION),
    ],
)
def test_maximum_paths_that_frr_hides(version: str, expected: str) -> None:
    """Only the number that FRR was built for is hidden, and of two options the last counts."""
    assert as_shown(CONFIGURATION, f"bgpd version 10.3\nconfigured with:\n\t{version}\n", "r1") == expected


def test_name_of_the_system() -> None:
    """The daemons have the system's name, whatever the inventory calls the host."""
    text = "hostname r_1\ninterface lo\n description hostname r_1\nexit\n"
    assert as_shown(text, "", "r1.example.net") == text.replace("hostname r_1\n", "hostname r1.example.net\n", 1)


def test_a_first_as_number_that_frr_8_never_looks_at() -> None:
    """It prints nothing of it, where FRR 10 prints that it is turned off."""
    text = "router bgp 65001\n neighbor 192.0.2.1 remote-as 65002\n no neighbor 192.0.2.1 enforce-first-as\n neighbor eth1 bfd\nexit\n"
    assert as_shown(text, "bgpd version 10.3\n", "r1") == text
    assert as_shown(text, "bgpd version 8.4.4\n", "r1") == text.replace(" no neighbor 192.0.2.1 enforce-first-as\n", "")
