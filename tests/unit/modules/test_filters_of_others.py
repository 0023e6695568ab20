"""Packet filters of others are recognized, and read as far as a plan can be held against them; the samples are what the programs printed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import others_filters
from ansible_collections.xuegao.net.plugins.module_utils.others_filters import (
    Chain,
    Match,
    Rule,
    both,
    decided,
    of_iptables,
    of_nft,
    owners_of,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import FACTS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check

SAMPLES = Path(__file__).parent / "samples"
SAVED = (SAMPLES / "iptables-nft-save-1.8.9.txt").read_text(encoding="utf-8")
LISTED = (SAMPLES / "nft-1.0.6.json").read_text(encoding="utf-8")


class Module:
    """What is asked of a module: programs by what they print, and what it was warned of."""

    def __init__(self, **programs: str) -> None:
        self.programs = {name.replace("_", "-"): text for name, text in programs.items()}
        self.calls: list[list[str]] = []
        self.warnings: list[str] = []

    def get_bin_path(self, name: str) -> str | None:
        """Find a program."""
        return name if name in self.programs else None

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        """Run one; without a text it fails."""
        self.calls.append(command)
        text = self.programs[command[0]]
        return (0, text, "") if text else (1, "", "Operation not permitted\n")

    def warn(self, text: str) -> None:
        """Warn."""
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel that has loaded nf_tables, and no table of the old kind."""
    (tmp_path / "module" / "nf_tables").mkdir(parents=True)
    monkeypatch.setattr(others_filters, "SYS_MODULE", str(tmp_path / "module"))
    monkeypatch.setattr(others_filters, "MODULES", str(tmp_path / "modules"))
    monkeypatch.setattr(others_filters, "LEGACY", {"ip": str(tmp_path / "ip"), "ip6": str(tmp_path / "ip6")})
    return tmp_path


def read(module: Module, *ours: str) -> list[dict[str, Any]]:
    asked: Any = module
    given: AnsibleModule = asked
    return others_filters.others_filters(given, ours)


def shown(rules: list[dict[str, Any]]) -> list[str]:
    """Rules in a line each: verdict, what they name, and whether they concern only some of it."""
    texts = []
    for rule in rules:
        ports = ",".join(f"{port['first']}-{port['last']}" for port in rule["ports"])
        words = [rule["verdict"], rule["protocol"], ports, *(f"{key} {rule[key]}" for key in ("iif", "oif") if rule[key])]
        texts.append(" ".join(word for word in [*words, "some" if rule["some"] else ""] if word))
    return texts


def chain_of(found: list[dict[str, Any]], table: str, chain: str) -> dict[str, Any]:
    (item,) = (item for item in found if (item["table"], item["chain"]) == (table, chain))
    return item


def test_ufw_docker_and_fail2ban_in_one_table_are_told_apart_by_chain() -> None:
    tables = of_iptables(SAVED, "ip")
    found = [item for table in tables for item in others_filters._told(table, tables[table])]
    assert {(item["chain"], tuple(item["owners"])) for item in found} == {
        ("INPUT", ("ufw", "fail2ban")),
        ("FORWARD", ("ufw", "Docker")),
        ("", ("Docker",)),
    }
    assert shown(chain_of(found, "ip filter", "INPUT")["rules"]) == [
        # Whoever is banned.
        "drop tcp 22-22 some",
        "accept iif lo",
        "accept icmp some",
        "accept udp 68-68 some",
        # What is for another address, and for none of the kinds before.
        "drop some",
        "accept udp 5353-5353 some",
        "accept tcp 22-22",
        "accept udp 51821-51821,51830-51839",
        "accept tcp 443-443 some",
        "accept iif wg1",
        # The policy.
        "drop",
    ]
    assert shown(chain_of(found, "ip filter", "FORWARD")["rules"]) == [
        "accept iif wg1 oif wg2",
        "drop iif docker0 oif docker0 some",
        "accept iif docker0 some",
        "accept iif docker0 oif docker0",
        "drop",
    ]


