"""FRR and wireguard-tools from source on hosts that had nothing: version, options, daemons, files, accounts, session, tunnel."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from host_state import vtysh, wait_for

testinfra_hosts = ["ansible://routers"]
UNITS = ["frr.service", "wg-quick@wg0.service"]
SESSION_LIMIT_S = 150
# Upstream's archive: docs/testing.md.
WIREGUARD_TOOLS = bool(os.environ.get("XGN_WIREGUARD_TOOLS"))
OPTIONS = (
    "--sysconfdir=/etc/frr",
    "--localstatedir=/var/run/frr",
    "--enable-snmp=agentx",
    "--enable-multipath=64",
    "--enable-user=frr",
    "--enable-group=frr",
    "--enable-vty-group=frrvty",
    "--enable-systemd=yes",
    "--disable-ldpd",
    "--enable-fpm",
    "--with-pkg-extra-version=-XUEGAONET",
)
FILES = {
    "/etc/frr": ("frr", "frr", 0o755),
    "/etc/frr/frr.conf": ("frr", "frr", 0o640),
    "/etc/frr/daemons": ("frr", "frr", 0o640),
    "/etc/frr/vtysh.conf": ("frr", "frrvty", 0o640),
    "/etc/frr/zebra.conf": ("frr", "frr", 0o640),
    "/etc/frr/bgpd.conf": ("frr", "frr", 0o640),
    "/etc/frr/bfdd.conf": ("frr", "frr", 0o640),
    "/etc/frr/ospfd.conf": ("frr", "frr", 0o640),
    "/etc/frr/staticd.conf": ("frr", "frr", 0o640),
    "/run/frr": ("frr", "frr", 0o755),
    "/usr/lib/frr/frr-reload.py": ("root", "root", 0o755),
}


@pytest.mark.parametrize("program", ["zebra", "bgpd", "bfdd", "ospfd", "ospf6d", "staticd"])
def test_version_of_the_daemons(host: Any, program: str) -> None:
    """Every daemon says what it was built as."""
    assert host.check_output(f"/usr/lib/frr/{program} --version").startswith(f"{program} version 10.3-XUEGAONET")


def test_version_that_runs(host: Any) -> None:
    """The FRR that runs is the one that was built, with every option."""
    shown = host.check_output("vtysh -c 'show version'")
    assert "FRRouting 10.3-XUEGAONET" in shown
    missing = [option for option in OPTIONS if option not in shown]
    assert missing == []


@pytest.mark.parametrize("daemon", ["zebra", "bgpd", "bfdd", "ospfd", "staticd", "watchfrr"])
def test_daemon_runs(host: Any, daemon: str) -> None:
    """The enabled daemons run, all but their guard as user frr, from the files that are installed."""
    (process,) = host.process.filter(comm=daemon)
    assert process.user == ("root" if daemon == "watchfrr" else "frr")
    assert host.check_output(f"readlink /proc/{process.pid}/exe") == f"/usr/lib/frr/{daemon}"


def test_no_further_daemon_runs(host: Any) -> None:
    """The file daemons enables what the configuration speaks of, and no more."""
    running = set(host.check_output("vtysh -c 'show daemons'").split())
    assert running <= {"zebra", "staticd", "bgpd", "bfdd", "ospfd", "watchfrr", "mgmtd"}


def test_ldpd_was_left_out(host: Any) -> None:
    """What an option switched off is not there."""
    assert not host.file("/usr/lib/frr/ldpd").exists


@pytest.mark.parametrize("path", FILES)
def test_file(host: Any, path: str) -> None:
    """Owners and modes."""
    file = host.file(path)
    assert (file.user, file.group, file.mode) == FILES[path]


@pytest.mark.parametrize("daemon", ["zebra", "bgpd", "bfdd", "ospfd", "staticd"])
def test_own_file_of_a_daemon_is_empty(host: Any, daemon: str) -> None:
    """All configuration is in frr.conf."""
    assert host.file(f"/etc/frr/{daemon}.conf").size == 0


def test_accounts(host: Any) -> None:
    """Numbers as FRR's documentation has them."""
    assert (host.user("frr").uid, host.group("frr").gid, host.group("frrvty").gid) == (92, 92, 85)
    assert set(host.user("frr").groups) == {"frr", "frrvty"}
    assert host.user("frr").shell == "/usr/sbin/nologin"


