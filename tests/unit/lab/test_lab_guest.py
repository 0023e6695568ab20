"""What a machine is given: network files, seed, QEMU's command line, connection.yml."""

from __future__ import annotations

import configparser
import io
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

from lab.connection import ssh_command, write_inventory, write_on_the_wire
from lab.errors import LabError
from lab.image import Image
from lab.kernel import Kernel
from lab.keys import ensure_key, known_hosts, public_key
from lab.paths import LabPaths
from lab.ports import is_free
from lab.qemu import Qemu
from lab.seed import MANAGEMENT_GUEST, management_network, nic_link, nic_network, provider_unit, seed_archive, seed_files
from lab.topology import MANAGERS, Nic, Route, Topology, parse_topology
from lab.uml import Uml
from lab.vm import Definition

IMAGES = frozenset({"trixie"})
DATA: dict[str, Any] = {
    "vms": {
        "r1": {
            "image": "trixie",
            "memory_mib": 512,
            "nics": [{"wire": "a", "addresses": ["10.0.0.1/24"]}, {"wire": "b"}, {"wire": "a"}],
        }
    },
    "wires": {"a": {}, "b": {}},
}
TCG = Qemu("tcg")


def topology() -> Topology:
    return parse_topology("t", DATA, IMAGES)


def image(tmp_path: Path) -> Image:
    directory = tmp_path / "trixie-0123"
    directory.mkdir(exist_ok=True)
    (directory / "build_id").write_text("abc\n")
    return Image(directory)


def uml(tmp_path: Path) -> Uml:
    directory = tmp_path / "kernel"
    directory.mkdir(exist_ok=True)
    (directory / "kernel.json").write_text('{"release": "7.2.12-xgn", "origin": "built here"}')
    return Uml(Kernel(directory), [4, 6])


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


def test_a_dynamic_nic_asks_and_listens_and_the_boot_waits_for_it() -> None:
    parts = dict(sections(nic_network(Nic("a", "52:54:00:00:00:01", dynamic=True))))
    assert parts["Link"]["RequiredForOnline"] == "yes"
    assert (parts["Network"]["DHCP"], parts["Network"]["IPv6AcceptRA"]) == ("ipv4", "yes")
    assert "LinkLocalAddressing" not in parts["Network"]


MANAGED: dict[str, Any] = {
    "vms": {
        "r1": {
            "image": "trixie",
            "nics": [
                {"wire": "a", "dynamic": True},
                {"wire": "a", "addresses": ["10.0.0.1/24", "fd00::1/64"], "routes": [{"to": "default", "via": "10.0.0.254"}]},
                {"wire": "b", "mtu": 1400},
            ],
        }
    },
    "wires": {"a": {}, "b": {}},
}


def seed_of(manager: str) -> dict[str, str]:
    data = {**MANAGED, "vms": {"r1": {**MANAGED["vms"]["r1"], "manager": manager}}}
    lab = parse_topology("t", data, IMAGES)
    return seed_files(lab, lab.vms["r1"], "PRIVATE\n", "PUBLIC\n", "CLIENT\n")


@pytest.mark.parametrize("manager", MANAGERS)
def test_one_manager_alone_starts_and_configures_every_nic(manager: str) -> None:
    files = seed_of(manager)
    stopped = {path.split("/")[3].removesuffix(".service.d") for path in files if path.endswith(".service.d/70-lab.conf")}
    runs = {"netplan": "systemd-networkd", "cloud-init": "systemd-networkd", "networkd": "systemd-networkd", "ifupdown": "networking"}
    daemons = {"systemd-networkd", "networking", "NetworkManager"}
    assert stopped & daemons == daemons - {runs.get(manager, manager)}
    assert ("etc/cloud/cloud-init.disabled" in files) == (manager != "cloud-init")
    assert any(path.startswith("etc/systemd/network/") and path.endswith(".network") for path in files) == (manager == "networkd")


@pytest.mark.parametrize(
    ("manager", "path"), [("netplan", "etc/netplan/70-lab.yaml"), ("cloud-init", "var/lib/cloud/seed/nocloud/network-config")]
)
def test_netplan_and_cloud_init_are_told_the_same(manager: str, path: str) -> None:
    told = read_yaml(seed_of(manager)[path])
    ethernets = told.get("network", told)["ethernets"]
    assert list(ethernets) == ["eth0", "eth1", "eth2", "mgmt0"]
    assert (ethernets["eth0"]["dhcp4"], ethernets["eth0"]["accept-ra"], ethernets["eth0"]["optional"]) == (True, True, False)
    assert (ethernets["eth1"]["dhcp4"], ethernets["eth1"]["addresses"]) == (False, ["10.0.0.1/24", "fd00::1/64"])
    # Of cloud-init some versions do not know the word default.
    assert ethernets["eth1"]["routes"] == [{"to": "0.0.0.0/0", "via": "10.0.0.254"}]
    assert (ethernets["eth2"]["mtu"], ethernets["eth2"]["optional"]) == (1400, True)


