"""Module frr_config against an FRR that is a dictionary of lines: what it reports, when it goes back, and what nobody may read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr, frr_replace, ownership, sysfs, watchfrr
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Record, digest
from ansible_collections.xuegao.net.plugins.modules import frr_config

from .managed_host import Host

PASSWORD = "swordfish"
TEMPLATE = "frr version 10\nrouter bgp 65503\n neighbor 10.0.0.1 password <secret bgp 10.0.0.1>\n"
TEXT = TEMPLATE.replace("<secret bgp 10.0.0.1>", PASSWORD)
SECRETS = {"bgp 10.0.0.1": PASSWORD}


class Router:
    """vtysh and frr-reload.py of a running FRR. ``running``: its configuration; ``takes``: whether it takes what is reloaded."""

    def __init__(self, host: Host, path: Path, running: str = "") -> None:
        self.path, self.running, self.takes = path, running, True
        self.daemons = "zebra bgpd staticd"
        self.refuses = ""
        self.reload_fails: list[str] = []
        self.addresses: list[dict[str, Any]] = []
        host.program("vtysh", self.vtysh)
        host.program("timeout", lambda command, data: self.reload(command[2:], data))
        host.program("ip", lambda _command, _data: (0, json.dumps(self.addresses), ""))

    def vtysh(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if "--dryrun" in command:
            return (1, self.refuses.replace("PATH", command[-1]), "") if self.refuses else (0, "", "")
        if "show running-config no-header" in command:
            return 0, self.running, ""
        if "configure terminal" in command:
            self.addresses = [{"ifname": "wg0", "addr_info": [{"local": "10.1.0.1", "prefixlen": 30}]}]
        return (0, self.daemons, "") if self.daemons else (1, "", "failed to connect")

    def reload(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        text = Path(command[-1]).read_text(encoding="utf-8")
        if "--test" in command:
            old, new = self.running.splitlines(), text.splitlines()
            return 0, "\n".join([f"no {line}" for line in old if line not in new] + [line for line in new if line not in old]), ""
        if self.reload_fails:
            return 1, "INFO: noise\n", self.reload_fails.pop(0)
        if self.takes:
            self.running = text
        return 0, "", ""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where frr.conf will be, beside a reload program, on a host without interfaces."""
    program = tmp_path / "frr-reload.py"
    program.touch()
    monkeypatch.setattr(frr_config, "RELOAD_PROGRAMS", (str(program),))
    monkeypatch.setattr(watchfrr, "PID_FILE", str(tmp_path / "watchfrr.pid"))
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    (tmp_path / "frr").mkdir()
    return tmp_path / "frr" / "frr.conf"


def run(host: Host, path: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    return host.run(frr_config, {"content": TEMPLATE, "secrets": SECRETS, "path": str(path), **more}, check=check)


def test_what_is_applied_is_told_without_its_secret_and_only_once(host: Host, path: Path) -> None:
    Router(host, path)
    first = run(host, path)
    assert first["applied"] == TEMPLATE.splitlines()
    assert (path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777) == (TEXT, 0o640)
    second = run(host, path)
    assert (first["changed"], second["changed"], second["applied"]) == (True, False, [])
    assert PASSWORD not in json.dumps([first, second])
    assert [item.name for item in path.parent.iterdir()] == ["frr.conf"]


def test_what_was_written_is_recorded_by_its_digest(host: Host, path: Path) -> None:
    """Also the former text, where FRR does not take the new one."""
    router = Router(host, path)

    def recorded() -> Any:
        return Record("frr", host.warnings.append).objects["file", str(path)]["asked"]

    run(host, path, record="frr")
    assert recorded() == digest(TEXT)
    router.takes = False
    assert run(host, path, record="frr", content=TEMPLATE + "log syslog\n")["failed"]
    assert (recorded(), path.read_text(encoding="utf-8")) == (digest(TEXT), TEXT)
    assert PASSWORD not in (Path(ownership.directory()) / "frr.json").read_text(encoding="utf-8")


def test_a_former_password_is_not_shown_in_the_difference(host: Host, path: Path) -> None:
    path.write_text(TEXT.replace(PASSWORD, "former"), encoding="utf-8")
    Router(host, path, running=path.read_text(encoding="utf-8"))
    result = run(host, path)
    assert result["diff"][0]["before"] == TEMPLATE.replace("secret bgp 10.0.0.1", "former secret")
    assert "no  neighbor 10.0.0.1 password <former secret>" in result["applied"]


def test_drift_of_the_running_daemons_is_seen_though_the_file_is_right(host: Host, path: Path) -> None:
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=TEXT + "log syslog\n")
    assert run(host, path, check=True)["applied"] == ["no log syslog"]
    assert router.running != TEXT
    assert run(host, path)["applied"] == ["no log syslog"]
    assert router.running == TEXT