def test_package(host: Any) -> None:
    """It is a package like any other, whole, and held, so that the distribution's does not replace it."""
    shown = host.check_output("dpkg-query --show --showformat '${Version} ${db:Status-Abbrev} ${Conffiles}' frr")
    assert "+xgn.debian" in shown.split()[0]
    assert shown.split()[1] == "hi"
    assert {"/etc/frr/daemons", "/etc/frr/vtysh.conf", "/etc/logrotate.d/frr"} <= set(shown.split())
    assert host.check_output("apt-mark showhold").split() == (["frr", "wireguard-tools"] if WIREGUARD_TOOLS else ["frr"])
    assert host.run("apt-get check").succeeded


@pytest.mark.skipif(not WIREGUARD_TOOLS, reason="XGN_WIREGUARD_TOOLS names no archive of wireguard-tools")
def test_wireguard_tools(host: Any) -> None:
    """They are what was built, whole, with units and a directory for keys that nobody else reads."""
    shown = host.check_output("dpkg-query --show --showformat '${Version} ${db:Status-Abbrev}' wireguard-tools")
    assert re.fullmatch(r"1\.0\.20210914\+xgn\.debian\d+\.[0-9a-f]{12} hi ?", shown), shown
    assert host.check_output("wg --version").startswith("wireguard-tools v1.0.20210914 ")
    owner = "dpkg-query --search /usr/bin/wg /usr/bin/wg-quick /usr/share/bash-completion/completions/wg"
    assert {line.split(":")[0] for line in host.check_output(owner).splitlines()} == {"wireguard-tools"}
    unit = host.check_output("systemctl show --property=FragmentPath --value wg-quick@wg0.service")
    assert "wireguard-tools" in host.check_output(f"dpkg-query --search '*{unit.removeprefix('/usr')}'").split(":")[0]
    keys = host.file("/etc/wireguard")
    assert (keys.user, keys.group, keys.mode) == ("root", "root", 0o700)


def test_tunnel_is_up(host: Any) -> None:
    """wg-quick of this package makes the tunnel, now and at boot."""
    unit = host.service("wg-quick@wg0.service")
    assert unit.is_enabled
    assert unit.is_running
    wait_for(lambda: bool(re.search(r"\t[1-9]", host.check_output("wg show wg0 latest-handshakes"))), seconds=SESSION_LIMIT_S)


def test_libraries_are_found(host: Any) -> None:
    """Every library of every program comes from the distribution or from FRR's own directory."""
    linked = host.check_output("ldd /usr/lib/frr/bgpd /usr/lib/frr/zebra /usr/bin/vtysh /usr/lib/*/frr/modules/*.so")
    assert "not found" not in linked
    own = [line.split()[2] for line in linked.splitlines() if "libyang.so.3" in line]
    release = host.check_output(". /etc/os-release && echo $VERSION_ID")
    where = "/usr/lib/x86_64-linux-gnu/frr/libyang.so.3" if release == "12" else "libyang.so.3"
    assert own
    assert all(path.endswith(where) for path in own)


def test_unit(host: Any) -> None:
    """The unit is the role's, in the proven order, and starts at boot."""
    unit = host.service("frr.service")
    assert unit.is_enabled
    assert unit.is_running
    assert host.check_output("systemctl show --property=FragmentPath --value frr.service") == "/etc/systemd/system/frr.service"


def test_session_is_established(host: Any) -> None:
    """The routers have a session, with BFD."""
    variables = host.ansible.get_variables()
    peer = f"{variables['network']}.{variables['peer']}"
    wait_for(lambda: vtysh(host, f"show bgp neighbors {peer}")[peer]["bgpState"], "Established", SESSION_LIMIT_S)


def test_reload_finds_nothing_to_do(host: Any) -> None:
    """frr-reload.py is part of the package and works."""
    test = host.run("/usr/lib/frr/frr-reload.py --test --stdout --bindir /usr/bin --confdir /etc/frr /etc/frr/frr.conf")
    assert test.succeeded, test.stderr
    assert test.stdout == ""