def test_ifupdown_asks_by_dhcp_and_a_router_goes_on_hearing_others() -> None:
    text = seed_of("ifupdown")["etc/network/interfaces"]
    assert "iface eth0 inet dhcp" in text and "iface eth0 inet6 auto\n  accept_ra 2" in text
    assert "iface eth1 inet static\n  address 10.0.0.1/24\n  gateway 10.0.0.254\niface eth1 inet6 static\n  address fd00::1/64" in text
    assert "iface eth2 inet manual" in text and "pre-up ip link set eth2 mtu 1400" in text


def test_network_manager_has_a_profile_for_each_nic() -> None:
    files = seed_of("NetworkManager")
    profiles = {path.rsplit("/", 1)[1]: text for path, text in files.items() if path.endswith(".nmconnection")}
    assert list(profiles) == [f"{name}.nmconnection" for name in ("eth0", "eth1", "eth2", "mgmt0")]
    assert profiles["eth0.nmconnection"].count("method=auto") == 2
    assert profiles["eth1.nmconnection"].count("method=manual") == 2 and "gateway=10.0.0.254" in profiles["eth1.nmconnection"]
    assert profiles["eth2.nmconnection"].count("method=disabled") == 2


def test_a_provider_answers_in_the_networks_of_its_addresses() -> None:
    unit = provider_unit({"eth0": Nic("a", "52:54:00:00:00:01", addresses=("198.51.100.254/24", "2001:db8:1::fe/64"), provides=True)})
    assert "--dhcp-range=198.51.100.128,198.51.100.253,255.255.255.0,120" in unit
    assert "--dhcp-range=2001:db8:1::,ra-only,64,120" in unit
    assert "--interface=eth0 --ra-param=eth0,10,40" in unit


def test_management_gives_no_route_beyond_its_own_network() -> None:
    parts = sections(management_network("52:54:00:00:00:01"))
    assert [name for name, _ in parts] == ["Match", "Network", "Address"]
    assert "Gateway" not in parts[1][1]
    # Its address is there at once.
    assert parts[2][1] == {"Address": f"{MANAGEMENT_GUEST}/24", "DuplicateAddressDetection": "none"}


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
    links = [name for name in members if name.endswith(".link")]
    assert links == [f"etc/systemd/network/70-lab-{name}.link" for name in ("eth0", "eth1", "eth2", "mgmt0")]
    assert len(files["etc/machine-id"]) == 33


def test_a_nic_has_its_name_by_its_mac_whatever_the_kernel_calls_it() -> None:
    assert sections(nic_link("52:54:00:00:00:01", "eth0")) == [
        ("Match", {"PermanentMACAddress": "52:54:00:00:00:01", "Kind": "!*"}),
        ("Link", {"Name": "eth0"}),
    ]


def test_nics_come_in_slot_order_with_management_last(tmp_path: Path) -> None:
    lab, paths = topology(), LabPaths(tmp_path / "state", tmp_path / "run")
    vm = lab.vms["r1"]
    (part,) = TCG.parts(vm, paths.vm("r1"), image(tmp_path), 2222)
    command = part.command
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
    (part,) = TCG.parts(lab.vms["r1"], paths.vm("r1"), image(tmp_path), 1)
    assert any(f"file={tmp_path}/a,,b/vms/r1/overlay.qcow2" in text for text in part.command)


def test_under_user_mode_linux_wires_come_in_order_with_management_last(tmp_path: Path) -> None:
    lab, paths = topology(), LabPaths(tmp_path / "state", tmp_path / "run")
    vm, files = lab.vms["r1"], paths.vm("r1")
    plug, machine = uml(tmp_path).parts(vm, files, image(tmp_path), 2222)
    assert f"/tcpfwd=127.0.0.1:2222:{MANAGEMENT_GUEST}:22" in plug.command[-2]
    assert "/disable_host_loopback/" in plug.command[-2]
    devices = [text.split(":", 1) for text in machine.command if text.startswith("vec")]
    options = [dict(item.split("=", 1) for item in text.split(",")) for _, text in devices]
    assert [name for name, _ in devices] == ["vec0", "vec1", "vec2", "vec3"]
    assert [option["mac"] for option in options] == [*(nic.mac for nic in vm.nics), vm.management_mac]
    ports = uml(tmp_path).management_ports(files)
    assert [option["dst"] for option in options] == [*(str(files.port_socket(index)) for index in range(3)), ports[0]["socket"]]
    assert [option["mtu"] for option in options] == ["9216", "9216", "9216", "1500"]
    assert str(plug.socket) == ports[1]["socket"]
    assert "mem=512M" in machine.command
    # Both processes are told from those of other machines by the machine's directory.
    assert all(any(files.marker in argument for argument in part.command) for part in (plug, machine))


