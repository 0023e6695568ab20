# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The form of what one host brings into the report of all: numbers are numbers, and no text writes on somebody's terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import check_value

_TEXT: Mapping[str, Any] = {"type": "str"}
_TEXTS: Mapping[str, Any] = {"type": "list", "elements": "str"}
_NUMBER: Mapping[str, Any] = {"type": "float"}
_FLAG: Mapping[str, Any] = {"type": "bool"}
_STATE: Mapping[str, Any] = {"type": "str", "choices": ["up", "down", "unknown"]}


def _list_of(texts: str = "", numbers: str = "", flags: str = "", states: str = "", **others: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec of a list of dictionaries by the names of their keys, separated by spaces."""
    options = {
        name: spec for names, spec in ((texts, _TEXT), (numbers, _NUMBER), (flags, _FLAG), (states, _STATE)) for name in names.split()
    }
    return {"type": "list", "elements": "dict", "options": {**options, **others}}


# What `data.host_summary` returns, but for the picture of the boot. What is null is left out before.
SUMMARY: Mapping[str, Any] = {
    "type": "dict",
    "options": {
        **dict.fromkeys(("host", "site", "kernel", "os", "frr"), _TEXT),
        **dict.fromkeys(("uptime", "waited"), _NUMBER),
        "reachable": _FLAG,
        "asns": {"type": "list", "elements": "int"},
        "router_ids": _TEXTS,
        "overrides": _TEXTS,
        "addresses": _TEXTS,
        "vrfs": _list_of(
            "name",
            "table",
            counts={"type": "dict", "values": {"type": "int"}},
            routes=_list_of("prefix protocol uptime via", flags="installed"),
        ),
        "tunnels": _list_of("interface peer remote_interface endpoint", "age rx tx mtu", states="state"),
        "links": _list_of(
            "kind interface detail vrf description peer own remote upper",
            "vni vlan",
            "reserve",
            "state",
            addresses=_TEXTS,
            remotes=_TEXTS,
            ospf=_list_of("text", "version", states="state bfd"),
        ),
        "sessions": _list_of(
            "vrf address local description text",
            "remote_as uptime received",
            states="state bfd",
            families={"type": "dict", "values": _STATE},
            interfaces=_TEXTS,
        ),
        "containers": _list_of("name network parent", addresses=_TEXTS),
        "ospf": _list_of("vrf router_id state interface", "version uptime", "full"),
        "boot": _list_of("unit", "at"),
        "failover": _list_of(
            "host peer tunnel method path_before path_cut path_after",
            "spacing_ms detection_ms limit_ms lost outage_ms return_lost return_outage_ms sent cut_ms restore_ms",
            "recovered returned",
            samples={"type": "list", "elements": "list"},
        ),
    },
}
CUTS: Mapping[str, Any] = SUMMARY["options"]["failover"]
_CUT_NEEDS = frozenset(CUTS["options"]) - {"path_before", "path_cut", "path_after", "sent"}


def refuse_summary(host: str, summary: Mapping[str, Any]) -> None:
    """Refuse what cannot stand in a report.

    Parameters:
        host: inventory name.
        summary: as `data.host_summary` returns it.

    Raises:
        HostAnswerError: something in it has another form.
    """
    plot = summary.get("boot_plot")
    rest = {name: value for name, value in summary.items() if name not in ("boot_plot", "failover")}
    problems = check_value(_without_nulls(rest), SUMMARY, EVERYTHING)
    if plot is not None and not (isinstance(plot, str) and _is_encodable(plot)):
        problems.append(Problem(Place.of("boot_plot"), "is no picture", show(plot)))
    refuse(host, problems, "a live state")


def refuse_cuts(host: str, cuts: object) -> None:
    """Refuse figures of a failover test that are none.

    Parameters:
        host: inventory name.
        cuts: what role failover_test has left.

    Raises:
        HostAnswerError: something in it has another form, or is missing.
    """
    problems = check_value(_without_nulls(cuts), CUTS, Place.of("failover"))
    if not problems and isinstance(cuts, Sequence):
        for index, cut in enumerate(cuts):
            here = Place.of("failover", index)
            problems += [Problem(here.at(name), "is required") for name in sorted(_CUT_NEEDS - cut.keys())]
            problems += [
                Problem(here.at("samples", number), "is no pair of times")
                for number, sample in enumerate(cut.get("samples", ()))
                if len(sample) != 2 or not _is_time(sample[0]) or not (sample[1] is None or _is_time(sample[1]))
            ]
    refuse(host, problems, "figures")


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_nulls(value: Any) -> Any:
    """Return a copy without nulls in dictionaries: they say that something is not known."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nulls(item) for item in value]
    return value
