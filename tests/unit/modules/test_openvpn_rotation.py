"""A rotation of OpenVPN keys at two ends, killed between any two changes: the tunnel works all the time, and the next run brings it to an end.

The role's own modules, registry and texts are at work, on two hosts that are two directories. A change is a file that gets another content or goes, on a
host or in the registry, and the restart of a daemon; each of them is whole or not at all.
"""

from __future__ import annotations

import base64
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import files, host_change, openvpn, openvpn_daemon, ownership, sysfs
from ansible_collections.xuegao.net.plugins.modules import openvpn_key, openvpn_tunnels
from ansible_collections.xuegao.net.plugins.plugin_utils.common import key_registry
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables, OpenvpnTunnel
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.openvpn import openvpn_values

from .managed_host import Host

ROLE = Path(__file__).parents[3] / "roles" / "openvpn" / "tasks"
NAME = "ovpn2"
SERVER: OpenvpnTunnel = {"name": NAME, "role": "server", "listen_port": 1194, "peer": "client", "mtu": 1400}
CLIENT: OpenvpnTunnel = {"name": NAME, "role": "client", "remote": "192.0.2.1", "remote_port": 1194, "peer": "server", "mtu": 1400}
PARTNER: OpenvpnTunnel = {**CLIENT, "peer": "partner"}
# The key steps of a rotation; what the keys are then is taken into use after each.
STEPS = ("next", "switch", "drop")


