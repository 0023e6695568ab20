"""What a machine is given: network files, seed, QEMU's command line, connection.yml."""

from __future__ import annotations

import configparser
import io
import subprocess
import tarfile
from pathlib import Path

import yaml

from lab.accel import Accelerator
from lab.connection import ssh_command, write_inventory
from lab.image import Image
from lab.keys import ensure_key, known_hosts, public_key
from lab.paths import LabPaths
from lab.seed import MANAGEMENT_GUEST, management_network, nic_network, seed_archive, seed_files
from lab.topology import Nic, Route, Topology, parse_topology
from lab.vm import Definition, qemu_command

IMAGES = frozenset({"trixie"})
DATA = {
    "vms": {
        "r1": {
            "image": "trixie",
            "memory_mib": 512,
            "nics": [{"wire": "a", "addresses": ["10.0.0.1/24"]}, {"wire": "b"}, {"wire": "a"}],
        }
    },
    "wires": {"a": {}, "b": {}},
}
TCG = Accelerator("tcg", "test")


def topology() -> Topology:
    return parse_topology("t", DATA, IMAGES)


def image(tmp_path: Path) -> Image:
    directory = tmp_path / "trixie-0123"
    directory.mkdir(exist_ok=True)
    (directory / "build_id").write_text("abc\n")
    return Image(directory)


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """Read a networkd file; a section may occur more than once."""
    result = []
    for block in ("\n" + text).split("\n[")[1:]:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string("[" + block)
        name = parser.sections()[0]
        result.append((name, dict(parser[name])))
    return result


def test_an_addressed_nic_is_static_and_matched_by_mac_alone() -> None:
    nic = Nic("a", "52:54:00:00:00:01", 1400, ("10.0.0.1/24",), (Route("default", "10.0.0.254"), Route("10.9.0.0/16", "10.0.0.2")))
    parts = sections(nic_network(nic))
    # Kind keeps a VLAN or macvlan on top, which has the same MAC address, out.
    assert parts[0] == ("Match", {"PermanentMACAddress": "52:54:00:00:00:01", "Kind": "!*"})
    assert parts[1] == ("Link", {"MTUBytes": "1400", "RequiredForOnline": "yes"})
    network = dict(parts)["Network"]
    assert (network["Address"], network["DHCP"], network["IPv6AcceptRA"]) == ("10.0.0.1/24", "no", "no")
    assert [values for name, values in parts if name == "Route"] == [
        {"Destination": "0.0.0.0/0", "Gateway": "10.0.0.254"},
        {"Destination": "10.9.0.0/16", "Gateway": "10.0.0.2"},
    ]


def test_a_default_route_over_ipv6_is_an_ipv6_route() -> None:
    nic = Nic("a", "52:54:00:00:00:01", 1500, ("fd00::1/64",), (Route("default", "fd00::2"),))
    assert ("Route", {"Destination": "::/0", "Gateway": "fd00::2"}) in sections(nic_network(nic))


def test_a_nic_without_address_is_up_and_delays_nothing() -> None:
    parts = dict(sections(nic_network(Nic("a", "52:54:00:00:00:01"))))
    assert parts["Link"]["RequiredForOnline"] == "no"
    assert parts["Network"]["LinkLocalAddressing"] == "no"
    assert "Address" not in parts["Network"]


def test_management_gives_no_route_beyond_its_own_network() -> None:
    parts = sections(management_network("52:54:00:00:00:01"))
    assert [name for name, _ in parts] == ["Match", "Network"]
    assert "Gateway" not in parts[1][1]
    assert parts[1][1]["Address"] == f"{MANAGEMENT_GUEST}/24"


