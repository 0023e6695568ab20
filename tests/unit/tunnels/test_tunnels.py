"""What the modules of OpenVPN and L2TP/IPsec read from the host's own programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import openvpn
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_l2tp import gather_l2tp, parse_sas
from ansible_collections.xuegao.net.plugins.module_utils.openvpn_daemon import parse_state
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import L2tpIpsecTunnel, OpenvpnTunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.openvpn import transport
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import host_checks

SAS = """\
l2tp5: #3, CONNECTING, IKEv2, 1111111111111111_i* 0000000000000000_r
  local  '%any' @ 198.51.100.2[500]
l2tp5: #1, ESTABLISHED, IKEv2, 2222222222222222_i 3333333333333333_r*
  local  '198.51.100.1' @ 198.51.100.1[4500]
  remote '198.51.100.2' @ 198.51.100.2[4500]
  AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256
  established 12s ago, rekeying in 13000s
  l2tp5: #2, reqid 1, INSTALLED, TRANSPORT-in-UDP, ESP:AES_CBC-256/HMAC_SHA2_256_128
    installed 12s ago, rekeying in 3200s, expires in 3900s
"""
TUNNEL: OpenvpnTunnel = {"name": "ovpn2", "role": "server", "peer": "cloud", "mtu": 1414, "listen_port": 11942}
GOOD: dict[str, Any] = {
    "state": "CONNECTED",
    "remote": "198.51.100.1",
    "fingerprints": ["AA"],
    "rotation": "",
    "accepted": ["BB"],
    "mode": "0600",
    "current": True,
    "sockets": ["tcp ipv4 11942"],
    "problem": None,
}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_fingerprint_is_the_one_openssl_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvpn, "KEYS", str(tmp_path))
    assert openvpn.fingerprint("ovpn2") is None
    key, path = tmp_path / "key", tmp_path / "ovpn2.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=hq"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    path.write_text(key.read_text(encoding="utf-8") + path.read_text(encoding="utf-8"), encoding="utf-8")
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True
    )
    assert openvpn.fingerprint("ovpn2") == shown.stdout.strip().partition("=")[2]


def test_a_file_without_certificate_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvpn, "KEYS", str(tmp_path))
    (tmp_path / "ovpn2.pem").write_text("torn\n", encoding="utf-8")
    with pytest.raises(openvpn.OpenVPNError, match=r"ovpn2\.pem holds no valid certificate \(there is none\)"):
        openvpn.fingerprint("ovpn2")


def test_digest_changes_with_everything_a_daemon_reads() -> None:
    base = openvpn.configuration_digest({"config": "a", "dropin": "b"}, "AA")
    others = [({"config": "ab", "dropin": ""}, "AA"), ({"config": "a", "dropin": "c"}, "AA"), ({"config": "a", "dropin": "b"}, "AB")]
    assert base not in [openvpn.configuration_digest(*other) for other in others]


def test_state_of_openvpn() -> None:
    answer = ">INFO:OpenVPN Management Interface Version 5\n1795499636,CONNECTED,SUCCESS,,192.0.2.2,37726,192.0.2.1,11942\nEND\n"
    assert parse_state(answer) == ("CONNECTED", "192.0.2.2")
    assert parse_state(">INFO:nothing\n") == (None, None)


def test_the_best_security_association_counts() -> None:
    found = parse_sas(SAS)["l2tp5"]
    assert (found["ike"], found["version"], found["child"], found["mode"]) == ("ESTABLISHED", "IKEv2", "INSTALLED", "TRANSPORT-in-UDP")
    assert "AES_CBC" in found["algorithms"]


@pytest.mark.parametrize(
    ("change", "name", "detail"),
    [
        ({}, "", ""),
        ({"fingerprints": ["CC"]}, "OpenVPN ovpn2 own fingerprint as registered", "found CC, expected AA"),
        (
            {"fingerprints": ["CC", "AA"], "rotation": "next"},
            "OpenVPN ovpn2 own fingerprint as registered",
            "found CC, AA, expected AA",
        ),
        (
            {"accepted": None},
            "OpenVPN ovpn2 peer cloud fingerprint as registered",
            "missing BB (found none, expected BB)",
        ),
        (
            {"accepted": ["BB", "FORMER"]},
            "OpenVPN ovpn2 peer cloud fingerprint as registered",
            "extra FORMER (found BB, FORMER, expected BB)",
        ),
        ({"mode": "0644"}, "OpenVPN ovpn2 key is private", "found 0644, expected 0600"),
        (
            {"rotation": "former"},
            "OpenVPN ovpn2 former key is dropped",
            "peers accept it as long as it is there; playbook rotate_openvpn_keys goes on where it was broken off",
        ),
        (
            {"current": False},
            "OpenVPN ovpn2 daemon runs with its files and key",
            "started with others: one run of site restarts it",
        ),
        ({"current": None, "problem": "the daemon is gone"}, "OpenVPN ovpn2 daemon runs with its files and key", "the daemon is gone"),
        ({"sockets": ["udp ipv4 11942"]}, "OpenVPN ovpn2 transport", "found udp ipv4 11942, expected tcp ipv4 11942"),
        ({"sockets": ["tcp ipv6 11942"]}, "OpenVPN ovpn2 transport", "found tcp ipv6 11942, expected tcp ipv4 11942"),
        (
            {"sockets": ["tcp ipv4 11942", "tcp ipv4 443"]},
            "OpenVPN ovpn2 transport",
            "found tcp ipv4 11942, tcp ipv4 443, expected tcp ipv4 11942",
        ),
        ({"sockets": []}, "OpenVPN ovpn2 transport", "found nothing, expected tcp ipv4 11942"),
        ({"sockets": None, "problem": "the daemon is gone"}, "OpenVPN ovpn2 transport", "the daemon is gone"),
        ({"state": "RECONNECTING"}, "OpenVPN ovpn2 connected", "RECONNECTING, expected CONNECTED with cloud"),
    ],
)
def test_checks_of_openvpn(change: dict[str, Any], name: str, detail: str) -> None:
    assert failed_checks(change, {"hq": {"ovpn2": ["AA"]}, "cloud": {"ovpn2": ["BB"]}}) == ({name: detail} if name else {})


def test_the_transport_at_the_end_that_initiates() -> None:
    """Its own port is any; while it connects anew there may be two sockets for a moment."""
    tunnel: OpenvpnTunnel = {**TUNNEL, "role": "client", "transport": "udp", "family": "ipv6"}
    assert transport(tunnel, {"sockets": ["udp ipv6 40001", "udp ipv6 40002"]}) == (True, "udp ipv6")
    assert transport(tunnel, {"sockets": ["tcp ipv6 40001"]}) == (False, "found tcp ipv6, expected udp ipv6")


def failed_checks(change: dict[str, Any], registry: dict[str, dict[str, list[str]]]) -> dict[str, str]:
    """The checks of OpenVPN that fail at hq when its tunnel is not as it should be."""
    state = {"openvpn": {"command": "", "data": {"ovpn2": {**GOOD, **change}}, "error": None}}
    checks = host_checks("hq", {"openvpn_tunnels": [TUNNEL]}, state, {}, registry)
    return {item.name: item.detail for item in checks if item.name.startswith("OpenVPN") and item.status == "failed"}


def test_a_key_that_waits_to_be_used_is_as_it_should_be() -> None:
    """Own and other next keys, in any order of what the file accepts; without a registry nothing is known."""
    registry = {"hq": {"ovpn2": ["AA", "AB"]}, "cloud": {"ovpn2": ["BB", "BC"]}}
    live = {"fingerprints": ["AA", "AB"], "rotation": "next", "accepted": ["BC", "BB"]}
    assert failed_checks(live, registry) == {}
    assert failed_checks(live, {}) == {
        "OpenVPN ovpn2 own fingerprint as registered": "the registry has no fingerprint of hq ovpn2; found AA, AB",
        "OpenVPN ovpn2 peer cloud fingerprint as registered": "the registry has no fingerprint of cloud ovpn2",
    }


def test_what_a_configuration_accepts() -> None:
    """One in a line, several in a block, and nothing of what only looks like them."""
    one, two = ":".join(["AB"] * 32), ":".join(["0f"] * 32)
    assert openvpn.accepted(f"verb 3\npeer-fingerprint {one}\n# {two}\n") == [one]
    assert openvpn.accepted(f"<peer-fingerprint>\n{one}\n{two}\n</peer-fingerprint>\n{one}:AB\n") == [one, two]


GUARD = """table inet xgn_l2tp {
\tchain input {
\t\ttype filter hook input priority filter - 10; policy accept;
\t\tudp dport 1701 meta ipsec missing counter packets 0 bytes 0 drop
\t}

\tchain output {
\t\ttype filter hook output priority filter - 10; policy accept;
\t\tudp sport 1701 rt ipsec missing counter packets 0 bytes 0 drop
\t}
}
"""


@pytest.mark.parametrize(
    ("text", "loaded"),
    [
        (GUARD, True),
        (GUARD.replace("counter packets 0 bytes 0", "counter"), True),
        ("", False),
        (GUARD.replace("\t\tudp sport 1701 rt ipsec missing counter packets 0 bytes 0 drop\n", ""), False),
        (GUARD.replace("hook output", "hook postrouting"), False),
        (GUARD.replace("bytes 0 drop", "bytes 0"), False),
    ],
    ids=["as nft lists it", "without counts", "no table", "in alone", "another hook", "counted alone"],
)
def test_the_guard_of_l2tp_stands_in_and_out(text: str, loaded: bool) -> None:
    answers = iter([Finished(0, "", ""), Finished(0, text, "")])
    gatherer = Gatherer(runner=lambda command, timeout=30: next(answers))
    assert gather_l2tp(gatherer)["l2tp_guard"]["data"] is loaded


def test_checks_of_l2tp() -> None:
    tunnel: L2tpIpsecTunnel = {"name": "l2tp5", "role": "lns", "peer": "old", "mtu": 1402, "preshared_key": "stand-in", "cipher": "aes-gcm"}
    state = {"ipsec": {"command": "", "data": parse_sas(SAS), "error": None}, "l2tp_guard": {"command": "", "data": False, "error": None}}
    failed = {
        item.name: item.detail for item in host_checks("hq", {"l2tp_ipsec_tunnels": [tunnel]}, state) if item.name.startswith("IPsec")
    }
    assert failed == {
        "IPsec l2tp5 protects L2TP to old": "ESP:AES_CBC-256/HMAC_SHA2_256_128, expected AES_GCM",
        "IPsec alone carries L2TP": "no rules",
    }
