"""Role wireguard: keys, files, units, and two hosts that shake hands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_state import wait_for

UNITS = ["wg-quick@wg0.service", "wg-quick@wg-spare.service"]
INTERFACES = {"wg0": 1412, "wg-spare": 1280}
PRESHARED_KEY = "xgnSecretPresharedKey0000000000000000000000="
OUTSIDER = "outsider00000000000000000000000000000000000="
FILES = {
    "/etc/wireguard": 0o700,
    "/etc/wireguard/wg0.conf": 0o600,
    "/etc/wireguard/wg0.key": 0o600,
    "/etc/wireguard/wg-spare.conf": 0o600,
    "/etc/wireguard/wg-spare.key": 0o600,
    "/etc/systemd/system/wg-quick@.service.d/90-xgn.conf": 0o644,
}


def registry() -> Path:
    """The directory of public keys on the controller."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "wireguard_keys")


def recorded(host_name: str) -> dict[str, str]:
    """Return the public keys that the registry has of one host."""
    keys = yaml.safe_load((registry() / f"{host_name}.txt").read_text(encoding="utf-8"))
    assert isinstance(keys, dict)
    return keys


@pytest.fixture
def name(host: Any) -> str:
    """This host's name in the inventory."""
    return str(host.ansible.get_variables()["inventory_hostname"])


@pytest.fixture
def other(host: Any) -> str:
    """The other host's name in the inventory."""
    return str(host.ansible.get_variables()["other"])


@pytest.mark.parametrize("path", FILES)
def test_file(host: Any, path: str) -> None:
    """Nobody but root reads keys."""
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", FILES[path])


@pytest.mark.parametrize("interface", INTERFACES)
def test_identity(host: Any, name: str, interface: str) -> None:
    """The living interface has the key that is stored on the host and recorded on the controller."""
    stored = host.check_output(f"wg pubkey </etc/wireguard/{interface}.key")
    assert host.check_output(f"wg show {interface} public-key") == stored
    assert recorded(name)[interface] == stored


def test_registry_holds_only_public_keys(name: str) -> None:
    """The controller keeps the public keys of the declared interfaces, and of those that were declared once."""
    assert set(INTERFACES) <= set(recorded(name)) <= {*INTERFACES, "wg-old"}


def test_no_private_key_leaves_the_host(host: Any) -> None:
    """No private key is anywhere in the scenario's files on the controller."""
    keys = [host.check_output(f"cat /etc/wireguard/{interface}.key") for interface in INTERFACES]
    for path in registry().parent.rglob("*"):
        if path.is_file():
            content = path.read_text(encoding="utf-8", errors="replace")
            assert not any(key in content for key in keys), path


def test_conf(host: Any, other: str) -> None:
    """The file has both peers, and leaves addresses and routes to FRR."""
    lines = host.file("/etc/wireguard/wg0.conf").content_string.splitlines()
    for expected in (
        "ListenPort = 51820",
        "MTU = 1412",
        "Table = off",
        f"PublicKey = {recorded(other)['wg0']}",
        f"PublicKey = {OUTSIDER}",
        f"PresharedKey = {PRESHARED_KEY}",
        "AllowedIPs = 10.0.0.0/8, fd00::/8",
        "PersistentKeepalive = 2",
    ):
        assert lines.count(expected) == 1, expected
    assert not [line for line in lines if line.startswith("Address")]


def test_live_peers(host: Any, other: str) -> None:
    """The living interface has exactly the declared peers with what is declared of them."""
    rows = [line.split("\t") for line in host.check_output("wg show wg0 dump").splitlines()]
    peers = {row[0]: row for row in rows[1:]}
    assert set(peers) == {recorded(other)["wg0"], OUTSIDER}
    peer = peers[recorded(other)["wg0"]]
    assert (peer[1], set(peer[3].split(",")), peer[7]) == (PRESHARED_KEY, {"10.0.0.0/8", "fd00::/8"}, "2")
    assert peers[OUTSIDER][1] == "(none)"
    assert rows[0][2] == "51820"


@pytest.mark.parametrize("interface", INTERFACES)
def test_interface(host: Any, interface: str) -> None:
    """The interface is up with its MTU; no address and no route is set by wg-quick."""
    assert int(host.file(f"/sys/class/net/{interface}/mtu").content_string) == INTERFACES[interface]
    assert "UP" in host.check_output(f"ip -oneline link show dev {interface}").split("<")[1].split(">")[0].split(",")
    assert host.check_output(f"ip -4 -oneline address show dev {interface}") == ""
    assert host.check_output(f"ip -4 route show table all dev {interface}") == ""


def test_handshake(host: Any, other: str) -> None:
    """Both ends hold the keys the other expects: they shake hands."""

    def last() -> int:
        lines = (line.split("\t") for line in host.check_output("wg show wg0 latest-handshakes").splitlines())
        return int(dict(lines)[recorded(other)["wg0"]])

    wait_for(lambda: last() > 0)


@pytest.mark.parametrize("unit", UNITS)
def test_unit(host: Any, unit: str) -> None:
    """The unit runs, starts at boot, is sound, and does not wait for ever for a name."""
    service = host.service(unit)
    assert service.is_enabled
    assert service.is_running
    environment = host.check_output(f"systemctl show --property=Environment --value {unit}")
    assert "WG_ENDPOINT_RESOLUTION_RETRIES=5" in environment.split()
    verified = host.run(f"systemd-analyze verify --man=no {unit}")
    assert verified.succeeded, verified.stderr
    assert verified.stderr == ""


def test_removed_interface(host: Any) -> None:
    """An interface that is no longer listed is gone, and does not come back at boot."""
    assert not host.interface("wg-old").exists
    assert not host.file("/etc/wireguard/wg-old.conf").exists
    assert host.run("systemctl is-enabled wg-quick@wg-old.service").stdout.strip() == "disabled"


def test_secrets_are_nowhere_readable(host: Any) -> None:
    """No private or preshared key is in a file that everybody can read, or in a log."""
    secrets = [PRESHARED_KEY, *(host.check_output(f"cat /etc/wireguard/{interface}.key") for interface in INTERFACES)]
    patterns = " ".join(f"-e {secret}" for secret in secrets)
    found = host.run(
        "find / -xdev -type f -perm -o=r -not -path '/proc/*' -not -path '/sys/*' -print0"
        f" | xargs -0 grep --files-with-matches --fixed-strings {patterns} --"
    )
    assert found.stdout == ""
    journal = host.check_output("journalctl --no-pager")
    assert not any(secret in journal for secret in secrets)
