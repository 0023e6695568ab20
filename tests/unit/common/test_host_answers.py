"""What hosts say: only what has the form of facts becomes one, and a host that says anything else is named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import (
    HostAnswerError,
    checked_facts,
    refuse_facts_as_variables,
    with_clock_offset,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import one_line
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import told

TRUE: dict[str, Any] = {
    "os_family": "Debian",
    "distribution": "debian",
    "distribution_version": "13",
    "machine": "x86_64",
    "kernel": "6.12.48+deb13-amd64",
    "kernel_features": {"vrf": "module", "vxlan": "unknown"},
    "packages": ["frr", "libc6:amd64"],
    "artifacts": {"frr": "10.3+xgn.debian13.0", "xgn-frr": "1:10.3~rc1-1"},
    "commands": {"wg": "wg", "nft": None},
    "network_manager": False,
    "systemd": True,
    "container": False,
    "recorded": {"frr": ["file /etc/frr/frr.conf"]},
    "owners": {"wireguard": ["file /etc/wireguard/wg1.conf"]},
    "interfaces": ["eth0", "lo"],
    "listeners": [{"protocol": "tcp", "address": "::", "port": 80}],
    "others_behind": ["virbr0"],
    "filtered": False,
    "settled": ["frr.service"],
    "time": 1795398527.25,
    "identity": "0f" * 32,
    "held": {
        "links": [
            {
                "name": "eth0",
                "mac": "02:00:00:00:00:01",
                "vrf": "CORE",
                "addresses": ["192.0.2.1/24", "fd00::1/64"],
                "refused": ["fd00::1/64"],
            },
            {"name": "wg0", "mac": "", "vrf": "", "addresses": [], "refused": []},
        ],
        "neighbors": [{"interface": "eth0", "address": "fe80::1", "mac": "02:00:00:00:00:02"}],
        "routes": [{"prefix": "0.0.0.0/0", "interface": "eth0", "gateway": "192.0.2.254", "vrf": ""}],
    },
}


def test_what_a_host_says_of_itself_is_returned_as_it_is() -> None:
    assert checked_facts("T1", {"xgn_host": TRUE}) == {"xgn_host": TRUE}
    armed = {"xgn_host": TRUE, "xgn_way_back": {"armed": True, "seconds": 60, "run": "20260101T000000Z-1f"}}
    assert checked_facts("T1", armed) == armed
    assert checked_facts("T1", {"xgn_way_back": {"armed": False}})
    # What Ansible adds to the first answer of a host.
    assert checked_facts("T1", {"xgn_host": TRUE, "discovered_interpreter_python": "/usr/bin/python3.13"})
    # A call that failed brings none.
    assert checked_facts("T1", None) == {}


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"kernel": "../../../../root/x"}, r"xgn_host\.kernel: .* must be letters, digits"),
        ({"machine": "x86_64\nroot"}, r"xgn_host\.machine: .*"),
        ({"distribution": "{{ lookup('pipe', 'id') }}"}, r"xgn_host\.distribution: .* must be letters"),
        ({"distribution_version": 13}, r"xgn_host\.distribution_version: "),
        ({"os_family": None}, r"xgn_host\.os_family"),
        ({"identity": "{{ 1 }}"}, r"xgn_host\.identity: .* must be a digest"),
        (
            {"held": {**TRUE["held"], "neighbors": [{"interface": "eth0", "address": "x", "mac": "y"}]}},
            r"xgn_host\.held\.neighbors\[0\]\.address: .* must be an address",
        ),
        (
            {"held": {**TRUE["held"], "neighbors": [{"interface": "eth0", "address": "::", "mac": "y"}]}},
            r"xgn_host\.held\.neighbors\[0\]\.mac: .* must be a MAC address",
        ),
        (
            {"held": {**TRUE["held"], "links": [{**TRUE["held"]["links"][0], "addresses": ["fd00::1"]}]}},
            r"xgn_host\.held\.links\[0\]\.addresses\[0\]: .* with a prefix length",
        ),
        (
            {"held": {**TRUE["held"], "links": [{**TRUE["held"]["links"][0], "name": "eth0 {{ x }}"}]}},
            r"xgn_host\.held\.links\[0\]\.name: .* name of an interface",
        ),
        (
            {"held": {**TRUE["held"], "routes": [{"prefix": "default", "interface": "eth0", "gateway": "", "vrf": ""}]}},
            r"xgn_host\.held\.routes\[0\]\.prefix",
        ),
        ({"packages": "frr"}, r"xgn_host\.packages: "),
        ({"packages": [["frr"]]}, r"xgn_host\.packages\[0\]: "),
        ({"packages": ["frr\x1b[2J"]}, r"xgn_host\.packages\[0\]: "),
        ({"recorded": ["frr"]}, r"xgn_host\.recorded: "),
        ({"recorded": {"frr": "file"}}, r"xgn_host\.recorded\.frr: "),
        ({"artifacts": {"frr": "10.3; reboot"}}, r"xgn_host\.artifacts\.frr: .* must be a version"),
        ({"kernel_features": {"vrf": "yes please"}}, r"xgn_host\.kernel_features\.vrf: "),
        ({"systemd": "yes please"}, r"xgn_host\.systemd: "),
        ({"time": 1e300}, r"xgn_host\.time: "),
        ({"listeners": [{"protocol": "tcp", "address": "{{ x }}", "port": 1}]}, r"xgn_host\.listeners\[0\]\.address: "),
        ({"listeners": [{"protocol": "tcp", "address": "::", "port": "80\n"}]}, r"xgn_host\.listeners\[0\]\.port"),
        ({"settled": [{}]}, r"xgn_host\.settled\[0\]: "),
        ({"ansible_host": "192.0.2.1"}, r"xgn_host\.ansible_host: "),
    ],
)
def test_a_host_that_lies_about_itself_is_named(lie: dict[str, Any], words: str) -> None:
    with pytest.raises(HostAnswerError, match=rf"^liar answers with facts of another form than it must have: {words}"):
        checked_facts("liar", {"xgn_host": {**TRUE, **lie}})


@pytest.mark.parametrize(
    "facts",
    [
        {"frr_bgp": []},
        {"ansible_host": "192.0.2.1"},
        {"ansible_connection": "local"},
        {"discovered_interpreter_python": "/bin/sh -c reboot #"},
        {"xgn_way_back": {"armed": True, "seconds": 60, "run": "../x"}},
        {"xgn_way_back": True},
        {"hostvars": {}},
        {5: 5},
        [],
        "x",
    ],
)
def test_a_host_has_no_other_facts(facts: Any) -> None:
    given = {"xgn_host": TRUE, **facts} if isinstance(facts, dict) else facts
    with pytest.raises(HostAnswerError, match=r"^liar answers with facts of another form than it must have: "):
        checked_facts("liar", given)


def test_of_much_that_is_wrong_a_little_is_shown() -> None:
    with pytest.raises(HostAnswerError) as refused:
        checked_facts("liar", {"xgn_host": {**TRUE, "packages": ["a\n" * 10_000] * 10_000}})
    assert "and 9995 more" in str(refused.value)
    assert len(str(refused.value)) < 2000 and "\n" not in str(refused.value)


def test_a_fact_is_no_variable() -> None:
    """Any module of any collection may bring facts, and Ansible puts them among the variables of the host."""
    variables = {"frr_bgp", "wireguard_interfaces"}
    good = {"xgn_host": TRUE, "xgn_way_back": {}, "xgn_verify": {}, "distribution": "Debian", "default_ipv4": {}, "frr": 1}
    refuse_facts_as_variables({"inventory_hostname": "T1", "ansible_facts": good}, variables)
    refuse_facts_as_variables({"inventory_hostname": "T1"}, variables)
    for name in ("frr_bgp", "xgn_nodes", "xgn_way_back_seconds", "__preflight_begun"):
        with pytest.raises(HostAnswerError, match=f"^liar answers with facts .*: {name}: is a variable of yours, and no fact of a host"):
            refuse_facts_as_variables({"inventory_hostname": "liar", "ansible_facts": {**good, name: 1}}, variables)


# ---- what a host has kept for others -------------------------------------------------------------------------------------------------------


def test_what_a_host_kept_is_plain_text_in_one_line() -> None:
    kept = {"by": "bob\x1b]0;x\x07", "at": "2026-11-29T03:12:05Z", "run": "r\n\nPLAY [all]", "left": 30}
    shown = told(kept)
    assert shown["left"] == 30
    assert all(value.isprintable() for value in shown.values() if isinstance(value, str))
    assert told(["x"]) == {} and told("x") == {} and told(None) == {}


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "a\u2028b", "\u202egnp.exe", "\x9b2J", "a\0b"])
def test_text_of_a_host_writes_on_no_terminal(text: str) -> None:
    assert one_line(text).isprintable()


@pytest.mark.parametrize(("there", "offset"), [(1000.0, 0), (1300.0, 0), (990.0, -10), (1310.0, 10)])
def test_a_clock_is_judged_by_when_the_host_was_asked_and_had_answered(there: float, offset: float) -> None:
    """However long the call takes, and whatever comes before the host is judged."""
    facts = with_clock_offset({"xgn_host": {**TRUE, "time": there}}, 1000.0, 1300.0)
    assert facts["xgn_host"]["clock_offset"] == offset
    with pytest.raises(HostAnswerError, match="clock_offset"):
        checked_facts("T1", facts)
    assert with_clock_offset({}, 1000.0, 1300.0) == {}
