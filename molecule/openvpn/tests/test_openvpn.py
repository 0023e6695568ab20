"""Role openvpn: keys, files, units, and two hosts that exchange packets over TCP and over UDP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_state import wait_for

UNITS = [f"openvpn-{role}@{name}.service" for name in ("ovpn2", "ovpn3") for role in ("server", "client")]
MTU = {"ovpn2": 1414, "ovpn3": 1434}
ADDRESSES = {"ovpn2": "10.9.0.{}", "ovpn3": "10.9.1.{}"}
IPV4_ICMP = 28  # bytes of the headers of a ping
STATE = r"""
import socket
with socket.socket(socket.AF_UNIX) as link:
    link.settimeout(5)
    link.connect("/run/xgn-openvpn/%s/management")
    link.sendall(b"state\n")
    text = b""
    while b"\nEND" not in text:
        text += link.recv(4096)
print(next(line.split(",")[1] for line in text.decode().splitlines() if line[:1].isdigit()))
"""


def recorded(host_name: str) -> dict[str, str]:
    """Return the fingerprints that the registry has of one host."""
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "openvpn_keys", f"{host_name}.txt")
    keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(keys, dict)
    return keys


@pytest.fixture
def known(host: Any) -> dict[str, Any]:
    """This host's variables in the inventory."""
    return dict(host.ansible.get_variables())


def role_of(known: dict[str, Any], name: str) -> str:
    """Return which end of a tunnel a host is."""
    return str(known["roles"][list(MTU).index(name)])


@pytest.mark.parametrize("name", MTU)
def test_files(host: Any, known: dict[str, Any], name: str) -> None:
    """Nobody but root reads the key."""
    wanted = {
        "/etc/openvpn/keys": 0o700,
        f"/etc/openvpn/keys/{name}.pem": 0o600,
        f"/etc/openvpn/{role_of(known, name)}/{name}.conf": 0o600,
    }
    for path, mode in wanted.items():
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", mode), path


@pytest.mark.parametrize("name", MTU)
def test_identity(host: Any, known: dict[str, Any], name: str) -> None:
    """The registry has the fingerprint of the certificate on the host, and the file on the other host asks for it."""
    shown = host.check_output(f"openssl x509 -in /etc/openvpn/keys/{name}.pem -noout -fingerprint -sha256").partition("=")[2]
    assert recorded(known["inventory_hostname"])[name] == shown
    conf = host.file(f"/etc/openvpn/{role_of(known, name)}/{name}.conf").content_string.splitlines()
    assert f"peer-fingerprint {recorded(known['other'])[name]}" in conf


@pytest.mark.parametrize("name", MTU)
def test_nothing_of_a_rotation_is_left(host: Any, known: dict[str, Any], name: str) -> None:
    """One key at each end, and one that the other accepts."""
    assert host.check_output(f"ls /etc/openvpn/keys | grep '^{name}[.]'") == f"{name}.pem"
    conf = host.file(f"/etc/openvpn/{role_of(known, name)}/{name}.conf").content_string
    assert re.findall("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", conf) == [recorded(known["other"])[name]]


@pytest.mark.parametrize("name", MTU)
def test_no_private_key_leaves_the_host(host: Any, name: str) -> None:
    """No private key is anywhere in the scenario's files on the controller."""
    key = host.check_output(f"openssl pkey -in /etc/openvpn/keys/{name}.pem").splitlines()[1]
    for path in Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]).rglob("*"):
        if path.is_file():
            assert key not in path.read_text(encoding="utf-8", errors="replace"), path


@pytest.mark.parametrize("name", MTU)
def test_unit(host: Any, known: dict[str, Any], name: str) -> None:
    """The unit runs, starts at boot, and is sound; the daemon is not root's."""
    unit = f"openvpn-{role_of(known, name)}@{name}.service"
    service = host.service(unit)
    assert service.is_enabled
    assert service.is_running
    verified = host.run(f"systemd-analyze verify --man=no {unit}")
    assert verified.succeeded, verified.stderr
    assert verified.stderr == ""
    main = host.check_output(f"systemctl show --property=MainPID --value {unit}")
    wait_for(lambda: host.check_output(f"stat --format=%U /proc/{main}") == "nobody")


@pytest.mark.parametrize("name", MTU)
def test_interface(host: Any, name: str) -> None:
    """The interface is a persistent one with the planned MTU, up, and no route is set by openvpn."""
    assert int(host.file(f"/sys/class/net/{name}/mtu").content_string) == MTU[name]
    shown = host.check_output(f"ip -oneline -details link show dev {name}")
    assert "UP" in shown.split("<")[1].split(">")[0].split(",")
    assert "tun type tun" in shown
    assert "persist on" in shown


@pytest.mark.parametrize("name", MTU)
def test_packets(host: Any, known: dict[str, Any], name: str) -> None:
    """The two ends are connected; a packet of the planned MTU passes whole and one more byte does not."""
    other = 3 - int(known["number"])
    for number, target in ((known["number"], host), (other, host.get_host(f"ansible://{known['other']}", ansible_inventory=inventory()))):
        target.check_output(f"ip address replace {ADDRESSES[name].format(number)}/30 dev {name}")
    wait_for(lambda: host.check_output(f"python3 -c '{STATE % name}'") == "CONNECTED")
    ping = f"ping -c 3 -i 0.2 -W 2 -M do {ADDRESSES[name].format(other)} -s "
    wait_for(lambda: host.run(ping + str(MTU[name] - IPV4_ICMP)).rc == 0)
    assert host.run(ping + str(MTU[name] - IPV4_ICMP + 1)).rc != 0


def inventory() -> str:
    """Return the scenario's inventory, through which the other host is reached."""
    return str(Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "inventory"))


@pytest.mark.parametrize("name", MTU)
def test_tls_of_today(host: Any, known: dict[str, Any], name: str) -> None:
    """Control channel TLS 1.3, data channel an AEAD cipher."""
    journal = host.check_output(f"journalctl --no-pager --boot --unit=openvpn-{role_of(known, name)}@{name}.service")
    assert "Control Channel: TLSv1.3" in journal
    assert "cipher=AES-256-GCM" in journal


@pytest.mark.parametrize("name", ["ovpn-new", "ovpn-bad"])
def test_removed_tunnel(host: Any, name: str) -> None:
    """A tunnel that is no longer listed, or never started, is gone, and does not come back at boot."""
    assert not host.interface(name).exists
    assert not host.file(f"/etc/openvpn/server/{name}.conf").exists
    assert "enabled" not in host.run(f"systemctl is-enabled openvpn-server@{name}.service").stdout.split()


def test_private_keys_are_nowhere_readable(host: Any) -> None:
    """No private key is in a file that everybody can read, or in a log."""
    keys = [host.check_output(f"openssl pkey -in /etc/openvpn/keys/{name}.pem").splitlines()[1] for name in MTU]
    patterns = " ".join(f"-e {key}" for key in keys)
    found = host.run(
        "find / -xdev -type f -perm -o=r -not -path '/proc/*' -not -path '/sys/*' -print0"
        f" | xargs -0 grep --files-with-matches --fixed-strings {patterns} --"
    )
    assert found.stdout == ""
    assert not any(key in host.check_output("journalctl --no-pager") for key in keys)
