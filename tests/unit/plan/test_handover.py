"""The files for the owners of unmanaged nodes: between two of them both ends have the key that the intent gives the other one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import plan_files

KEYS = {"left": "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo=", "right": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="}
FINGERPRINTS = [":".join([word] * 32) for word in ("AB", "0F")]
FILES = ("README.md", "wg1.conf", "routeros.rsc", "vyos.txt")
OURS = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="


def files_of(managed: bool = False, openvpn: bool = False) -> dict[str, str]:
    """Return the files of two nodes, both of them unmanaged unless the left one is ours. openvpn: they have a second link, to the right one by OpenVPN."""
    left = {"id": 1, "asn": 65010, "vrf": "CORE", "managed": managed, "uplink": {"device": "eth0", "address": "192.0.2.1/24"}}
    right = {"id": 2, "asn": 65011, "vrf": "CORE", "managed": False, "uplink": {"device": "eth0", "address": "192.0.2.2/24"}}
    ends = [{"node": name} if managed and name == "left" else {"node": name, "public_key": key} for name, key in KEYS.items()]
    intent: dict[str, Any] = {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_vrfs": {"CORE": {"table": 200}},
        "xgn_nodes": {"left": left, "right": right},
        "xgn_links": [{"id": 1, "type": "wireguard", "ends": ends}],
    }
    if openvpn:
        intent["xgn_links"].append({"id": 2, "type": "openvpn", "ends": ["left", {"node": "right", "fingerprints": FINGERPRINTS}]})
    return dict(plan_files(make_plan(intent), {"left": {"wg1": OURS}}))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("own", "other"), [("left", "right"), ("right", "left")])
def test_between_two_unmanaged_nodes_each_gets_the_others_key(own: str, other: str, file: str) -> None:
    text = files_of()[f"{own}/{file}"]
    assert KEYS[other] in text
    assert KEYS[own] not in text
    assert "<public key of" not in text


@pytest.mark.parametrize("file", FILES)
def test_a_managed_peer_has_the_key_of_the_registry(file: str) -> None:
    text = files_of(managed=True)[f"right/{file}"]
    assert OURS in text
    assert KEYS["left"] not in text


def test_the_files_of_a_managed_node_have_the_keys_that_were_given() -> None:
    assert f"PublicKey = {KEYS['right']}\n" in files_of(managed=True)["left/files/etc/wireguard/wg1.conf"]
    (config,) = [text for path, text in files_of(managed=True, openvpn=True).items() if path.endswith("/ovpn2.conf")]
    assert "<peer-fingerprint>\n" + "\n".join(FINGERPRINTS) + "\n</peer-fingerprint>\n" in config