def test_firewalld_in_nfts_own_words() -> None:
    found = read(Module(nft=LISTED))
    inside = chain_of(found, "inet firewalld", "filter_INPUT")
    assert (inside["owners"], inside["hook"], inside["priority"]) == (["firewalld"], "input", 10)
    assert shown(inside["rules"]) == [
        # Answers go another way; what a connection of others' forwarding belongs to is some of it.
        "accept some",
        "accept iif lo",
        "accept tcp 22-22,8000-8100 iif eth0",
        "accept tcp 53-53 iif eth0",
        "accept udp 53-53 iif eth0",
        "accept esp iif eth0 some",
        "accept iif eth0 some",
        "accept tcp 80-80 iif eth0 some",
        "drop tcp 81-81 iif eth0 some",
        "accept iif wg* some",
        "drop tcp 22-22 some",
        "drop some",
    ]
    assert shown(chain_of(found, "inet firewalld", "filter_FORWARD")["rules"]) == [
        "accept iif wg1 oif wg1",
        "accept iif wg2 oif wg1",
        "drop",
    ]
    assert [item["table"] for item in found if not item["hook"]] == ["netdev x"]


def test_what_is_told_has_the_form_of_facts() -> None:
    found = read(Module(nft=LISTED, iptables_nft_save=SAVED))
    spec = {"filters": FACTS["xgn_host"]["options"]["filters"]}
    assert check({"filters": found}, spec, EVERYTHING) == []
    wrong = [{**found[0], "owners": ["{{ lookup('pipe', 'id') }}"]}, {**found[0], "chain": "a\nb"}]
    assert len(check({"filters": wrong}, spec, EVERYTHING)) == 2


def test_strange_names_of_a_host_are_told_without_what_is_strange() -> None:
    text = '*filter\n:INPUT DROP [0:0]\n:a"b - [0:0]\n-A INPUT -i "x y" -j ACCEPT\nCOMMIT\n'
    (found,) = others_filters._told("ip filter", of_iptables(text, "ip")["ip filter"])
    assert found["rules"][0]["iif"] == "x?y"


def test_ours_are_not_among_them() -> None:
    tables = [{"table": {"family": "inet", "name": name}} for name in ("xgn", "xgn_l2tp", "mine", "theirs")]
    found = read(Module(nft=json.dumps({"nftables": tables})), "inet mine")
    assert [(item["table"], item["owners"], item["chain"], item["rules"]) for item in found] == [("inet theirs", [], "", [])]


def test_a_kernel_without_tables_is_not_asked(kernel: Path) -> None:
    """Which would load its module."""
    module = Module(nft=LISTED, iptables_nft_save=SAVED, iptables_legacy_save=SAVED)
    (kernel / "module" / "nf_tables").rmdir()
    (kernel / "modules" / os.uname().release).mkdir(parents=True)
    assert read(module) == [] and module.calls == []
    (kernel / "modules" / os.uname().release / "modules.builtin").write_text("kernel/net/netfilter/nf_tables.ko\n", encoding="utf-8")
    assert read(module) != []


def test_a_container_is_asked(kernel: Path) -> None:
    """It has no modules of its kernel's to look at."""
    (kernel / "module" / "nf_tables").rmdir()
    assert read(Module(nft=LISTED)) != []


def test_tables_of_the_old_kind_are_read_where_there_are_any(kernel: Path) -> None:
    (kernel / "module" / "nf_tables").rmdir()
    (kernel / "modules" / os.uname().release).mkdir(parents=True)
    (kernel / "ip").write_text("filter\n", encoding="utf-8")
    module = Module(iptables_legacy_save=SAVED, ip6tables_legacy_save=SAVED)
    assert {item["table"] for item in read(module)} == {"legacy ip filter", "legacy ip nat"}
    assert module.calls == [["iptables-legacy-save"]]