def test_what_ran_and_stands_in_no_file_is_kept_for_the_way_back(host: Host, path: Path, way_back: Path) -> None:
    """Somebody has repaired a path by hand, and the run takes it away."""
    host.program("systemctl")
    host.program("systemd-run")
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o640)
    Router(host, path, running=TEXT + "ip route 0.0.0.0/0 192.0.2.1\n")
    assert run(host, path, way_back_seconds=60)["applied"] == ["no ip route 0.0.0.0/0 192.0.2.1"]
    kept = way_back / "armed" / program.FRR_RUNNING
    assert (kept.read_text(encoding="utf-8"), kept.stat().st_mode & 0o777) == (TEXT + "ip route 0.0.0.0/0 192.0.2.1\n", 0o600)


def test_check_mode_only_tells(host: Host, path: Path) -> None:
    router = Router(host, path)
    result = run(host, path, check=True)
    assert (result["changed"], result["applied"]) == (True, TEMPLATE.splitlines())
    assert (router.running, list(path.parent.iterdir())) == ("", [])


def test_check_mode_on_a_bare_host(host: Host, path: Path) -> None:
    assert run(host, path, check=True)["changed"]
    assert run(host, path)["msg"] == "vtysh or frr-reload.py is not installed. Remedy: install frr and frr-pythontools."


def test_a_text_that_vtysh_refuses_never_gets_the_name(host: Host, path: Path) -> None:
    router = Router(host, path)
    router.refuses = f"line 3: % Unknown command[ neighbor 10.0.0.1 password {PASSWORD}] in PATH\n"
    result = run(host, path)
    assert "% Unknown command" in result["msg"]
    assert PASSWORD not in json.dumps(result)
    assert (router.running, list(path.parent.iterdir())) == ("", [])


def test_a_reload_that_fails_puts_the_former_configuration_back(host: Host, path: Path) -> None:
    path.write_text("old\n", encoding="utf-8")
    router = Router(host, path, running="old\n")
    router.reload_fails = [f"ERROR: failed on neighbor 10.0.0.1 password {PASSWORD}"]
    result = run(host, path)
    assert result["msg"].startswith("frr-reload.py --reload: ERROR: failed on neighbor 10.0.0.1 password <secret")
    assert result["msg"].endswith("The former configuration was put back.")
    assert path.read_text(encoding="utf-8") == "old\n"


def test_a_reload_that_lies_about_success_is_found_out(host: Host, path: Path) -> None:
    router = Router(host, path)
    router.takes = False
    assert "FRR took the configuration, yet these lines are left to apply:\nfrr version 10" in run(host, path)["msg"]


def test_silent_daemons_are_named_after_the_time(host: Host, path: Path) -> None:
    Router(host, path).daemons = "zebra"
    result = run(host, path, daemons=["zebra", "bgpd", "bfdd"], timeout=5)
    assert result["msg"].startswith("no answer from bfdd, bgpd after 5 s.")
    assert 5 <= sum(host.naps) < 6
    assert not path.exists()


def test_a_lost_address_is_set_again(host: Host, path: Path) -> None:
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=TEXT)
    router.addresses = [{"ifname": "wg0", "addr_info": [{}]}]
    result = run(host, path, addresses={"wg0": ["10.1.0.1/30"], "absent": ["10.1.0.5/30"]})
    assert result["applied"] == ["10.1.0.1/30 was lost from wg0"]


