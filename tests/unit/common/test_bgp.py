"""What FRR calls a neighbor, and communities as it prints them."""

from __future__ import annotations

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.bgp import canonical_communities, neighbor_name


@pytest.mark.parametrize(
    ("neighbor", "name"),
    [({"address": "2001:DB8:0::1"}, "2001:db8::1"), ({"interface": "eth0"}, "eth0"), ({"address": "router"}, "router")],
)
def test_a_neighbor_is_called_by_its_address_or_its_interface(neighbor: dict[str, str], name: str) -> None:
    assert neighbor_name(neighbor) == name


@pytest.mark.parametrize(
    ("written", "large", "printed"),
    [
        ("no-export 65010:200 65010:100 65010:100", False, "65010:100 65010:200 no-export"),
        ("65535:666 65535:0", False, "graceful-shutdown blackhole"),
        ("0:1", False, "0:1"),
        ("65010:10:1 65010:9:1 4294967295:0:0", True, "65010:9:1 65010:10:1 4294967295:0:0"),
    ],
)
def test_communities_are_printed_as_frr_does(written: str, large: bool, printed: str) -> None:
    assert canonical_communities(written, large=large) == printed
    assert canonical_communities(printed, large=large) == printed


@pytest.mark.parametrize(
    ("written", "large"), [("", False), ("65536:1", False), ("65010", False), ("1:2", True), ("1:2:4294967296", True), ("no-export", True)]
)
def test_what_is_no_community_is_refused(written: str, large: bool) -> None:
    with pytest.raises(ValueError, match="communit"):
        canonical_communities(written, large=large)
