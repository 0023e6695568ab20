"""Packet filter and anycast DNS: what the programs print is read as it is, and each check fails when its subject is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import dns_question, loaded
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_edge as gather
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.loaded import digest_of_text
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.dns_anycast import zone_files
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.firewall import clamped
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

# As Ansible hands them over: what is not given, here the MSS of a family, is None.
VARIABLES = cast(
    HostVariables,
    {
        "verify_roles": ["firewall", "dns_anycast", "vrf"],
        "firewall_trusted_interfaces": ["eth0", "l2tp6"],
        "vrf_interfaces": [{"name": "l2tp6", "dynamic": True}],
        "firewall_tcp_mss": {"ipv4": 1300, "ipv6": None},
        "firewall_tcp_mss_interfaces": ["wg1"],
        "firewall_strict_interfaces": ["lan1", "lan2"],
        "firewall_loose_vrfs": ["CORE"],
        "dns_anycast_addresses": ["1.1.1.1/32"],
        "dns_anycast_vrf": "CORE",
        "dns_anycast_interface": "anycast0",
        "dns_anycast_zones": [
            {"name": "example.test", "records": ["www A 192.0.2.80", "@ MX 10 mail"]},
            {"name": "b.test", "records": ["w A 192.0.2.1"]},
        ],
        "dns_anycast_ssh_listen": [{"address": "fd00::1", "vrf": "CORE"}, {"address": "192.0.2.1"}],
    },
)
RULE = "meta nfproto ipv4 tcp flags syn / syn,rst tcp option maxseg size set 1300"
# As nft 1.0.6 lists them, and in the other rule as later ones may.
SOURCES = """\tset strict {
\t\ttype ifname
\t\telements = { "lan1",
\t\t\t     "lan2" }
\t}

\tset loose_vrfs {
\t\ttype ifname
\t\telements = { "CORE" }
\t}