def test_an_interface_that_lives_is_emptied(host: Host, path: Path, tmp_path: Path) -> None:
    """FRR cannot delete it from its configuration, nor what is configured on it with it."""
    path.write_text(TEXT + "interface wg0\n", encoding="utf-8")
    router = Router(host, path, running=path.read_text(encoding="utf-8"))
    (tmp_path / "net" / "wg0").mkdir(parents=True)
    reloaded: list[str] = []

    def reload(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "--reload" in command:
            reloaded.append(Path(command[-1]).read_text(encoding="utf-8"))
            router.running = TEXT
            # As frr-reload.py does for another file than frr.conf.
            path.write_text("Building configuration\n" + TEXT, encoding="utf-8")
            return 0, "", ""
        return router.reload(command, data)

    host.program("timeout", lambda command, data: reload(command[2:], data))
    assert run(host, path)["applied"] == ["no interface wg0"]
    assert reloaded == [TEXT + "interface wg0\nexit\n!\n"]
    assert path.read_text(encoding="utf-8") == TEXT
    assert run(host, path)["changed"] is False


LAN = "interface lan1\n description lan one\n ip address 10.9.0.1/24\nexit\n"
TAKEN = ["Lines To Delete", "interface lan1", " no description lan one", "interface lan1", " no ip address 10.9.0.1/24"]


class Frr8(Router):
    """An FRR 8 with interface lan1, which the file has no more. It refuses single lines of an interface that the kernel has not."""

    def __init__(self, host: Host, path: Path, net: Path) -> None:
        path.write_text(TEXT + LAN, encoding="utf-8")
        path.chmod(0o640)
        super().__init__(host, path, running=TEXT + LAN)
        self.device = net / "lan1"
        self.zebra_knows = True
        self.goes_during_reload = False
        self.refused = 0

    def vtysh(self, command: list[str], data: str | None) -> tuple[int, str, str]:
        if command[-1] == "no interface lan1":
            if self.device.exists() or not self.zebra_knows:
                self.refused += 1
                self.zebra_knows = self.refused > 2
                return 1, "% Configuration failed.\n\nonly inactive interfaces can be deleted\n", ""
            self.running = TEXT
            return 0, "", ""
        return super().vtysh(command, data)

    def reload(self, command: list[str], data: str | None) -> tuple[int, str, str]:
        if "--test" in command:
            text = Path(command[-1]).read_text(encoding="utf-8")
            return 0, "\n".join(TAKEN) if LAN in self.running and LAN not in text else "", ""
        if self.goes_during_reload:
            self.goes_during_reload = False
            self.device.rmdir()
        if LAN in self.running and not self.device.exists():
            return 1, "", '"interface lan1 --  no" we failed to remove this command'
        self.running = Path(command[-1]).read_text(encoding="utf-8")
        return 0, "", ""


@pytest.mark.parametrize("when", ["it lives", "it is gone", "zebra has not noticed", "it goes meanwhile"])
def test_an_interface_leaves_the_configuration_whether_the_kernel_has_it_or_not(host: Host, path: Path, tmp_path: Path, when: str) -> None:
    router = Frr8(host, path, tmp_path / "net")
    if when in ("it lives", "it goes meanwhile"):
        router.device.mkdir(parents=True)
    router.zebra_knows = when != "zebra has not noticed"
    router.goes_during_reload = when == "it goes meanwhile"
    result = run(host, path)
    assert (result["applied"], router.running) == (TAKEN, TEXT)
    assert path.read_text(encoding="utf-8") == TEXT
    assert (bool(router.refused), bool(host.naps)) == (when == "zebra has not noticed",) * 2
    assert run(host, path)["changed"] is False


def test_an_interface_that_frr_never_lets_go_is_named(host: Host, path: Path, tmp_path: Path) -> None:
    router = Frr8(host, path, tmp_path / "net")
    router.zebra_knows, router.refused = False, -1000
    assert run(host, path)["msg"].startswith("FRR does not let go of interface lan1, which the kernel has not: % Configuration failed.")


def test_a_reload_that_fails_and_leaves_nothing_to_apply_has_not_failed(host: Host, path: Path) -> None:
    """FRR 8 takes an address out that the kernel has lost, and says that it did not."""
    router = Router(host, path)
    taken = router.reload

    def lying(command: list[str], data: str | None) -> tuple[int, str, str]:
        status, out, err = taken(command, data)
        return (status, out, err) if "--test" in command else (1, "", '" --  no" we failed to remove this command')

    host.program("timeout", lambda command, data: lying(command[2:], data))
    assert run(host, path)["applied"] == TEMPLATE.splitlines()


def addressed(name: str, *addresses: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An interface as ip(8) shows it, with addresses of global scope."""
    return {"ifname": name, "addr_info": [{"scope": "global", **address} for address in addresses], **more}


def test_an_address_by_hand_goes_from_what_the_collection_made(host: Host, path: Path) -> None:
    """In the families that FRR has there. A NIC of the owner's, what comes by itself, and another family are left alone."""
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=TEXT)
    record = Record("vrf.layer", host.warnings.append)
    record.note("interface", "br0")
    record.note("interface", "eth1", lambda: {"nic": True, "mtu": 1500})
    record.save()
    hand = {"local": "192.0.2.77", "prefixlen": 32}
    router.addresses = [
        addressed(
            "br0", {"local": "10.1.0.1", "prefixlen": 30}, hand, {"local": "2001:db8::7", "prefixlen": 64}, {**hand, "scope": "link"}
        ),
        addressed("eth1", {"local": "10.2.0.1", "prefixlen": 30}, hand),
        addressed("l2tp6", {"local": "10.3.0.1", "prefixlen": 30}, {**hand, "address": "192.0.2.78"}, link_type="ppp"),
        addressed("wg9", {"local": "fd00::1", "prefixlen": 127}, {"local": "fd00::9", "prefixlen": 64, "dynamic": True}, link_type="ppp"),
        addressed("other", hand),
    ]
    addresses = {"br0": ["10.1.0.1/30"], "eth1": ["10.2.0.1/30"], "l2tp6": ["10.3.0.1/30"], "wg9": ["fd00:0::1/127"]}
    assert run(host, path, check=True, addresses=addresses)["applied"] == [
        "fd00:0::1/127 was lost from wg9; to be set again",
        "192.0.2.77/32 on br0 is not FRR's; to be taken away",
        "192.0.2.77 peer 192.0.2.78/32 on l2tp6 is not FRR's; to be taken away",
    ]
    del addresses["wg9"]
    assert run(host, path, addresses=addresses)["applied"] == [
        "192.0.2.77/32 was put on br0 by hand, and taken away",
        "192.0.2.77 peer 192.0.2.78/32 was put on l2tp6 by hand, and taken away",
    ]
    assert host.changed("vtysh", "timeout 900", "ip -json") == [
        "ip address delete 192.0.2.77/32 dev br0",
        "ip address delete 192.0.2.77 peer 192.0.2.78/32 dev l2tp6",
    ]


def test_an_address_that_cannot_be_taken_away_is_an_error(host: Host, path: Path) -> None:
    Router(host, path, running=TEXT)
    live = json.dumps(
        [addressed("l2tp6", {"local": "10.3.0.1", "prefixlen": 30}, {"local": "192.0.2.7", "prefixlen": 32}, link_type="ppp")]
    )
    host.program("ip", lambda command, _data: (2, "", "RTNETLINK answers: busy") if "delete" in command else (0, live, ""))
    result = run(host, path, addresses={"l2tp6": ["10.3.0.1/30"]})
    assert result["msg"] == "192.0.2.7/32 cannot be taken from l2tp6: RTNETLINK answers: busy"


def test_a_lost_address_is_set_where_frr_refuses_to_take_it_out(host: Host, path: Path) -> None:
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=TEXT)
    router.addresses = [{"ifname": "wg0", "addr_info": []}]
    set_again = router.vtysh

    def vtysh(command: list[str], data: str | None) -> tuple[int, str, str]:
        return (1, "% Can't find address", "") if command[-1].startswith("no ip") else set_again(command, data)

    host.program("vtysh", vtysh)
    assert run(host, path, check=True, addresses={"wg0": ["10.1.0.1/30"]})["applied"] == ["10.1.0.1/30 was lost from wg0; to be set again"]
    assert run(host, path, addresses={"wg0": ["10.1.0.1/30"]})["applied"] == ["10.1.0.1/30 was lost from wg0"]