class Network:
    """Two hosts and their controller.

    ``moments`` holds what there was before each change: where somebody may have been killed.
    """

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.host, self.monkeypatch, self.root, self.registry = host, monkeypatch, root / "now", root / "now" / "registry"
        self.moments: list[tuple[Path, dict[str, tuple[str, set[str]]]]] = []
        self.keeps = False
        self.must_work = True
        self.on = ""
        self.entries: dict[str, OpenvpnTunnel] = {"server": SERVER, "client": CLIENT}
        # By host: fingerprint that its daemon uses, and those it accepts.
        self.daemons: dict[str, tuple[str, set[str]]] = {}
        self.certificates = itertools.count()
        host.program("openssl", self.openssl)
        host.program("systemctl", self.systemctl)
        for name in ("openvpn", "ip"):
            host.program(name)
        host.program("journalctl", lambda _command, _data: (0, "AUTH_FAILED\n", ""))
        monkeypatch.setattr(openvpn_daemon, "ask", self.ask)
        monkeypatch.setattr(os, "fsync", lambda _handle: None)
        self.wrap(host_change, "write_atomically", files.write_atomically)
        self.wrap(host_change.HostChange, "remove", host_change.HostChange.remove)

    def wrap(self, owner: Any, name: str, real: Callable[..., None]) -> None:
        """Have a function make a change."""

        def wrapped(*given: Any) -> None:
            self.change()
            real(*given)

        self.monkeypatch.setattr(owner, name, wrapped)

    def change(self) -> None:
        """Before a change: what there is works, and may be all that was done."""
        assert not self.must_work or len(self.daemons) < 2 or self.works, f"broken before change {len(self.moments)}"
        if self.keeps:
            kept = self.root.with_name(f"moment {len(self.moments)}")
            shutil.copytree(self.root, kept)
            self.moments.append((kept, dict(self.daemons)))

    def watch(self, run: Callable[[], object]) -> None:
        """Run something, and keep what there was before each of its changes."""
        self.moments, self.keeps = [], True
        run()
        self.keeps = False

    def return_to(self, moment: tuple[Path, dict[str, tuple[str, set[str]]]]) -> None:
        """Have everything as it was then."""
        shutil.rmtree(self.root)
        shutil.copytree(moment[0], self.root)
        self.daemons = dict(moment[1])

    @property
    def works(self) -> bool:
        """Whether each end accepts the key that the other one uses."""
        (one, accepts_one), (other, accepts_other) = self.daemons.values()
        return one in accepts_other and other in accepts_one

    def enter(self, name: str) -> None:
        """Be on a host."""
        self.on = name
        for module, constant, path in (
            (openvpn, "DIRECTORY", "openvpn"),
            (openvpn, "KEYS", "openvpn/keys"),
            (openvpn, "UNITS", "units"),
            (sysfs, "NET", "net"),
            (openvpn_daemon, "PROC", "proc"),
            (ownership, "ROOT", "state"),
        ):
            place = self.root / name / path
            place.mkdir(parents=True, exist_ok=True)
            self.monkeypatch.setattr(module, constant, str(place))

    def openssl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        certificate = base64.b64encode(b"certificate %d" % next(self.certificates)).decode()
        Path(command[command.index("-keyout") + 1]).write_text("-----BEGIN PRIVATE KEY-----\n", encoding="utf-8")
        text = f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"
        Path(command[command.index("-out") + 1]).write_text(text, encoding="utf-8")
        return 0, "", ""

    def systemctl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        runs = self.on in self.daemons
        if command[1] == "restart":
            self.change()
            self.start_daemon()
        if command[1] == "show":
            return 0, f"ActiveState={'active' if runs else 'inactive'}\nUnitFileState={'enabled' if runs else 'disabled'}\nMainPID=7\n", ""
        return (0, "", "") if runs or not command[1].startswith("is-") else (3, "", "")

    def start_daemon(self) -> None:
        """Read what a daemon reads at its start."""
        role = self.entries[self.on]["role"]
        used = openvpn.fingerprint(NAME)
        assert used is not None
        self.daemons[self.on] = used, set(openvpn.accepted(Path(openvpn.conf_path(NAME, role)).read_text(encoding="utf-8")))
        process, interface = self.root / self.on / "proc/7", self.root / self.on / "net" / NAME
        (process / "fdinfo").mkdir(parents=True, exist_ok=True)
        (process / "fdinfo/5").write_text(f"iff:\t{NAME}\n", encoding="utf-8")
        # The drop-in gives it the digest.
        dropin = Path(openvpn.dropin_path(NAME, role)).read_text(encoding="utf-8")
        (line,) = [line for line in dropin.splitlines() if "XGN_CONFIGURATION=" in line]
        (process / "environ").write_bytes(line.partition("Environment=")[2].strip('"').encode() + b"\0")
        interface.mkdir(exist_ok=True)
        (interface / "mtu").write_text("1400\n", encoding="utf-8")
        (interface / "flags").write_text("0x1091\n", encoding="utf-8")

    def ask(self, _name: str) -> openvpn_daemon.Told:
        return openvpn_daemon.Told("CONNECTED" if self.works else "RECONNECTING", None, "7")

    # ---- tasks of the role -----------------------------------------------------------------------------------------------------------------

    def keys(self, name: str, step: str) -> dict[str, Any]:
        self.enter(name)
        result = self.host.run(openvpn_key, {"tunnels": [NAME], "step": step})
        assert "failed" not in result, result
        return result

    def record(self, name: str, fingerprints: list[str], *, accepted: bool = False) -> None:
        told: list[str] = []

        def run(*, write: bool) -> tuple[str, str]:
            return key_registry.record_keys(
                self.registry, name, {NAME: fingerprints}, "openvpn", told.append, accepted=accepted, write=write
            )

        before, after = run(write=False)
        # Site alone finds a next key that nobody has recorded; nothing else is worth a word.
        assert not told or (not accepted and len(fingerprints) == 2 and f"{NAME} has {fingerprints[1]} beside its key" in told[0]), told
        if before != after:
            self.change()
            run(write=True)

    def tunnel(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Bring the tunnel in line with the registry at one end."""
        variables: HostVariables = {"openvpn_tunnels": [self.entries[name]], "openvpn_tls_version_min": "1.3"}
        accepted, missing = key_registry.resolve_peers(self.registry, openvpn_values(variables)["peers"], "openvpn", pytest.fail)
        assert missing == []
        self.enter(name)
        return self.host.run(openvpn_tunnels, {"tunnels": openvpn_values(variables, accepted)["tunnels"], **arguments})

    def take(self, fingerprints: dict[str, list[str]]) -> None:
        """Tasks of take.yml."""
        for name, found in fingerprints.items():
            self.record(name, found, accepted=True)
        for name in sorted(fingerprints, key=lambda host: self.entries[host]["role"], reverse=True):
            waits = self.entries[name]["role"] == "client" or len(fingerprints) == 1
            result = self.tunnel(name, remove_unlisted=False, connect_seconds=180 if waits else 0)
            if "failed" in result:
                pytest.fail(result["msg"])

    def rotate(self, ends: tuple[str, ...]) -> None:
        """Tasks of rotate.yml; ends in the order in which they come to be changed by tasks that run at all of them at once."""
        for step in STEPS:
            self.take({name: self.keys(name, step)["fingerprints"][NAME] for name in ends})

    def site(self, ends: tuple[str, ...]) -> list[bool]:
        """What the role does in site. Returns whether it changed anything, by end."""
        found = {name: self.keys(name, "make") for name in ends}
        for name in ends:
            self.record(name, found[name]["fingerprints"][NAME])
        results = [self.tunnel(name) for name in ends]
        assert not any("failed" in result for result in results), results
        return [found[name]["changed"] or result["changed"] for name, result in zip(ends, results)]

    def in_use(self) -> dict[str, str]:
        return {name: used for name, (used, _accepted) in self.daemons.items()}

    def is_settled(self) -> bool:
        """Whether each end has one key, its daemon uses it, and accepts the one of the other end alone."""
        for name, peer in (("server", "client"), ("client", "server")):
            self.enter(name)
            used, accepted = self.daemons[name]
            if openvpn.fingerprints(name=NAME) != [used] or accepted != {self.daemons[peer][0]}:
                return False
            if key_registry.read_accepted(self.registry, name, "openvpn") != {NAME: [used]}:
                return False
            if [path.name for path in (self.root / name / "openvpn/keys").iterdir()] != [f"{NAME}.pem"]:
                return False
        return True


@pytest.fixture
def network(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Network:
    """Two hosts with a tunnel that works."""
    network = Network(host, monkeypatch, tmp_path / "network")
    network.site(("server", "client"))
    assert network.is_settled()
    return network


BOTH = ("server", "client")
ORDERS = [BOTH, BOTH[::-1]]


@pytest.mark.parametrize("ends", ORDERS, ids=lambda ends: f"{ends[0]} first")
def test_a_rotation_that_nobody_disturbs(network: Network, ends: tuple[str, ...]) -> None:
    """New keys at both ends, three restarts each, and nothing of the former ones left; site changes nothing then."""
    before = network.in_use()
    network.host.calls.clear()
    network.rotate(ends)
    assert network.is_settled() and not set(network.in_use().values()) & set(before.values())
    restarted = [call.split()[-1].partition("@")[0] for call in network.host.calls if "systemctl restart" in call]
    assert restarted == ["openvpn-server", "openvpn-client"] * 3
    assert network.site(ends) == [False, False]


@pytest.mark.parametrize("ends", ORDERS, ids=lambda ends: f"{ends[0]} first")
def test_killed_anywhere_the_rotation_goes_on(network: Network, ends: tuple[str, ...]) -> None:
    """Before each change in turn, in whichever order the ends came to it."""
    before = network.in_use()
    network.watch(lambda: network.rotate(ends))
    assert len(network.moments) > 30
    for moment in network.moments:
        network.return_to(moment)
        network.rotate(BOTH)
        assert network.is_settled() and not set(network.in_use().values()) & set(before.values()), moment[0].name


def test_killed_anywhere_site_makes_both_ends_agree(network: Network) -> None:
    """At one end, at the other, or at both; a second run changes nothing, and a rotation still comes to its end."""
    network.watch(lambda: network.rotate(BOTH))
    for number, moment in enumerate(network.moments):
        for ends in (BOTH[:1], BOTH[1:], BOTH):
            network.return_to(moment)
            network.site(ends)
            assert network.works, moment[0].name
            assert network.site(ends) == [False] * len(ends), moment[0].name
        if number % 5 == 0:
            network.rotate(BOTH)
            assert network.is_settled(), moment[0].name


def test_a_peer_that_does_not_accept_the_new_key_gets_the_former_one_again(network: Network) -> None:
    """Its owner said that it would. The end with an unmanaged peer waits alone, and goes back by itself; killed on the way, the next run does."""
    theirs, ours = network.daemons["server"][0], network.daemons["client"][0]
    network.daemons = {"partner": (theirs, {ours}), "client": network.daemons["client"]}
    network.entries = {"client": {**CLIENT, "peer": "partner", "peer_fingerprints": [theirs]}}
    network.site(("client",))
    made = network.keys("client", "next")["fingerprints"][NAME]
    network.record("client", made, accepted=True)
    assert network.site(("client",)) == [False] and made[0] == ours, "a key that nobody uses restarts nothing"
    network.must_work = False

    def switch() -> dict[str, Any]:
        network.record("client", network.keys("client", "switch")["fingerprints"][NAME], accepted=True)
        return network.tunnel("client", remove_unlisted=False, connect_seconds=180)

    told = []
    network.watch(lambda: told.append(switch()["msg"]))
    (message,) = told
    assert (
        "not connected with its peer after 180 s (RECONNECTING). Its former key is in use again; the new one waits as the next," in message
    )
    assert message.endswith("\nAUTH_FAILED")
    assert len(network.moments) > 8
    for moment in [*network.moments, None]:
        if moment is not None:
            network.return_to(moment)
            network.tunnel("client", remove_unlisted=False, connect_seconds=180)
        assert network.in_use()["client"] == ours
        network.enter("client")
        assert (openvpn.fingerprints(NAME), openvpn.rotation(NAME)) == (made, "next")
        assert "failed" not in network.tunnel("client", remove_unlisted=False, connect_seconds=180)


def test_the_role_does_these_steps_in_this_order() -> None:
    """What the other tests do by hand."""
    flat = [task for name in ("rotate", "switch") for task in read_yaml((ROLE / f"{name}.yml").read_text(encoding="utf-8"))]
    shown = [step.get("xuegao.net.openvpn_key", {}).get("step") or step.get("ansible.builtin.import_tasks") for step in flat]
    assert [step for step in shown if step] == [word for step in STEPS for word in (step, "take.yml")]
    taken = read_yaml((ROLE / "take.yml").read_text(encoding="utf-8"))
    called = [next(key for key in task if key.startswith("xuegao.net.")) for task in taken]
    assert called == ["xuegao.net.key_registry"] * 2 + ["xuegao.net.openvpn_tunnels"] * 2
    assert ["server" in str(task) for task in taken[2:]] == [True, False]
    assert taken[0]["xuegao.net.key_registry"]["accept"] is True
    assert "record" in taken[0]["xuegao.net.key_registry"] and "resolve" in taken[1]["xuegao.net.key_registry"]
