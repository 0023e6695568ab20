"""The addresses of FRR's that a NIC has lost to a network manager."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_addresses, interface_layer
from ansible_collections.xuegao.net.plugins.module_utils.interface_layer import Kernel

TEXT = """\
frr version 8.4.4
interface eth1
 description LAN
 ip address 10.40.1.1/24
 ipv6 address fd00:40:1::1/64
 ipv6 address fe80::7867:6e00:0:1/64
exit
!
interface eth10
 ip address 10.50.1.1/24
exit
!
router bgp 65001
 bgp router-id 10.255.0.1
exit
"""
V4, V6, LINK = "ip address 10.40.1.1/24", "ipv6 address fd00:40:1::1/64", "ipv6 address fe80::7867:6e00:0:1/64"
CALL = "vtysh -c configure terminal -c interface eth1 -c "


class Router:
    """FRR 8 and the kernel: an address that FRR counts as given comes back only when it was taken out of FRR before."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = {"10.40.1.1/24", "fd00:40:1::1/64", "fe80::7867:6e00:0:1/64"}
        self.given = set(self.live)
        self.zebra = tmp_path / "zebra.vty"
        self.zebra.touch()
        (tmp_path / "frr.conf").write_text(TEXT, encoding="utf-8")
        monkeypatch.setattr(interface_addresses, "ZEBRA", str(self.zebra))
        monkeypatch.setattr(interface_addresses, "FRR_CONF", str(tmp_path / "frr.conf"))
        monkeypatch.setattr(interface_addresses, "SECONDS", 0.0)
        monkeypatch.setattr(subprocess, "run", self.run)

    def run(self, command: tuple[str, ...], **_options: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == "ip":
            assert command[-1] == "eth1"
            shown = [
                dict(zip(("local", "prefixlen"), (text.split("/")[0], int(text.split("/")[1])), strict=True)) for text in sorted(self.live)
            ]
            return subprocess.CompletedProcess(command, 0, json.dumps([{}, {"ifname": "eth1", "addr_info": shown}]), "")
        assert command[:5] == ("vtysh", "-c", "configure terminal", "-c", "interface eth1")
        words = command[-1].split()
        if words[0] == "no":
            self.given.discard(words[-1])
            return subprocess.CompletedProcess(command, 0 if words[-1] in self.live else 1, "", "")
        if words[-1] not in self.given:
            self.given.add(words[-1])
            self.live.add(words[-1])
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Router:
    return Router(tmp_path, monkeypatch)


def test_what_frr_gives_an_interface() -> None:
    assert interface_addresses.configured(TEXT, "eth1") == {"10.40.1.1/24": V4, "fd00:40:1::1/64": V6, "fe80::7867:6e00:0:1/64": LINK}
    assert interface_addresses.configured(TEXT, "eth10") == {"10.50.1.1/24": "ip address 10.50.1.1/24"}
    assert interface_addresses.configured(TEXT, "eth2") == {}


def test_what_is_lost_is_taken_out_of_frr_and_given_again(router: Router) -> None:
    before = set(router.live)
    assert interface_addresses.give_again("eth1", dry_run=False) == []
    router.live -= {"10.40.1.1/24", "fe80::7867:6e00:0:1/64"}
    assert interface_addresses.lost("eth1") == [V4, LINK]
    calls = [CALL + line for line in (f"no {V4}", V4, f"no {LINK}", LINK)]
    assert interface_addresses.give_again("eth1", dry_run=True) == calls
    assert interface_addresses.lost("eth1") == [V4, LINK]
    assert interface_addresses.give_again("eth1", dry_run=False) == calls
    assert router.live == before
    assert interface_addresses.lost("eth1") == []


def test_at_a_boot_frr_gives_them_itself(router: Router) -> None:
    router.live.clear()
    router.zebra.unlink()
    assert interface_addresses.lost("eth1") == [] == interface_addresses.give_again("eth1", dry_run=False)


@pytest.mark.parametrize(
    ("declared", "only", "asked"),
    [
        ({"addressed": ["eth1"]}, "eth1", True),
        ({"addressed": ["eth1"]}, None, False),
        ({"addressed": []}, "eth1", False),
        # What the collection makes, FRR sees made.
        ({"addressed": ["eth1"], "interfaces": [{"name": "eth1", "kind": "bridge"}]}, "eth1", False),
    ],
)
def test_only_a_nic_that_was_set_up_anew_is_looked_at(
    router: Router, monkeypatch: pytest.MonkeyPatch, declared: dict[str, Any], only: str | None, asked: bool
) -> None:
    """What networkd or a person does to others, FRR and the roles repair in their own way."""
    link = {
        "ifname": "eth1",
        "ifindex": 3,
        "flags": ["UP"],
        "mtu": 1500,
        "linkinfo": {"info_kind": "bridge"} if "interfaces" in declared else {},
    }
    monkeypatch.setattr(Kernel, "read", lambda _kernel, *arguments, program="ip": [link] if "link" in arguments else [])
    monkeypatch.setattr(interface_layer, "_tell_managers", lambda *_arguments: None)
    router.live.clear()
    commands, missing = interface_layer.apply(declared, only=only, dry_run=True)
    assert missing == []
    assert commands == ([CALL + word + line for line in (V4, V6, LINK) for word in ("no ", "")] if asked else [])