@pytest.mark.parametrize(
    ("changes", "losing", "deleted"),
    [
        (["Lines To Delete", "no interface wg0 vrf CORE", "router bgp 65001", " no neighbor 10.0.0.1"], ["wg0 vrf CORE"], ["wg0 vrf CORE"]),
        (["interface wg0", " no ip address 10.0.0.1/30", "exit", "no interface lan1"], ["wg0", "lan1"], ["lan1"]),
        (["Lines To Delete", "no route-map A permit 10", "Lines To Add", "interface wg0", " ip address 10.0.0.1/30"], [], []),
        (["interface wg0", "interface wg0", " link-detect"], ["wg0"], []),
    ],
)
def test_interfaces_that_a_reload_takes_from(changes: list[str], losing: list[str], deleted: list[str]) -> None:
    assert (frr.interfaces_losing(changes), frr.interfaces_deleted(changes)) == (losing, deleted)


def test_a_placeholder_without_a_secret(host: Host, path: Path) -> None:
    assert run(host, path, secrets={})["msg"] == "content has a placeholder for which there is no secret: 'bgp 10.0.0.1'"


def test_a_file_that_others_can_read_is_closed(host: Host, path: Path) -> None:
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o644)
    Router(host, path, running=TEXT)
    assert run(host, path)["applied"] == [f"mode of {path}"]
    assert path.stat().st_mode & 0o777 == 0o640


POLICY = "ip prefix-list OWN seq 5 permit 10.0.0.0/8\nroute-map IN permit 10\n match ip address prefix-list OWN\n match ip address prefix-len 24\n set tag 5\nexit\n"


class Daemons(Router):
    """An FRR whose daemons have each their own copy of the policy; ``copies``: by daemon."""

    def __init__(self, host: Host, path: Path, copies: dict[str, str], takes: bool = True) -> None:
        super().__init__(host, path, running=TEXT + POLICY)
        self.copies, self.gets = copies, takes
        self.daemons = " ".join([*copies, "staticd"])
        path.write_text(TEXT + POLICY, encoding="utf-8")
        path.chmod(0o640)

    def vtysh(self, command: list[str], data: str | None) -> tuple[int, str, str]:
        if "-d" not in command:
            return super().vtysh(command, data)
        daemon = command[command.index("-d") + 1]
        if daemon not in self.copies:
            return 1, "", f"Exiting: failed to connect to {daemon}"
        if "-f" not in command:
            return 0, self.copies[daemon], ""
        if self.gets:
            self.copies[daemon] += Path(command[-1]).read_text(encoding="utf-8")
        return 0, "", ""


