# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates of role gobgp print, and what else the role needs of its variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict, cast

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import placeholder
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import GobgpHealth, GobgpNeighbor, GobgpNextHops, HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES, VERSION
from ansible_collections.xuegao.net.plugins.plugin_utils.render.module_input import Unit
from ansible_collections.xuegao.net.plugins.plugin_utils.render.unit_record import record_command

# The specs' defaults of suboptions do not reach the variable, so they stand here too.
_USER = "gobgp"
_HEALTH = {"interval": 5, "timeout": 3, "fall": 2, "rise": 3, "user": _USER}


class SteeredPrefix(TypedDict):
    """A prefix that may be steered, and the lengths of what lies in it, as GoBGP writes a range."""

    prefix: str
    lengths: str


class SteeredFamily(TypedDict):
    """The prefixes of one family."""

    name: str
    prefixes: list[SteeredPrefix]


class Settings(TypedDict):
    """What the program xgn-steering reads."""

    prefixes: list[str]
    next_hops: GobgpNextHops
    health: GobgpHealth | None


class GobgpValues(TypedDict):
    """What `gobgp_values` returns.

    Attributes:
        families: those that have prefixes.
        neighbors: as declared, with placeholders for their passwords.
        secrets: passwords by the name in their placeholders.
        settings: what the program reads.
        health_user: who runs the health command.
        units: what is to run, with the files that each unit's daemon reads.
        records: by unit, the command that records what its daemon reads.
    """

    families: list[SteeredFamily]
    neighbors: list[GobgpNeighbor]
    secrets: dict[str, str]
    settings: Settings
    health_user: str
    units: list[Unit]
    records: dict[str, str]


def gobgp_values(variables: HostVariables) -> GobgpValues:
    """Return what the templates of role gobgp print.

    Parameters:
        variables: those of the role; what is not given, or null, counts as empty.
    """
    prefixes, neighbors = variables.get("gobgp_prefixes", []), variables.get("gobgp_neighbors", [])
    declared = variables.get("gobgp_health")
    health = cast(GobgpHealth, {**_HEALTH, **declared}) if declared else None
    units = _units(health is not None)
    return {
        "families": [family for family in (_family(name, prefixes) for name in FAMILIES) if family["prefixes"]],
        "neighbors": [_covered(neighbor) for neighbor in neighbors],
        "secrets": dict(_secrets(neighbors)),
        "settings": {"prefixes": prefixes, "next_hops": variables.get("gobgp_next_hops", {}), "health": health},
        "health_user": health["user"] if health else _USER,
        "units": units,
        "records": {unit["name"]: record_command(unit["restart_on"] + unit["reload_on"]) for unit in units},
    }


def _units(healthy: bool) -> list[Unit]:
    health = ["/etc/systemd/system/xgn-steering-health.service", "/usr/local/sbin/xgn-steering-health", "/etc/xgn/steering.json"]
    return [
        {
            "name": "gobgpd.service",
            "state": "started",
            "enabled": True,
            "restart_on": ["/etc/systemd/system/gobgpd.service"],
            "reload_on": ["/etc/gobgpd.conf"],
        },
        # Always there, and running where there is something to watch.
        {
            "name": "xgn-steering-health.service",
            "state": "started" if healthy else "stopped",
            "enabled": healthy,
            "restart_on": health,
            "reload_on": [],
        },
    ]


def _family(name: str, prefixes: list[str]) -> SteeredFamily:
    longest = BITS[VERSION[name]]
    own = [prefix for prefix in prefixes if (":" in prefix) == (name == "ipv6")]
    return {"name": name, "prefixes": [{"prefix": prefix, "lengths": f"{prefix.split('/')[1]}..{longest}"} for prefix in own]}


def _secret(neighbor: GobgpNeighbor) -> str:
    return f"bgp {neighbor['address']}"


def _secrets(neighbors: list[GobgpNeighbor]) -> Iterator[tuple[str, str]]:
    return ((_secret(neighbor), neighbor["password"]) for neighbor in neighbors if "password" in neighbor)


def _covered(neighbor: GobgpNeighbor) -> GobgpNeighbor:
    found: GobgpNeighbor = {**neighbor}
    if "password" in neighbor:
        found["password"] = placeholder(_secret(neighbor))
    return found