def test_the_seed_is_reproducible_and_keeps_keys_private() -> None:
    lab = topology()
    files = seed_files(lab, lab.vms["r1"], "PRIVATE\n", "PUBLIC\n", "CLIENT\n")
    data = seed_archive(files)
    assert data == seed_archive(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {member.name: member for member in archive}
        assert members["etc/ssh/ssh_host_ed25519_key"].mode == 0o600
        assert members["root/.ssh"].mode == 0o700
        assert members["root/.ssh/authorized_keys"].mode == 0o600
        assert members["etc/hostname"].mode == 0o644
        assert all(member.uid == member.gid == 0 for member in members.values())
        hostname = archive.extractfile("etc/hostname")
        assert hostname is not None
        assert hostname.read() == b"r1\n"
    networks = [name for name in members if name.endswith(".network")]
    assert networks == [f"etc/systemd/network/70-lab-{name}.network" for name in ("eth0", "eth1", "eth2", "mgmt0")]
    assert len(files["etc/machine-id"]) == 33


def test_nics_come_in_slot_order_with_management_last(tmp_path: Path) -> None:
    lab, paths = topology(), LabPaths(tmp_path / "state", tmp_path / "run")
    vm = lab.vms["r1"]
    command = qemu_command(vm, paths.vm("r1"), image(tmp_path), TCG, 2222)
    devices = [dict(item.split("=", 1) for item in text.split(",")[1:]) for text in command if text.startswith("virtio-net")]
    assert [device["mac"] for device in devices] == [*(nic.mac for nic in vm.nics), vm.management_mac]
    slots = [int(device["addr"], 16) for device in devices]
    assert slots == sorted(slots)
    assert slots[-1] > slots[-2] + 1
    user = next(text for text in command if text.startswith("user,"))
    assert "restrict=on" in user
    assert f"hostfwd=tcp:127.0.0.1:2222-{MANAGEMENT_GUEST}:22" in user
    assert "-no-reboot" not in command


def test_a_comma_in_a_path_does_not_end_the_option(tmp_path: Path) -> None:
    lab, paths = topology(), LabPaths(tmp_path / "a,b", tmp_path / "run")
    command = qemu_command(lab.vms["r1"], paths.vm("r1"), image(tmp_path), TCG, 1)
    assert any(f"file={tmp_path}/a,,b/vms/r1/overlay.qcow2" in text for text in command)


def test_the_definition_tells_a_new_disk_from_new_hardware(tmp_path: Path) -> None:
    lab, paths = topology(), LabPaths(tmp_path / "state", tmp_path / "run")
    vm, files, disk = lab.vms["r1"], paths.vm("r1"), image(tmp_path)
    first = Definition.of(vm, files, disk, b"seed", TCG)
    assert Definition.of(vm, files, disk, b"seed", Accelerator("tcg", "another reason")) == first
    with_kvm = Definition.of(vm, files, disk, b"seed", Accelerator("kvm", "test"))
    assert with_kvm != first
    assert with_kvm.same_disk(first)
    assert not Definition.of(vm, files, disk, b"other", TCG).same_disk(first)
    (disk.directory / "build_id").write_text("rebuilt\n")
    assert not Definition.of(vm, files, disk, b"seed", TCG).same_disk(first)


def test_connection_yml_is_an_inventory_with_connection_variables_only(tmp_path: Path) -> None:
    paths = LabPaths(tmp_path, tmp_path / "run")
    write_inventory(paths, {"T1": 40001, "T2": 40002})
    assert yaml.safe_load(paths.connection.read_text()) == {
        "all": {
            "hosts": {
                name: {
                    "ansible_host": "127.0.0.1",
                    "ansible_port": port,
                    "ansible_user": "root",
                    "ansible_ssh_private_key_file": f"{tmp_path}/ssh/client_key",
                    "ansible_ssh_common_args": f"-o UserKnownHostsFile={tmp_path}/ssh/known_hosts -o StrictHostKeyChecking=yes",
                    "ansible_python_interpreter": "/usr/bin/python3",
                }
                for name, port in (("T1", 40001), ("T2", 40002))
            },
            "vars": {
                "openvpn_key_registry": f"{tmp_path}/openvpn_keys",
                "wireguard_key_registry": f"{tmp_path}/wireguard_keys",
            },
        }
    }
    assert [path.name for path in tmp_path.iterdir()] == ["connection.yml"]
    write_inventory(paths, {"T1": 40001}, {"router": tmp_path / "router.tar.zst"})
    variables = yaml.safe_load(paths.connection.read_text())["all"]["vars"]
    assert variables["router_archive"] == f"{tmp_path}/router.tar.zst"
    command = ssh_command(paths, 40001)
    assert command[-1] == "root@127.0.0.1"
    assert "StrictHostKeyChecking=yes" in command


def test_keys_are_private_kept_and_made_again_if_half_made(tmp_path: Path) -> None:
    key = tmp_path / "ssh" / "client_key"
    ensure_key(key, "test")
    assert key.stat().st_mode & 0o777 == 0o600
    first = public_key(key)
    ensure_key(key, "test")
    assert public_key(key) == first
    key.with_name("client_key.pub").unlink()
    ensure_key(key, "test")
    assert public_key(key) != first
    found = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    assert found.split()[:2] == public_key(key).split()[:2]


def test_known_hosts_names_address_and_port(tmp_path: Path) -> None:
    key = tmp_path / "host_key"
    ensure_key(key, "T1")
    path = tmp_path / "known_hosts"
    path.write_text(known_hosts([(40001, public_key(key))]))
    look_up = ["ssh-keygen", "-F", "[127.0.0.1]:40001", "-f", str(path)]
    assert subprocess.run(look_up, capture_output=True, check=False).returncode == 0
    look_up[2] = "[127.0.0.1]:40002"
    assert subprocess.run(look_up, capture_output=True, check=False).returncode == 1
