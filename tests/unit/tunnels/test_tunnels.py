"""What the modules of OpenVPN and L2TP/IPsec read from the host's own programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import openvpn
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_l2tp import parse_sas
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_openvpn import parse_state
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import L2tpIpsecTunnel, OpenvpnTunnel
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
GOOD = {"state": "CONNECTED", "remote": "198.51.100.1", "fingerprint": "AA", "peer_fingerprint": "BB", "mode": "0600", "problem": None}


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
    assert parse_state(answer) == {"state": "CONNECTED", "remote": "192.0.2.2"}
    assert parse_state(">INFO:nothing\n") == {}


def test_the_best_security_association_counts() -> None:
    found = parse_sas(SAS)["l2tp5"]
    assert (found["ike"], found["version"], found["child"], found["mode"]) == ("ESTABLISHED", "IKEv2", "INSTALLED", "TRANSPORT-in-UDP")
    assert "AES_CBC" in found["algorithms"]


@pytest.mark.parametrize(
    ("change", "name", "detail"),
    [
        ({}, "", ""),
        ({"fingerprint": "CC"}, "OpenVPN ovpn2 own fingerprint as registered", "found CC, expected AA"),
        ({"peer_fingerprint": None}, "OpenVPN ovpn2 peer cloud fingerprint as registered", "found nothing, expected BB"),
        ({"mode": "0644"}, "OpenVPN ovpn2 key is private", "found 0644, expected 0600"),
        ({"state": "RECONNECTING"}, "OpenVPN ovpn2 connected", "RECONNECTING, expected CONNECTED with cloud"),
    ],
)
def test_checks_of_openvpn(change: dict[str, str | None], name: str, detail: str) -> None:
    state = {"openvpn": {"command": "", "data": {"ovpn2": {**GOOD, **change}}, "error": None}}
    checks = host_checks("hq", {"openvpn_tunnels": [TUNNEL]}, state, {}, {"hq": {"ovpn2": "AA"}, "cloud": {"ovpn2": "BB"}})
    failed = {item.name: item.detail for item in checks if item.name.startswith("OpenVPN") and item.status == "failed"}
    assert failed == ({name: detail} if name else {})


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