def with_policy(host: Host, path: Path, check: bool = False) -> dict[str, Any]:
    return run(host, path, check, content=TEMPLATE + POLICY, daemons=["zebra", "staticd"])


@pytest.mark.parametrize(
    ("keeper", "left", "lacks"),
    [
        ("mgmtd", "", ["mgmtd lacks ip prefix-list OWN seq 5 permit 10.0.0.0/8", "mgmtd lacks route-map IN permit 10"]),
        ("zebra", "ip prefix-list OWN seq 5 permit 10.0.0.0/8\n", ["zebra lacks route-map IN permit 10"]),
        (
            "mgmtd",
            POLICY.replace(" match ip address prefix-list OWN\n", ""),
            ["mgmtd lacks route-map IN permit 10: match ip address prefix-list OWN"],
        ),
        # What is one daemon's own, as a tag is bgpd's and a prefix's length zebra's, is not missed in another.
        ("mgmtd", POLICY.replace(" set tag 5\n", ""), []),
        ("zebra", POLICY.replace(" match ip address prefix-len 24\n", ""), []),
    ],
)
def test_a_daemon_without_its_copy_of_the_policy_gets_it(host: Host, path: Path, keeper: str, left: str, lacks: list[str]) -> None:
    copies = {"zebra": "", keeper: left, "bgpd": POLICY}
    router = Daemons(host, path, copies)
    assert with_policy(host, path, check=True)["applied"] == lacks
    assert router.copies[keeper] == left
    result = with_policy(host, path)
    assert (result["applied"], result["changed"]) == (lacks, bool(lacks))
    assert with_policy(host, path)["changed"] is False
    assert router.copies["bgpd"] == POLICY


def test_a_daemon_that_never_takes_the_policy_is_named(host: Host, path: Path) -> None:
    Daemons(host, path, {"zebra": POLICY, "bgpd": ""}, takes=False)
    message = with_policy(host, path)["msg"]
    assert message.startswith("FRR's daemons do not take all of the policy:\nbgpd lacks ip prefix-list OWN")


def test_with_both_daemons_for_zebra_the_policy_goes_to_both(host: Host, path: Path) -> None:
    """In FRR 9 mgmtd runs, and zebra still keeps its own policy."""
    router = Daemons(host, path, {"mgmtd": "", "zebra": ""})
    assert with_policy(host, path)["applied"][0].startswith("mgmtd lacks ip prefix-list OWN")
    assert router.copies["zebra"] and with_policy(host, path)["changed"] is False


def test_a_vtysh_that_fails_shows_no_configuration(host: Host, path: Path) -> None:
    Daemons(host, path, {"zebra": POLICY})
    broken = (1, f"neighbor 10.0.0.1 password {PASSWORD}", "")
    host.program("vtysh", lambda command, _data: broken if "-d" in command else (0, "zebra staticd", ""))
    result = with_policy(host, path)
    assert result["msg"].endswith("-d zebra -c show running-config: exit status 1")
    assert PASSWORD not in json.dumps(result)


def test_watchfrr_is_told_before_it_is_asked_to_write(host: Host, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router(host, path, running=TEXT)
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o640)
    left = [7]
    monkeypatch.setattr(frr_config, "unnoticed", lambda: list(left))
    monkeypatch.setattr(frr_config, "catch_up", lambda: [left.pop()] if left else [])
    assert run(host, path, check=True)["applied"] == ["watchfrr has not noticed that process 7 has ended; to be told"]
    assert run(host, path)["applied"] == ["watchfrr had not noticed that process 7 has ended"]
    assert run(host, path)["changed"] is False
    assert router.running == TEXT

    def never() -> list[int]:
        raise ValueError("watchfrr does not notice")

    monkeypatch.setattr(frr_config, "catch_up", never)
    assert run(host, path)["msg"].startswith("watchfrr does not notice. Remedy: `systemctl reload frr.service`")


def test_a_reload_that_does_not_end_is_stopped_and_told(host: Host, path: Path) -> None:
    Router(host, path)
    host.program("timeout", lambda command, _data: (124, "", ""))
    assert run(host, path)["msg"].startswith(
        "frr-reload.py --test has not ended within 900 s and was stopped: one of FRR's daemons does not answer"
    )


