# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What hosts say, as data of a known form.

A host may have been broken into. What it says of itself is read by this run for other hosts, too, becomes names of files on the controller, and is shown to
people; and Ansible makes a variable of whatever a module calls a fact. So an answer is checked where it comes in, and refused with the host's name.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.xuegao.net.plugins.module_utils.others_filters import OWNERS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check

# A word that may become a part of the name of a file: os-release(5) and uname(2) have no others.
_WORD: Mapping[str, Any] = {
    "type": "str",
    "required": True,
    "pattern": r"(?!\.)[A-Za-z0-9._+~-]{0,128}",
    "pattern_text": "must be letters, digits and . _ + ~ -",
}
_BOOLEAN: Mapping[str, Any] = {"type": "bool", "required": True}
_NAMES: Mapping[str, Any] = {"type": "list", "elements": "str", "required": True}
_PORT: Mapping[str, Any] = {"type": "int", "required": True, "minimum": 0, "maximum": 65535}
_BY_NAME: Mapping[str, Any] = {"type": "dict", "required": True}
_OBJECTS: Mapping[str, Any] = {**_BY_NAME, "values": {"type": "list", "elements": "str"}}
_NAME: Mapping[str, Any] = {"type": "str", "required": True, "pattern": r"[^\s/]{1,15}", "pattern_text": "must be the name of an interface"}
_NAME_OR_NONE: Mapping[str, Any] = {**_NAME, "pattern": r"[^\s/]{0,15}"}
_ADDRESS: Mapping[str, Any] = {"type": "str", "required": True, "pattern": "[0-9a-f:.]{2,45}", "pattern_text": "must be an address"}
_ADDRESS_OR_NONE: Mapping[str, Any] = {**_ADDRESS, "pattern": "[0-9a-f:.]{2,45}|"}
_WITH_LENGTH: Mapping[str, Any] = {
    "required": True,
    "pattern": "[0-9a-f:.]{2,45}/[0-9]{1,3}",
    "pattern_text": "must be an address with a prefix length",
}
_PREFIXES: Mapping[str, Any] = {"type": "list", "elements": "str", **_WITH_LENGTH}
_MAC: Mapping[str, Any] = {
    "type": "str",
    "required": True,
    "pattern": "[0-9a-f]{2}(:[0-9a-f]{2}){5}",
    "pattern_text": "must be a MAC address",
}
_MAC_OR_NONE: Mapping[str, Any] = {**_MAC, "pattern": f"({_MAC['pattern']})?"}


def _entries(**options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "required": True, "options": options}


# Family and name, of which a host tells no other characters.
_TABLE: Mapping[str, Any] = {
    "type": "str",
    "required": True,
    "pattern": r"[A-Za-z0-9_./*? -]{1,300}",
    "pattern_text": "must be a name of nftables",
}
_INTERFACE: Mapping[str, Any] = {
    "type": "str",
    "required": True,
    "pattern": r"[A-Za-z0-9_./*?-]{0,40}",
    "pattern_text": "must be an interface",
}

