"""Hosts on which nothing has to be changed, for tests/bench/calls.py: the callback plugin of tests/unit/roles/stand_in_hosts.py, with what more modules answer."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# Ansible loads this file from a directory of its own.
sys.path.insert(0, os.environ["STAND_IN_PLUGIN"])

import stand_in_hosts
from stand_in_hosts import CallbackModule as CallbackModule

STAND_IN = stand_in_hosts.answer
DIFFERENCES = ("images", "networks", "create", "start", "restart", "unlisted_containers", "unlisted_networks", "reasons", "engine")
KEY = "A" * 43 + "="
FINGERPRINT = ":".join(["AA"] * 32)


def answer(host: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What an unchanged host answers to a module."""
    if module == "kernel_settings":
        return {"changed": False}
    found = STAND_IN(host, module, arguments)
    if module == "host_facts":
        settled = ["frr.service", "xgn-firewall.service", "xgn-wireguard-endpoints.timer"]
        found["ansible_facts"]["xgn_host"] |= {"settled": settled, **json.loads(os.environ["UNCHANGED_HOST"])}
    more: dict[str, dict[str, Any]] = {
        "live_state": {"state": {}},
        "docker_engine": {"installed": True, "cgroup_version": "2", "version": "28", "actions": []},
        "docker_differences": {key: [] for key in DIFFERENCES},
        "ansible.builtin.stat": {"stat": {"exists": True, "checksum": "0" * 40}},
        "config_files": {"changed_paths": []},
        "wireguard_key": {"public_keys": dict.fromkeys(map(str, arguments.get("interfaces") or []), KEY)},
        "openvpn_key": {"fingerprints": {str(name): [FINGERPRINT] for name in arguments.get("tunnels") or []}},
    }
    return {**found, **more.get(module, {})}


stand_in_hosts.answer = answer