def test_machines_under_user_mode_linux_stay_on_one_processor_each(tmp_path: Path) -> None:
    more = {"vms": {name: DATA["vms"]["r1"] | {"nics": []} for name in ("r1", "r2", "r3")}}
    lab, paths = parse_topology("t", more, IMAGES), LabPaths(tmp_path / "state", tmp_path / "run")
    commands = [uml(tmp_path).parts(vm, paths.vm(name), image(tmp_path), 1)[1].command for name, vm in lab.vms.items()]
    assert [command[:3] for command in commands] == [("taskset", "--cpu-list", number) for number in ("4", "6", "4")]


@pytest.mark.parametrize("name", ["a,b", "a=b", "a b"])
def test_user_mode_linux_refuses_a_path_that_its_command_line_would_cut(tmp_path: Path, name: str) -> None:
    lab, paths = topology(), LabPaths(tmp_path / name, tmp_path / "run")
    with pytest.raises(LabError, match="takes no path with"):
        uml(tmp_path).parts(lab.vms["r1"], paths.vm("r1"), image(tmp_path), 1)


def test_the_definition_tells_a_new_disk_from_new_hardware(tmp_path: Path) -> None:
    lab, paths = topology(), LabPaths(tmp_path / "state", tmp_path / "run")
    vm, files, disk = lab.vms["r1"], paths.vm("r1"), image(tmp_path)
    first = Definition.of(vm, files, disk, b"seed", TCG)
    assert Definition.of(vm, files, disk, b"seed", Qemu("tcg")) == first
    for other in (Qemu("kvm"), uml(tmp_path)):
        changed = Definition.of(vm, files, disk, b"seed", other)
        assert changed != first
        assert changed.same_disk(first)
    assert not Definition.of(vm, files, disk, b"other", TCG).same_disk(first)
    (disk.directory / "build_id").write_text("rebuilt\n")
    assert not Definition.of(vm, files, disk, b"seed", TCG).same_disk(first)


def bind_quiet_port(other: socket.socket) -> int:
    """Bind a port below those that the kernel gives away: nobody takes it in the moment after it was closed."""
    for port in range(20000, 30000):
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise AssertionError("no port from 20000 to 29999 is free")


def test_a_port_is_free_when_nobody_listens_on_it() -> None:
    with socket.socket() as other:
        # As QEMU and the management network of User Mode Linux do.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = bind_quiet_port(other)
        other.listen()
        assert not is_free(port)
        # A connection that ended leaves the port in TIME_WAIT for a minute.
        with socket.create_connection(("127.0.0.1", port)), other.accept()[0]:
            pass
    assert is_free(port)


def test_connection_yml_is_an_inventory_with_connection_variables_only(tmp_path: Path) -> None:
    paths = LabPaths(tmp_path, tmp_path / "run")
    write_inventory(paths, {"T1": 40001, "T2": 40002})
    assert read_yaml(paths.connection.read_text()) == {
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
                "xgn_applied_directory": f"{tmp_path}/applied",
                "xgn_way_back_seconds": 600,
            },
        }
    }
    assert [path.name for path in tmp_path.iterdir()] == ["connection.yml"]
    write_inventory(paths, {"T1": 40001}, {"router": tmp_path / "router.tar.zst"})
    variables = read_yaml(paths.connection.read_text())["all"]["vars"]
    assert variables["router_archive"] == f"{tmp_path}/router.tar.zst"
    command = ssh_command(paths, 40001)
    assert command[-1] == "root@127.0.0.1"
    assert "StrictHostKeyChecking=yes" in command


def test_machines_on_the_controllers_wire_have_an_inventory_of_their_own(tmp_path: Path) -> None:
    paths = LabPaths(tmp_path, tmp_path / "run")
    write_inventory(paths, {"T1": 40001})
    write_on_the_wire(paths, {"T1": 40003})
    by_the_wire = read_yaml(paths.on_the_wire.read_text())
    behind = read_yaml(paths.connection.read_text())
    assert by_the_wire == {"all": {"hosts": {"T1": {**behind["all"]["hosts"]["T1"], "ansible_port": 40003}}}}
    write_on_the_wire(paths, {})
    assert [path.name for path in tmp_path.iterdir()] == ["connection.yml"]


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
