"""Replays what real hosts printed (fixtures made by record.py): Debian 13 with FRR 10.3 as T1, Debian 12 with FRR 8.4.4 as T2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer, part
from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import parse_inbound
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ROLES = ("sysctl", "vrf", "wireguard", "frr", "verify")
PASSWORD = "T1-and-T2-test"


class Replay:
    """Answers commands from a recording; a command that was not recorded is a mistake of the test."""

    def __init__(self, name: str) -> None:
        self.recording = json.loads((HERE / "fixtures" / f"{name}.json").read_text(encoding="utf-8"))

    def __call__(self, command: Sequence[str], timeout: float = 30) -> Finished:
        entry = self.recording["commands"][" ".join(command)]
        return Finished(entry["rc"], entry["out"], entry["err"], entry["problem"])


def variables_of(host: str) -> HostVariables:
    """Return the variables of T1 or T2, with the defaults of the roles' specs."""
    inventory = ROOT / "tests" / "golden" / "t1_t2" / "role_variables"
    values: dict[str, Any] = read_yaml((inventory / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    values.update(read_yaml((inventory / "host_vars" / f"{host}.yml").read_text(encoding="utf-8")))
    values["frr_bgp"][0]["neighbors"][0]["password"] = PASSWORD
    options: dict[str, Any] = {}
    for role in ROLES:
        text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
        options.update(read_yaml(text)["argument_specs"]["main"]["options"])
    return cast(HostVariables, with_defaults({name: value for name, value in values.items() if name in options}, options))


def state_of(name: str, variables: HostVariables) -> dict[str, Any]:
    """Run the gatherer on a recording, as module live_state does."""
    replay = Replay(name)
    asked = gather_arguments(variables)
    gatherer = Gatherer(runner=replay, clock=lambda: float(replay.recording["time"]))
    state: dict[str, Any] = {"system": replay.recording["system"], "waited": 0.0}
    state.update(gatherer.frr(asked["originated"]))
    # Recorded before it was asked for.
    state["frr_missed"] = part("vtysh", {"routes": [], "next_hops": []})
    state["frr_processes"] = part("ls", {"daemons": {}, "unnoticed": []})
    state["written"] = part("cat", [])
    state["inbound"] = part("vtysh", parse_inbound(dict(rendered_files("T", variables))["/etc/frr/frr.conf"]))
    state["pings"] = part("ping", gatherer.pings(asked["pings"]))
    state.update(gatherer.network())
    state.update(gatherer.wireguard([]))
    state["wireguard_files"] = part("stat", replay.recording["files"])
    state["sysctl_behind"] = part("sysctl.d", {})
    state["sysctl"] = part("sysctl", {key: {"fq": "fq"}.get(key) for key in asked["sysctls"]})
    state.update(gatherer.units(asked["units"], asked["verify_units"]))
    state["frr_config"] = gatherer.frr_config()
    return state
