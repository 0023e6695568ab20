"""What real hosts printed, as module host_facts reads it: routers that have applied their variables collide with nothing."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.held import look
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import FACTS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.collisions import Looked, collisions
from verify_recorded import Replay, variables_of


def held(host: str) -> dict[str, list[dict[str, Any]]]:
    """What the host holds. Its routes were recorded whole: they are chosen here as ip does, by number of the protocol."""
    replay = Replay(f"{host}_unadvertised")

    def run(command: list[str]) -> tuple[int, str, str]:
        if "neighbor" in command:
            return 0, "[]", ""
        if "route" not in command:
            return 0, replay(command).out, ""
        *line, _proto, number = command
        # In the order in which it was recorded.
        routes = json.loads(replay(["ip", "-N", "-json", *line[3:]]).out)
        return 0, json.dumps([route for route in routes if str(route.get("protocol")) == number]), ""

    return look(run)


def test_hosts_that_have_applied_collide_with_nothing() -> None:
    found = {host: held(host) for host in ("T1", "T2")}
    assert all(parts["links"] and parts["routes"] for parts in found.values())
    for parts in found.values():
        assert check({"held": parts}, {"held": FACTS["xgn_host"]["options"]["held"]}) == []
    # Without a record, as older versions left them, and without what was applied before.
    hosts = [Looked(host, {"identity": host, "held": parts}, variables_of(host), {}) for host, parts in found.items()]
    assert collisions(hosts) == []
    # Another one with the state of T1, of which no plan knows.
    told = collisions([*hosts, Looked("clone", {"identity": "T1", "held": found["T1"]}, {}, {})])
    assert [sentence.split(":")[0] for sentence in told][:1] == ["T1, clone have the same /etc/machine-id, as clones of one disk have"]
    assert any(sentence.startswith("T1 (CORE) is to have 1.1.1.1 in VRF CORE, and clone holds it on CORE") for sentence in told)
    assert any(sentence.startswith("clone has a route of its own, 10.1.1.0/30 on the link of wg0") for sentence in told)
