# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The intent as a play has it: templates that fail are mistakes like the others, and hosts and nodes that do not find each other are named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.inventory_hosts import host_without_node, unmatched
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures, intent_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent


class TemplateError(Exception):
    """Any."""


class UndefinedError(TemplateError):
    """A variable that is not defined."""


FAILURES = Failures(TemplateError, UndefinedError)
DEFINED = {"{{ asn }}": 65001}


def template(value: Any) -> Any:
    """As Ansible does it: whole, or not at all."""
    if isinstance(value, dict):
        return {key: template(item) for key, item in value.items()}
    if isinstance(value, list):
        return [template(item) for item in value]
    if isinstance(value, str) and "{{" in value:
        if value not in DEFINED:
            raise (TemplateError("hunter2") if "secret" in value else UndefinedError("'as_number' is undefined"))
        return DEFINED[value]
    return value


def intent(asn: object, *, networks: dict[str, Any] | None = None) -> dict[str, Any]:
    node = {"id": 1, "uplink": {"device": "eth0", "address": "198.51.100.1/24"}}
    return {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_nodes": {
            "a": {**node, "asn": asn, "networks": networks or {}},
            "b": {"id": 2, "asn": 65002, "uplink": {"device": "eth0", "address": "198.51.100.2/24"}},
        },
        "xgn_links": [{"id": 1, "type": "wireguard", "ends": ["a", "b"]}],
    }


def told(variables: dict[str, Any]) -> list[str]:
    values, unread = intent_of({**variables, "other": "{{ not_ours }}"}, template, FAILURES)
    return [str(problem) for problem in check_intent(values, unread)[1]]


def test_templates_are_resolved() -> None:
    assert told(intent("{{ asn }}")) == []


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{{ as_numbr }}", "'as_numbr' is not a defined variable; define it, usually in an encrypted file of group_vars/all"),
        ("{{ 1 + as_number }}", "uses a variable that is not defined: 'as_number' is undefined"),
        ("{{ secret + 1 }}", "cannot be templated or decrypted; see the details with ansible.builtin.debug"),
    ],
)
def test_a_template_that_fails_is_told_beside_the_other_mistakes_and_explains_what_is_missing(written: str, sentence: str) -> None:
    networks = {"lan0": {"kind": "bridge", "address": "10.64.1.0/24"}}
    assert told(intent(written, networks=networks)) == [
        f"xgn_nodes.a.asn: {sentence}",
        "xgn_nodes.a.networks.lan0.address: '10.64.1.0/24' is the network address of 10.64.1.0/24; it names no host",
    ]


# ---- hosts and nodes ---------------------------------------------------------------------------------------------------------------------------

PLANNED = ("a", "b")


def test_who_finds_whom() -> None:
    assert unmatched(PLANNED, {"a": (), "b": ()}, intent(1)) == []
    assert [str(problem) for problem in unmatched(PLANNED, {"a": ()}, intent(1))] == [
        (
            "'b' is planned, but no host of this inventory has that name, so nothing is applied there; correct the name, add the host, or write"
            " managed: false where Ansible does not log in"
        )
    ]
    (many,) = unmatched([f"n{number}" for number in range(9)], {}, intent(1))
    assert str(many).startswith("'n0', 'n1', 'n2', 'n3', 'n4' and 4 more are planned, but no hosts of this inventory have these names")


def test_a_host_that_is_no_node() -> None:
    raw = {"xgn_nodes": {"hq-core": {"id": 1}, "partner": {"id": 2, "managed": False}}}
    assert str(host_without_node("hq-cor", raw)) == (
        "xgn_nodes: 'hq-cor' is a host of the inventory and no node; it would become a router without links; did you mean the node 'hq-core'? Else"
        " add it to xgn_nodes, give it variables of roles, such as vrf_interfaces, or keep it out of this run: --limit 'all:!hq-cor'"
    )
    assert "did you mean" not in str(host_without_node("spare", raw))
    assert str(host_without_node("partner", raw)).startswith(
        "xgn_nodes.partner.managed: is false, so that nothing is planned for this host"
    )


@pytest.mark.parametrize(
    "declared", [{"vrf_vrfs": [{"name": "X", "table": 5}]}, {"wireguard_interfaces": "{{ mine }}"}, {"gobgp_asn": 65001}]
)
def test_a_host_that_declares_something_itself_is_meant(declared: dict[str, Any]) -> None:
    raw = {"xgn_nodes": {"a": {"id": 1}}}
    assert host_without_node("spare", {**raw, **declared}) is None
    assert unmatched(["a"], {"a": (), "spare": tuple(declared)}, raw) == []
    assert host_without_node("spare", {**raw, "vrf_vrfs": [], "frr_install_method": "source"}) is not None