def test_iptables_is_asked_in_its_own_words_where_it_has_tables() -> None:
    """nft does not know all of them. A host without nft may have some, too."""
    listed = json.dumps({"nftables": [{"table": {"family": "ip", "name": "filter"}}]})
    module = Module(nft=listed, iptables_nft_save=SAVED, ip6tables_nft_save=SAVED)
    assert [item["chain"] for item in read(module)] == ["INPUT", "FORWARD", ""]
    assert [command[0] for command in module.calls] == ["nft", "iptables-nft-save"]
    assert [item["chain"] for item in read(Module(iptables_nft_save=SAVED))] == ["INPUT", "FORWARD", ""]


def test_what_cannot_be_read_is_told() -> None:
    """A run goes on without it."""
    module = Module(nft="")
    assert read(module) == [] and module.warnings == ["packet filters of others cannot be read: Operation not permitted"]
    for text in ("table inet x {}", '{"nftables": [{"rule": {}}]}', '{"nftables": [7]}'):
        module = Module(nft=text)
        assert read(module) == [] and "nft prints what is not known (" in module.warnings[0]
    module = Module(iptables_nft_save='*filter\n-A INPUT -m comment --comment "x\n')
    assert read(module) == [] and len(module.warnings) == 1


def test_no_more_is_told_than_can_be_looked_at() -> None:
    rules = [Rule(Match("tcp", ((port, port),)), "accept") for port in range(1, 1000)]
    found, _seen = decided({"INPUT": Chain(rules, "input", 0, "drop")}, "INPUT")
    assert len(found) == 301 and (found[-1]["verdict"], found[-1]["some"]) == ("drop", True)


@pytest.mark.parametrize(
    ("words", "verdict", "match"),
    [
        ("-p tcp -m tcp --dport 22 -j ACCEPT", "accept", Match("tcp", ((22, 22),))),
        ("-p udp -m multiport --dports 53,5000:5010 -j DROP", "drop", Match("udp", ((53, 53), (5000, 5010)))),
        ("-i wg+ -o eth0 -j ACCEPT", "accept", Match(iif="wg*", oif="eth0")),
        ("-m conntrack --ctstate NEW,INVALID -j REJECT --reject-with tcp-reset", "drop", Match()),
        ("-m state --state INVALID -j DROP", "drop", Match(some=True, invalid=True)),
        ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "accept", Match("none")),
        ("! -i eth0 -p tcp -j DROP", "drop", Match("tcp", some=True)),
        ("-s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT", "accept", Match("tcp", ((22, 22),), some=True)),
        ('-m comment --comment "by -j DROP" -j RETURN', "return", Match()),
        ("-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", "jump", Match("tcp", some=True)),
        ("-g other", "goto", Match()),
    ],
)
def test_a_rule_of_iptables(words: str, verdict: str, match: Match) -> None:
    (chain,) = of_iptables(f"*filter\n-A INPUT {words}\nCOMMIT\n", "ip")["ip filter"].values()
    assert [(rule.verdict, rule.match) for rule in chain.rules] == [(verdict, match)]