\tchain sources {
\t\ttype filter hook prerouting priority raw; policy accept;
\t\tip6 saddr fe80::/10 accept
\t\tiifname @strict fib saddr . iif oif missing counter packets 5 bytes 420 drop
\t\tiifname @loose_vrfs fib saddr . iif check missing counter drop
\t}
"""
TABLE = (
    f"table inet xgn {{\n\tchain in {{\n\t\tiifname @tunnels {RULE}\n\t}}\n\tchain out {{\n\t\toifname @tunnels {RULE}\n\t}}\n{SOURCES}}}\n"
)
LISTENING = "LISTEN 0 128 192.0.2.1:22 0.0.0.0:*\nLISTEN 0 128 [fd00::1]%CORE:22 [::]:*\n"


DIGESTS = {
    zone["name"]: digest_of_text(file["content"]) for zone, file in zip(VARIABLES["dns_anycast_zones"], zone_files(VARIABLES), strict=True)
}


def part(data: Any) -> dict[str, Any]:
    return {"command": "command", "data": data, "error": None}


def state() -> dict[str, Any]:
    return {
        "filter": part({"live": TABLE, "declared": TABLE}),
        "links": part({"eth0": {}}),
        "units": part({target: {"After": ["xgn-firewall.service"]} for target in ("network-pre.target", "sysinit.target")}),
        "anycast": part({"1.1.1.1/32": {"set": True, "answered": True}}),
        "dns_zones": part({zone: {"file": digest, "loaded": digest} for zone, digest in DIGESTS.items()}),
        "dns_answers": part(
            [
                {"said": "NOERROR", "values": ["ns.example.test"]},
                {"said": "NOERROR", "values": ["192.0.2.80"]},
                {"said": "NOERROR", "values": ["10 mail.example.test"]},
                {"said": "NOERROR", "values": ["ns.b.test"]},
                {"said": "NOERROR", "values": ["192.0.2.1"]},
            ]
        ),
        "listening": part(["192.0.2.1:22", "[fd00::1]%CORE:22"]),
    }


def results(live: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = host_checks("E1", VARIABLES, live)
    return {check.name: (check.status, check.detail) for check in found if check.name.startswith(("Firewall", "DNS", "SSH"))}


def test_healthy() -> None:
    found = results(state())
    assert {status for status, _detail in found.values()} == {"passed"}
    assert list(found) == [
        "Firewall table as planned",
        "Firewall xgn-firewall.service before network-pre.target",
        "Firewall xgn-firewall.service before sysinit.target",
        "Firewall trusted interface eth0 exists",
        "Firewall sources on lan1 by their one way",
        "Firewall sources on lan2 by their one way",
        "Firewall sources on CORE routed",
        "Firewall MSS ipv4 1300 in both directions",
        "DNS 1.1.1.1 answers",
        "DNS 1.1.1.1 set while it answers",
        "SSH listens on [fd00::1]%CORE:22",
        "SSH listens on 192.0.2.1:22",
        "SSH not on the wildcard",
        "DNS zone example.test loaded as declared",
        "DNS zone example.test answers its records",
        "DNS zone b.test loaded as declared",
        "DNS zone b.test answers its records",
    ]


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str, str]] = {
    "rule deleted": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace(f"\t\tiifname @tunnels {RULE}\n", "")),
        "Firewall table as planned",
        f"missing iifname @tunnels {RULE}",
    ),
    "one direction only": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace("oifname", "iifname")),
        "Firewall MSS ipv4 1300 in both directions",
        "no rule for it in postrouting (oifname)",
    ),
    "sources not looked at": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace(SOURCES, "")),
        "Firewall sources on CORE routed",
        "there is no chain for it in prerouting",
    ),
    "sources looked at after routing": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace("hook prerouting priority raw", "hook input priority filter")),
        "Firewall sources on lan1 by their one way",
        "there is no chain for it in prerouting",
    ),
    "any route will do": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace("@strict fib saddr . iif oif", "@strict fib saddr oif")),
        "Firewall sources on lan2 by their one way",
        "the rule for it is missing",
    ),
    "counted only": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace(" bytes 420 drop", " bytes 420")),
        "Firewall sources on lan2 by their one way",
        "the rule for it is missing",
    ),
    "an interface less": (
        lambda live: live["filter"]["data"].update(live=TABLE.replace('"lan1",\n\t\t\t     ', "")),
        "Firewall sources on lan1 by their one way",
        "not in set strict",
    ),
    "no table": (
        lambda live: live["filter"]["data"].update(live=""),
        "Firewall table as planned",
        "there is no table inet xgn, so nothing is filtered",
    ),
    "fallback": (
        lambda live: live["filter"]["data"].update(live="table inet xgn {\n\tchain fallback {\n\t}\n}\n"),
        "Firewall table as planned",
        "the fallback is loaded: /etc/xgn/firewall.nft and its copy are broken, and from outside only SSH is accepted; site repairs it",
    ),
    "behind sockets": (
        lambda live: live["units"]["data"]["sysinit.target"].update(After=[]),
        "Firewall xgn-firewall.service before sysinit.target",
        "After= of sysinit.target does not name xgn-firewall.service",
    ),
    "misspelt interface": (
        lambda live: live["links"].update(data={}),
        "Firewall trusted interface eth0 exists",
        "no such interface; one that was renamed is public",
    ),
    "too late": (
        lambda live: live["units"]["data"]["network-pre.target"].update(After=[]),
        "Firewall xgn-firewall.service before network-pre.target",
        "After= of network-pre.target does not name xgn-firewall.service",
    ),
    "silent": (lambda live: live["anycast"]["data"]["1.1.1.1/32"].update(answered=False), "DNS 1.1.1.1 answers", "no answer"),
    "set without an answer": (
        lambda live: live["anycast"]["data"]["1.1.1.1/32"].update(answered=False),
        "DNS 1.1.1.1 set while it answers",
        "set, not answered",
    ),
    "answered, but not set": (
        lambda live: live["anycast"]["data"]["1.1.1.1/32"].update(set=False),
        "DNS 1.1.1.1 set while it answers",
        "not set, answered",
    ),
    "guard with another configuration": (
        lambda live: live["anycast"].update(data={}),
        "DNS 1.1.1.1 answers",
        "the guard does not know this address",
    ),
    "zone changed by hand": (
        lambda live: live["dns_zones"]["data"]["example.test"].update(file="0" * 64),
        "DNS zone example.test loaded as declared",
        "the file is another",
    ),
    "zone deleted": (
        lambda live: live["dns_zones"]["data"]["b.test"].update(file=None),
        "DNS zone b.test loaded as declared",
        "there is no file",
    ),
    "zone not read": (
        lambda live: live["dns_zones"]["data"]["b.test"].update(loaded=None),
        "DNS zone b.test loaded as declared",
        "unbound has read another file: one run of site has it read this one",
    ),
    "another address": (
        lambda live: live["dns_answers"]["data"][1].update(values=["192.0.2.81"]),
        "DNS zone example.test answers its records",
        "www.example.test A: found 192.0.2.81, expected 192.0.2.80",
    ),
    "zone refused by unbound": (
        lambda live: [answer.update(said="SERVFAIL", values=[]) for answer in live["dns_answers"]["data"][3:]],
        "DNS zone b.test answers its records",
        "b.test SOA: found SERVFAIL, expected a record; w.b.test A: found SERVFAIL, expected 192.0.2.1",
    ),
    "unbound is silent": (
        lambda live: live["dns_answers"].update(data=None, error="timed out"),
        "DNS zone b.test answers its records",
        "could not be read: command: timed out",
    ),
    "deaf": (lambda live: live["listening"].update(data=[]), "SSH listens on 192.0.2.1:22", "found 192.0.2.1:22 nowhere"),
    "wildcard": (lambda live: live["listening"]["data"].append("0.0.0.0:22"), "SSH not on the wildcard", "found 0.0.0.0:22"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str) -> None:
    change, name, detail = BROKEN[case]
    live = state()
    change(live)
    assert results(live)[name] == ("failed", detail)


def test_what_is_asked_for() -> None:
    asked = gather_arguments(VARIABLES)
    assert "iifname @tunnels" in asked["filter"]
    assert (asked["anycast"], asked["listening"]) == (True, True)
    assert asked["zones"] == {
        "server": "169.254.53.53",
        "vrf": "CORE",
        "files": {"example.test": "/etc/unbound/xgn-example.test.zone", "b.test": "/etc/unbound/xgn-b.test.zone"},
        "questions": [
            {"name": "example.test", "type": "SOA"},
            {"name": "www.example.test", "type": "A"},
            {"name": "example.test", "type": "MX"},
            {"name": "b.test", "type": "SOA"},
            {"name": "w.b.test", "type": "A"},
        ],
    }
    assert gather_arguments(cast(HostVariables, VARIABLES | {"dns_anycast_vrf": None}))["zones"]["server"] == "127.0.0.1"
    assert gather_arguments(VARIABLES | {"dns_anycast_zones": []})["zones"] is None
    assert asked["units"][:4] == ["xgn-firewall.service", "interface.service", "unbound.service", "xgn-anycast.service"]
    assert {"network-pre.target", "sysinit.target"} < set(asked["units"])
    nothing = gather_arguments({})
    assert (nothing["filter"], nothing["anycast"], nothing["listening"]) == ("", False, False)


def gatherer(*answers: tuple[int, str, str]) -> Gatherer:
    left = list(answers)
    return Gatherer(runner=lambda command, timeout=30: Finished(*left.pop(0)))


def test_filter_is_listed_beside_the_declared_one() -> None:
    found = gather.gather_filter(gatherer((0, TABLE, ""), (0, "other\n", "")), "text")
    assert found["data"] == {"live": TABLE, "declared": "other\n"}
    none = gather.gather_filter(gatherer((1, "", "Error: No such file or directory"), (0, TABLE, "")), "text")
    assert none["data"]["live"] == ""
    refused = gather.gather_filter(gatherer((0, TABLE, ""), (1, "", "x.nft:3: syntax error")), "text")
    assert (refused["data"], refused["error"]) == (None, "x.nft:3: syntax error")


def test_guard_is_asked() -> None:
    answer = {"1.1.1.1/32": {"set": True, "answered": False}}
    assert gather.gather_anycast(gatherer((1, json.dumps(answer), "")))["data"] == answer
    assert gather.gather_anycast(gatherer((2, "", "usage")))["error"] == "usage"


def test_zones_are_looked_at_and_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "RECORDS", str(tmp_path))
    path = tmp_path / "xgn-b.test.zone"
    path.write_text("w A 192.0.2.1\n", encoding="utf-8")
    (tmp_path / "unbound.service").write_text(f"{'0' * 64}  {path}\n", encoding="utf-8")
    asked: dict[str, Any] = {"server": "127.0.0.1", "vrf": None, "files": {"b.test": str(path), "c.test": str(tmp_path / "none")}}
    asked["questions"] = [{"name": "w.b.test", "type": "A"}]
    said: list[Any] = []

    def answer(*question: Any) -> list[dns_question.Answer]:
        said.append(question)
        return [dns_question.Answer("NOERROR", ["192.0.2.1"])]

    monkeypatch.setattr(dns_question, "ask", answer)
    found = gather.gather_zones(asked)
    digest = digest_of_text("w A 192.0.2.1\n")
    assert found["dns_zones"]["data"] == {"b.test": {"file": digest, "loaded": "0" * 64}, "c.test": {"file": None, "loaded": None}}
    assert found["dns_answers"]["data"] == [{"said": "NOERROR", "values": ["192.0.2.1"]}]
    assert said == [("127.0.0.1", None, [("w.b.test", "A")], gather.ANSWER_S)]

    def refused(*question: Any) -> list[dns_question.Answer]:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(dns_question, "ask", refused)
    assert gather.gather_zones(asked)["dns_answers"]["error"] == "[Errno 111] Connection refused"


def test_listening_sockets() -> None:
    assert gather.gather_listening(gatherer((0, LISTENING, "")))["data"] == ["192.0.2.1:22", "[fd00::1]%CORE:22"]


@pytest.mark.parametrize("flags", ["syn / syn,rst", "& (syn | rst) == syn"])
def test_the_mss_rule_as_old_and_new_nft_print_it(flags: str) -> None:
    live = TABLE.replace("syn / syn,rst", flags)
    assert clamped("ipv4", 1300, {"live": live}) == (True, "in prerouting and postrouting")
    assert clamped("ipv4", 130, {"live": live})[0] is False
    assert clamped("ipv6", 1300, {"live": live})[0] is False