def test_what_one_reload_leaves_behind_the_next_one_takes_away(host: Host, path: Path) -> None:
    """FRR 10 keeps `bfd` as long as a session uses it, and calls that no failure."""
    router = Router(host, path, running=TEXT + "bfd\n")
    reloads: list[list[str]] = []

    def reload(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "--reload" in command:
            reloads.append(command)
            if len(reloads) == 1:
                router.running = "frr version 10\nbfd\n"
                return 0, "", ""
        return router.reload(command[2:], data)

    host.program("timeout", reload)
    path.write_text("frr version 10\nbfd\n", encoding="utf-8")
    result = host.run(frr_config, {"content": "frr version 10\n", "secrets": SECRETS, "path": str(path)})
    assert (result["changed"], len(reloads), router.running) == (True, 2, "frr version 10\n")


RUNNING = """vrf CORE
 ip route 10.255.0.3/32 10.254.0.6 wg1
 ip route 10.255.0.4/32 10.254.0.6 wg1
exit-vrf
!
router bgp 65501 vrf CORE
 neighbor 10.255.0.3 remote-as 65502
 !
 address-family ipv4 unicast
  network 8.8.4.4/32
  redistribute ospf route-map OSPF-TO-BGP
  neighbor 10.255.0.3 route-map FROM in
  neighbor 10.255.0.3 route-map UNSTEERED out
 exit-address-family
exit
!
ip prefix-list PUBLISHED seq 10 permit 8.8.4.4/32
!
route-map UNSTEERED permit 10
 match ip address prefix-list PUBLISHED
exit
"""
# What frr-reload.py --test prints. It does not say that the neighbor's policy goes, though the route map goes first.
REPLACED = """Lines To Delete
===============
no route-map UNSTEERED permit 10
vrf CORE
 no ip route 10.255.0.3/32 10.254.0.6 wg1
Lines To Add
============
ip prefix-list BOTH seq 10 permit 8.8.4.4/32
route-map BOTH permit 10
 match ip address prefix-list BOTH
vrf CORE
 ip route 10.255.0.3/32 10.254.0.10 ovpn2
vrf CORE
 ip route 10.255.0.5/32 10.254.0.10 ovpn2
router bgp 65501 vrf CORE
 neighbor 10.255.0.5 remote-as 65505
router bgp 65501 vrf CORE
 address-family ipv4 unicast
  neighbor 10.255.0.3 route-map BOTH out
router bgp 65501 vrf CORE
 address-family ipv4 unicast
  neighbor 10.255.0.5 route-map BOTH out
router bgp 65501 vrf CORE
 address-family ipv6 unicast
  neighbor 10.255.0.3 route-map BOTH out""".splitlines()
NEW = """ip prefix-list BOTH seq 10 permit 8.8.4.4/32
ip prefix-list OTHER seq 10 permit 8.8.8.8/32
!
route-map BOTH permit 10
 match ip address prefix-list BOTH
exit
!
route-map OTHER permit 10
exit
"""
GIVEN = """ip prefix-list BOTH seq 10 permit 8.8.4.4/32
route-map BOTH permit 10
 match ip address prefix-list BOTH
exit
vrf CORE
 ip route 10.255.0.3/32 10.254.0.10 ovpn2
exit-vrf
router bgp 65501 vrf CORE
 address-family ipv4 unicast
  neighbor 10.255.0.3 route-map BOTH out
 exit-address-family
exit
"""


def test_what_replaces_something_comes_with_the_policies_that_it_names() -> None:
    """A neighbor and a prefix that are new have nothing to lose; what is in force already is not given again."""
    lines = frr_replace.replacing(REPLACED, RUNNING)
    assert [line[-1] for line in lines] == ["ip route 10.255.0.3/32 10.254.0.10 ovpn2", "neighbor 10.255.0.3 route-map BOTH out"]
    assert frr_replace.given_first(lines, NEW) == GIVEN


@pytest.mark.parametrize(
    ("line", "running"),
    [
        (" redistribute ospf route-map NEW", " redistribute ospf route-map OLD"),
        (" neighbor 10.0.0.1 prefix-list NEW in", " neighbor 10.0.0.1 prefix-list OLD in"),
        (" neighbor 10.0.0.1 default-originate route-map NEW", " neighbor 10.0.0.1 default-originate route-map OLD"),
        (" ip protocol ospf route-map NEW", " ip protocol ospf route-map OLD"),
        (" match ip address prefix-list NEW", " match ip address prefix-list OLD"),
        (" ipv6 route fd00::/64 fe80::1 wg1", " ipv6 route fd00::/64 fe80::1 wg2"),
        (" ipv6 address fe80::7867:6e00:0:1/64", " ipv6 address fe80::1/64"),
    ],
)
def test_kinds_of_what_is_replaced(line: str, running: str) -> None:
    changes = ["Lines To Add", "============", "somewhere", line]
    assert frr_replace.replacing(changes, f"somewhere\n{running}\n") == [("somewhere", line.strip())]
    assert frr_replace.replacing(changes, f"elsewhere\n{running}\n") == [], "another place"


@pytest.mark.parametrize("drop", ["blackhole", "reject", "Null0"])
def test_a_prefix_is_dropped_or_has_next_hops(drop: str) -> None:
    """FRR refuses both together: the routes of the other kind go with the call that brings the new one, each once."""
    hops = ["ip route 10.0.0.0/8 192.0.2.1", "ip route 10.0.0.0/8 192.0.2.2 eth0"]
    add = ["Lines To Add", "============", "vrf CORE"]

    def running(*lines: str) -> str:
        return "".join(f"{line}\n" for line in ("vrf CORE", *(f" {line}" for line in lines), "exit-vrf"))

    dropped = f"ip route 10.0.0.0/8 {drop}"
    assert frr_replace.replacing([*add, f" {dropped}"], running(*hops)) == [
        ("vrf CORE", line) for line in (*(f"no {hop}" for hop in hops), dropped)
    ]
    assert frr_replace.replacing([*add, *(f" {hop}" for hop in hops)], running(dropped)) == [
        ("vrf CORE", line) for line in (f"no {dropped}", *hops)
    ]
    assert frr_replace.given_first([("vrf CORE", f"no {dropped}")], "") == f"vrf CORE\n no {dropped}\nexit-vrf\n"


@pytest.mark.parametrize(
    "line", ["route-map NEW permit 10", "ip prefix-list NEW seq 5 permit 10.0.0.0/8", "log syslog", "ipv6 address fd00::NEW/64"]
)
def test_a_definition_replaces_nothing(line: str) -> None:
    old = line.replace("NEW", "OLD")
    assert frr_replace.replacing(["Lines To Add", "============", line], f"{old}\n") == []


BEFORE = """frr version 10
interface vxlan4
 ipv6 address fd00:254::8/127
 ipv6 address fe80::1/64
exit
!
interface wg1
 ipv6 address fd00:254::2/127
 ipv6 address fe80::1/64
exit
!
router bgp 65501 vrf CORE
 neighbor 10.254.0.9 remote-as 65502
 neighbor fd00:254::9 remote-as 65502
 neighbor fd00:255::2 remote-as 65502
exit
!
router bgp 65501
 neighbor fd00:254::3 remote-as 65502
exit
"""
OURS = "fe80::7867:6e00:0:1/64"


def link_local_changes(*interfaces: str, deleted: str = "fe80::1/64") -> list[str]:
    return [
        *("Lines To Delete", "==============="),
        *(line for name in interfaces for line in (f"interface {name}", f" no ipv6 address {deleted}")),
        *("Lines To Add", "============"),
        *(line for name in interfaces for line in (f"interface {name}", f" ipv6 address {OURS}")),
    ]


def test_sessions_begin_anew_whose_neighbors_send_to_a_link_local_address_that_goes() -> None:
    text = BEFORE.replace("fe80::1/64", OURS)
    over, begin = frr_replace.sessions_to_begin_anew, link_local_changes
    assert over(begin("vxlan4"), text) == [("CORE", "fd00:254::9")]
    # As FRR 8 names an interface in a VRF.
    assert over(begin("vxlan4 vrf CORE", "wg1"), text) == [("CORE", "fd00:254::9"), ("", "fd00:254::3")]
    assert over(begin("vxlan4", deleted="fd00:254::a/127"), text) == [], "neighbors see that by themselves"
    assert over(begin("br0"), text) == over(begin()[2:], text) == [], "nobody there"
    # What is added takes nothing away.
    assert over(["Lines To Add", "============", "interface wg1", f" ipv6 address {OURS}"], text) == []


def test_another_link_local_address_is_there_before_the_former_goes_and_its_sessions_are_reset(host: Host, path: Path) -> None:
    story: list[str] = []
    path.write_text(BEFORE, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=BEFORE)
    content = BEFORE.replace("fe80::1/64", OURS)

    def vtysh(command: list[str], data: str | None) -> tuple[int, str, str]:
        if command[1] == "-f":
            story.append(Path(command[2]).read_text(encoding="utf-8"))
            return 0, "", ""
        if command[-1].startswith("clear"):
            story.append(command[-1])
            return 1, "", "no such neighbor"
        return router.vtysh(command, data)

    def reload(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "--reload" in command:
            story.append("reload")
        elif router.running != content:
            return 0, "\n".join(link_local_changes("vxlan4", "wg1")), ""
        return router.reload(command[2:], data)

    host.program("vtysh", vtysh)
    host.program("timeout", reload)
    assert not run(host, path, check=True, content=content).get("failed") and story == []
    result = run(host, path, content=content)
    given = "".join(f"interface {name}\n ipv6 address {OURS}\nexit\n" for name in ("vxlan4", "wg1"))
    assert story == [given, "reload", "clear bgp vrf CORE fd00:254::9", "clear bgp fd00:254::3"]
    assert "The session with fd00:254::9 was reset: it goes by another link-local address." in result["applied"]
    assert not run(host, path, content=content)["changed"] and len(story) == 4


def test_what_replaces_something_is_in_force_before_the_reload(host: Host, path: Path) -> None:
    """And a file with nothing but that is gone behind it."""
    story: list[str] = []
    path.write_text(RUNNING, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=RUNNING)
    content = RUNNING.replace("route-map UNSTEERED", "route-map BOTH")

    def vtysh(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "-d" in command:
            return 0, router.running, ""
        if command[1] == "-f":
            story.append(Path(command[2]).read_text(encoding="utf-8"))
            return 0, "", ""
        return router.vtysh(command, data)

    host.program("vtysh", vtysh)
    host.program("timeout", _told(router, story))
    run(host, path, content=content)
    given, reloaded = story
    assert "  neighbor 10.255.0.3 route-map BOTH out\n exit-address-family\nexit\n" in given and "route-map BOTH permit 10\n match" in given
    assert reloaded == "reload"
    assert [name.name for name in path.parent.iterdir()] == [path.name]
    assert not run(host, path, content=content)["changed"] and len(story) == 2


def _told(router: Router, story: list[str]) -> Callable[[list[str], str | None], tuple[int, str, str]]:
    """As frr-reload.py prints and does it."""

    def reload(command: list[str], data: str | None) -> tuple[int, str, str]:
        if "--reload" in command:
            story.append("reload")
            return router.reload(command[2:], data)
        text = Path(command[-1]).read_text(encoding="utf-8")
        new = [
            line for line in frr_replace.lines_of(text.splitlines()) if line not in set(frr_replace.lines_of(router.running.splitlines()))
        ]
        shown = [" " * depth + words for line in new for depth, words in enumerate(line)]
        return 0, "\n".join(["Lines To Add", "============", *shown] if shown else []), ""

    return reload


SECRET_CHANGES = """\
Lines To Delete
===============
router bgp 65503
 no neighbor 10.0.0.1 password <former secret>
 no neighbor 10.0.0.2 password <former secret>
 no neighbor 10.0.0.2 description password of nobody
router bgp 65503 vrf CORE
 no neighbor 10.0.0.3 password <former secret>
interface wg0
 no ip ospf message-digest-key 1 md5 <former secret>

Lines To Add
============
router bgp 65503
 neighbor 10.0.0.1 password <secret bgp 10.0.0.1>
 neighbor 10.0.0.9 password <secret bgp 10.0.0.1>
router bgp 65503 vrf CORE
 neighbor 10.0.0.3 password <former secret>
"""


def test_secrets_that_go_are_not_named_and_those_that_are_replaced_are_replaced_at_once() -> None:
    """One that is not known, as in a line of the owner's, is only taken away: the reload gives it."""
    assert frr_replace.secrets_given_first(SECRET_CHANGES.splitlines()) == [
        ("router bgp 65503", "neighbor 10.0.0.1 password <secret bgp 10.0.0.1>"),
        ("router bgp 65503", "no neighbor 10.0.0.2 password"),
        ("router bgp 65503 vrf CORE", "no neighbor 10.0.0.3 password"),
        ("interface wg0", "no ip ospf message-digest-key 1"),
    ]


def test_another_password_is_given_in_a_file_before_the_reload_would_name_the_former(host: Host, path: Path) -> None:
    former = TEXT.replace(PASSWORD, "former")
    path.write_text(former, encoding="utf-8")
    path.chmod(0o640)
    router = Router(host, path, running=former)
    given: list[str] = []
    words: list[str] = []

    def vtysh(command: list[str], data: str | None) -> tuple[int, str, str]:
        words.extend(command)
        if command[1] == "-f":
            file = Path(command[2])
            given.append(file.read_text(encoding="utf-8"))
            assert file.stat().st_mode & 0o007 == 0
            router.running = TEXT
            return 0, "", ""
        return router.vtysh(command, data)

    def reload(command: list[str], data: str | None) -> tuple[int, str, str]:
        words.extend(command)
        text = Path(command[-1]).read_text(encoding="utf-8")
        if "--test" not in command or text == router.running:
            return router.reload(command[2:], data)
        gone = ["Lines To Delete", "===============", "router bgp 65503", " no neighbor 10.0.0.1 password former"]
        return 0, "\n".join([*gone, "Lines To Add", "============", "router bgp 65503", f" neighbor 10.0.0.1 password {PASSWORD}"]), ""

    host.program("vtysh", vtysh)
    host.program("timeout", reload)
    result = run(host, path)
    assert given == [f"router bgp 65503\n neighbor 10.0.0.1 password {PASSWORD}\nexit\n"]
    assert not any(secret in word for word in words for secret in (PASSWORD, "former"))
    assert result["changed"] and not any(secret in str(result) for secret in (PASSWORD, "password former"))
    assert not run(host, path)["changed"] and len(given) == 1