# Facts of module host_facts, those of the modules that arm the way back, and the one that Ansible adds to the first answer of a host.
FACTS: Mapping[str, Mapping[str, Any]] = {
    "discovered_interpreter_python": {"type": "str", "pattern": "[A-Za-z0-9._/+-]{1,200}"},
    "xgn_host": {
        "type": "dict",
        "options": {
            **dict.fromkeys(("os_family", "distribution", "distribution_version", "machine", "kernel"), _WORD),
            "kernel_features": {**_BY_NAME, "values": {"type": "str", "choices": ["builtin", "module", "loaded", "missing", "unknown"]}},
            "packages": _NAMES,
            "artifacts": {**_BY_NAME, "values": {"type": "str", "pattern": r"[A-Za-z0-9.+:~_-]+", "pattern_text": "must be a version"}},
            # Null for one that is not there.
            "commands": _BY_NAME,
            "network_manager": _BOOLEAN,
            "connection_mtus": {"type": "dict", "values": {"type": "int", "minimum": 1, "maximum": 65535}},
            "systemd": _BOOLEAN,
            # Seconds since 1970, until the year 9999.
            "time": {"type": "float", "minimum": 0, "maximum": 253_402_300_799},
            "container": _BOOLEAN,
            "recorded": _OBJECTS,
            "owners": _OBJECTS,
            "interfaces": _NAMES,
            "listeners": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "protocol": {"type": "str", "required": True, "choices": ["tcp", "udp"]},
                    "address": _ADDRESS,
                    "port": {"type": "int", "required": True, "minimum": 1, "maximum": 65535},
                },
            },
            "others_behind": _NAMES,
            "filtered": _BOOLEAN,
            "filters": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "table": _TABLE,
                    "owners": {**_NAMES, "choices": OWNERS},
                    "chain": {**_TABLE, "pattern": r"[A-Za-z0-9_./*?-]{0,255}"},
                    "hook": {"type": "str", "required": True, "choices": ["", "ingress", "prerouting", "input", "forward"]},
                    "priority": {"type": "int", "required": True},
                    "rules": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {
                            "verdict": {"type": "str", "required": True, "choices": ["accept", "drop"]},
                            "protocol": {**_INTERFACE, "pattern_text": "must be a protocol"},
                            "ports": {"type": "list", "elements": "dict", "required": True, "options": {"first": _PORT, "last": _PORT}},
                            "iif": _INTERFACE,
                            "oif": _INTERFACE,
                            "some": _BOOLEAN,
                        },
                    },
                },
            },
            "settled": _NAMES,
            "networkd": {"type": "list", "elements": "str"},
            "identity": {"type": "str", "pattern": "([0-9a-f]{64})?", "pattern_text": "must be a digest"},
            "paths": _entries(
                interface=_NAME,
                to={"type": "str", "required": True, "pattern": "[A-Za-z0-9._:-]{1,253}", "pattern_text": "must be a name or an address"},
                address=_ADDRESS,
                device=_NAME,
                mtu={"type": "int", "required": True, "minimum": 0, "maximum": 65535},
                passes={"type": "str", "required": True, "choices": ["yes", "no", "unknown"]},
            )
            | {"required": False},
            "held": {
                "type": "dict",
                "options": {
                    "links": _entries(
                        name=_NAME,
                        mac=_MAC_OR_NONE,
                        vrf=_NAME_OR_NONE,
                        addresses=_PREFIXES,
                        refused=_PREFIXES,
                    ),
                    "neighbors": _entries(interface=_NAME, address=_ADDRESS, mac=_MAC),
                    "routes": _entries(
                        prefix={"type": "str", **_WITH_LENGTH}, interface=_NAME, gateway=_ADDRESS_OR_NONE, vrf=_NAME_OR_NONE
                    ),
                },
            },
        },
    },
    "xgn_way_back": {
        "type": "dict",
        "options": {
            "armed": _BOOLEAN,
            "seconds": {"type": "int", "minimum": 0},
            "run": {"type": "str", "pattern": "[A-Za-z0-9._-]{0,200}"},
        },
    },
}
# Facts that the collection's own actions make on the controller.
_OURS = frozenset({*FACTS, "xgn_verify"})
# So much of an answer that has not its form is shown.
_SHOWN = 5


class HostAnswerError(AnsibleActionFail):
    """A host has said something that is not of the form it must have. The text names the host, and where."""


def refuse(host: str, problems: Iterable[Problem], what: str) -> None:
    """Refuse an answer in which something is wrong.

    Parameters:
        host: who gave it.
        problems: what is wrong with it.
        what: it is.

    Raises:
        HostAnswerError: there is any problem.
    """
    lines = sentences(problems)
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise HostAnswerError(
            f"{host} answers with {what} of another form than it must have: {'; '.join([*lines[:_SHOWN], *more])}. Nothing more is done with it: another "
            "collection is at work there, or somebody has broken in."
        )


def checked_facts(host: str, facts: object) -> dict[str, Any]:
    """Return the facts of a host that have their form.

    Parameters:
        host: inventory name.
        facts: what a module returned as ``ansible_facts``; none counts as empty.

    Raises:
        HostAnswerError: something has another form, or there are other facts than those of `FACTS`.
    """
    given = {} if facts is None else facts
    refuse(host, check(given, FACTS, EVERYTHING), "facts")
    return dict(given) if isinstance(given, Mapping) else {}


def with_clock_offset(facts: Mapping[str, Any], asked: float, answered: float) -> dict[str, Any]:
    """Return checked facts, of which C(xgn_host) has C(clock_offset): by how many s the host's clock is ahead of the controller's, at least.

    Parameters:
        facts: as `checked_facts` returns them. A host cannot say this itself: it is no fact of `FACTS`.
        asked: the controller's clock before the host was asked, in s since 1970.
        answered: the same when its answer had come. The host has looked at its clock between the two, so a slow call says nothing against it.
    """
    host = facts.get("xgn_host")
    if not isinstance(host, Mapping) or "time" not in host:
        return dict(facts)
    there = float(host["time"])
    return {**facts, "xgn_host": {**host, "clock_offset": there - min(max(there, asked), answered)}}


def refuse_facts_as_variables(task_vars: Mapping[str, Any], variables: Container[str]) -> None:
    """Refuse a host of which a fact has the name of a variable: it would count in place of what its owner wrote, on the controller as well.

    Parameters:
        task_vars: all variables of the host, as an action has them.
        variables: names of the roles' variables.

    Raises:
        HostAnswerError: there is such a fact.
    """
    facts = task_vars.get("ansible_facts")
    names = [str(name) for name in facts] if isinstance(facts, Mapping) else []
    taken = (name for name in names if name not in _OURS and (name in variables or name.startswith(("xgn_", "__"))))
    problems = [Problem(Place.of(name), "is a variable of yours, and no fact of a host") for name in taken]
    refuse(str(task_vars.get("inventory_hostname")), problems, "facts")