def meta(key: str, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": right}}


def port(protocol: str, right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": "dport"}}, "right": right}}


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        ([{"drop": None}], [("drop", Match())]),
        (["drop"], []),
        ([meta("iifname", "eth0"), {"reject": {"type": "tcp reset"}}], [("drop", Match(iif="eth0"))]),
        ([meta("iifname", "eth0", "!="), {"drop": None}], [("drop", Match(some=True))]),
        ([meta("iifname", "@lan"), {"accept": None}], [("accept", Match(some=True))]),
        ([meta("mark", 7), {"accept": None}], [("accept", Match(some=True))]),
        ([port("tcp", "@open"), {"accept": None}], [("accept", Match(some=True))]),
        ([port("tcp", {"range": [80, 90]}), {"accept": None}], [("accept", Match("tcp", ((80, 90),)))]),
        ([{"limit": {"rate": 5, "per": "second"}}, {"accept": None}], [("accept", Match(some=True))]),
        ([{"xt": None}, {"drop": None}], [("drop", Match(some=True))]),
        ([{"xt": {"type": "target", "name": "REJECT"}}], [("drop", Match())]),
        ([{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@zones"}}], [("drop", Match(some=True))]),
        ([{"counter": None}, {"log": None}, {"jump": {"target": "x"}}], [("jump", Match())]),
    ],
)
def test_a_rule_of_nft(expressions: list[Any], expected: list[tuple[str, Match]]) -> None:
    rule = {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": expressions}}
    chain = of_nft(json.dumps({"nftables": [rule]}))["inet t"]["c"]
    if expressions == ["drop"]:
        # nft prints a dictionary; the word alone is read as well.
        assert [rule.verdict for rule in chain.rules] == ["drop"]
    else:
        assert [(rule.verdict, rule.match) for rule in chain.rules] == expected


@pytest.mark.parametrize(
    ("one", "two", "met"),
    [
        (Match("tcp"), Match("udp"), None),
        (Match("tcp", ((1, 100),)), Match(ports=((50, 200),)), Match("tcp", ((50, 100),))),
        (Match(ports=((1, 2),)), Match(ports=((3, 4),)), None),
        (Match(iif="wg*"), Match(iif="wg1", some=True), Match(iif="wg1", some=True)),
        (Match(iif="eth0"), Match(iif="wg*"), None),
        (Match(oif="eth0"), Match(oif="eth1"), None),
    ],
)
def test_what_two_rules_concern(one: Match, two: Match, met: Match | None) -> None:
    assert both(one, two) == met


def test_packets_of_no_connection_matter_where_they_are_forwarded() -> None:
    """Answers to what went another way are among them; a packet that begins something is not."""
    chains = {name: Chain([Rule(Match(some=True, invalid=True), "drop")], name.lower()) for name in ("INPUT", "FORWARD")}
    assert decided(chains, "INPUT")[0] == []
    assert shown(decided(chains, "FORWARD")[0]) == ["drop some"]


def test_rules_behind_an_end_are_not_read() -> None:
    chains = {
        "INPUT": Chain([Rule(Match(), "jump", "A"), Rule(Match(), "drop")], "input"),
        "A": Chain([Rule(Match("tcp"), "return"), Rule(Match("udp"), "accept"), Rule(Match(), "return"), Rule(Match(), "accept")]),
    }
    assert shown(decided(chains, "INPUT")[0]) == ["accept udp some", "drop"]
    chains["A"].rules.insert(0, Rule(Match(), "accept"))
    assert decided(chains, "INPUT")[0] == []
    # A chain that leads to itself, as none does that a kernel has taken.
    assert decided({"INPUT": Chain([Rule(Match(), "jump", "INPUT")], "input", 0, "drop")}, "INPUT")[0] != []


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("ufw6-user-input", "ufw"),
        ("firewalld", "firewalld"),
        ("firewalld_policies", "firewalld"),
        ("DOCKER-USER", "Docker"),
        ("docker-bridges", "Docker"),
        ("f2b-sshd", "fail2ban"),
        ("f2b-table", "fail2ban"),
        ("LIBVIRT_FWO", "libvirt"),
        ("libvirt_network", "libvirt"),
        ("KUBE-FIREWALL", "Kubernetes"),
        ("kube-proxy", "Kubernetes"),
        ("cali-FORWARD", "Kubernetes"),
        ("netavark", "Podman"),
        ("wg-quick-wg0", "wg-quick"),
        ("mine", ""),
    ],
)
def test_whose_a_table_or_chain_is(name: str, owner: str) -> None:
    assert owners_of([name]) == ([owner] if owner else [])
