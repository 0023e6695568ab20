"""Action host_facts, and the other actions: what a host says comes in checked, and is no variable."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.action import assign_ids, host_facts, host_requirements, plan
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import HostAnswerError

FACTS = {
    **dict.fromkeys(("os_family", "distribution", "distribution_version", "machine", "kernel"), "x"),
    **{name: {} for name in ("kernel_features", "artifacts", "commands", "recorded", "owners")},
    **{name: [] for name in ("packages", "settled", "interfaces", "listeners", "others_behind")},
    **dict.fromkeys(("network_manager", "systemd", "container", "filtered"), False),
}


def test_facts_come_in_checked(act: Callable[..., dict[str, Any]]) -> None:
    def look(answer: dict[str, Any]) -> dict[str, Any]:
        return act(host_facts.ActionModule, {}, {"inventory_hostname": "T1"}, answer=lambda *_: answer)

    assert look({"ansible_facts": {"xgn_host": FACTS}})["ansible_facts"] == {"xgn_host": FACTS}
    assert look({"failed": True, "msg": "no"}) == {"failed": True, "msg": "no"}
    with pytest.raises(HostAnswerError, match="T1 answers with facts"):
        look({"ansible_facts": {"xgn_host": FACTS, "frr_bgp": []}})


@pytest.mark.parametrize(
    ("action", "arguments", "fact"),
    [
        (plan.ActionModule, {}, "xgn_nodes"),
        (assign_ids.ActionModule, {}, "xgn_links"),
        (host_requirements.ActionModule, {"host": FACTS}, "preflight_allow_network_manager"),
    ],
)
def test_what_a_host_says_is_no_intent_and_no_leave(
    act: Callable[..., dict[str, Any]], action: type, arguments: dict[str, Any], fact: str
) -> None:
    with pytest.raises(HostAnswerError, match=f"T1 answers with facts of another form than it must have: {fact}: is a variable"):
        act(action, arguments, {"inventory_hostname": "T1", "ansible_facts": {fact: True}})


def test_every_action_refuses_facts_in_place_of_variables() -> None:
    """A module that a host runs answers with facts in its result, wherever it is called; and facts of an earlier run may be kept in a cache."""
    names = {path.stem for path in Path(host_facts.__file__).parent.glob("*.py")} - {"__init__"}
    actions = {name: import_module(f"ansible_collections.xuegao.net.plugins.action.{name}").ActionModule for name in names}
    # The first reads nothing but its own arguments, the other makes a failed check of such a fact.
    assert {name for name, action in actions.items() if action.VARIABLES is None} == {"host_facts", "verify_checks"}
