# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people write over a plan: merged by key, held to what the intent decides, checked like every variable, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface
from typing import Any, NamedTuple, cast

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import ANY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.cycle_collector import without_collection
from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.merge import (
    Branch,
    Leaf,
    Node,
    Removed,
    Shape,
    Spec,
    contradictions,
    key_path,
    merge,
    part_at,
    spec_of,
    tree_of,
    value_of,
    written_at,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.natural_order import natural_order
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import OVERRIDES, Layer, Rank, reference
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import plan_changes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.fixed import FIXED, Fixed, Hold, Path, option_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Override, Plan

_REFERENCE = reference(Place.of(OVERRIDES)).removesuffix(" }}")
TOLD = "verify_overrides"
"""The variable in which a host's overrides are told to role verify, whose report shows them."""


class Found(NamedTuple):
    """A mistake, or something worth telling, of the overrides of a host."""

    host: str
    problem: Problem


@dataclass(frozen=True)
class Catalog:
    """What is known of the roles' variables.

    Attributes:
        options: as in their ``meta/argument_specs.yml``.
        defaults: what a role takes where nobody gives it anything, as it is written there.
        judge: finds the mistakes in the variables of a host: those that it has beside the plan, under these.
        has_another: tells whether a host has a variable beside the plan that says something else than this value.
    """

    options: Mapping[str, Spec]
    defaults: Mapping[str, Any]
    judge: Callable[[str, Mapping[str, Any]], Iterable[Problem]]
    has_another: Callable[[str, str, Any], bool]


@dataclass
class Overridden:
    """A plan with overrides.

    Attributes:
        plan: with them.
        mistakes: all of them; the plan is not to be used when there is one.
        remarks: what does nothing, and may be left from former times.
    """

    plan: Plan
    mistakes: list[Found] = field(default_factory=list)
    remarks: list[Found] = field(default_factory=list)


def with_overrides(plan: Plan, layers: Mapping[str, Sequence[Layer]], catalog: Catalog) -> Overridden:
    """Return a plan with the overrides of its hosts.

    Parameters:
        plan: as the intent alone comes to.
        layers: the overrides by host, lowest first; hosts that are not planned are left out.
        catalog: of the roles' variables.
    """
    result = Overridden(plan)
    hosts = dict(plan.hosts)
    told: dict[str, list[Override]] = {}
    with without_collection():
        for host, found in layers.items():
            if host in plan.hosts and any(layer.tree.parts for layer in found):
                hosts[host], told[host] = _Host(host, plan, catalog, result).lay(found)
    result.plan = replace(plan, hosts=hosts, overrides={host: words for host, words in told.items() if words})
    result.mistakes += _taken_addresses(plan, result.plan)
    return result


def sentences(found: Iterable[Found]) -> list[str]:
    """Return one line for each mistake or remark, after the names of the hosts of which it is true."""
    hosts: dict[Problem, list[str]] = {}
    for item in found:
        if item.host not in (names := hosts.setdefault(item.problem, [])):
            names.append(item.host)
    ordered = sorted(hosts, key=lambda problem: (natural_order(str(problem.path)), str(problem)))
    return [f"{', '.join(hosts[problem])}: {problem}" for problem in ordered]


class _Host:
    def __init__(self, host: str, plan: Plan, catalog: Catalog, result: Overridden) -> None:
        self.host, self.intent, self.catalog = host, plan.intent, catalog
        self.planned = cast(Mapping[str, Any], plan.hosts[host])
        self.mistakes: list[Problem] = []
        self.result = result

    def lay(self, layers: Sequence[Layer]) -> tuple[HostVariables, list[Override]]:
        """Lay the layers over the plan of the host. Returns its variables, and its overrides in words."""
        self._contradictions(layers)
        names = list(dict.fromkeys(str(name) for layer in layers for name in layer.tree.parts))
        below = {name: value for name in names if (value := self._base(name)) is not None}
        spec: Spec = {"type": "dict", "options": self.catalog.options}
        base = tree_of(below, spec)
        over = Branch(Shape.KEYS)
        stages: list[tuple[Layer, Mapping[str, Any]]] = []
        for layer in layers:
            over = cast(Branch, merge(over, layer.tree))
            stages.append((layer, value_of(merge(base, over))))
        walk = _Walk(self.intent, self.host, self.planned)
        walk.branch(over, base, spec, (), ())
        self.mistakes += walk.mistakes
        merged = merge(base, over)
        values: dict[str, Any] = value_of(merged)
        variables = {name: value for name, value in {**self.planned, **values}.items() if name in values or name not in names}
        for name in names:
            if name not in self.planned and name in values and self.catalog.has_another(self.host, name, values[name]):
                text = "is no variable of the plan, and the host has it among its own variables already"
                self.mistakes.append(Problem(over.parts[name].place or Place(), text, hint="write it there"))
        self._judge(base, merged, variables)
        words = list(self._words(below, stages))
        if words:
            variables[TOLD] = [f"{item.sentence} ({item.layer})" for item in words]
        self.result.mistakes += [Found(self.host, problem) for problem in self.mistakes]
        self.result.remarks += [Found(self.host, problem) for problem in walk.remarks]
        return cast(HostVariables, variables), words

    def _contradictions(self, layers: Sequence[Layer]) -> None:
        """Report what two variables of one rank say differently, unless a higher one decides it."""
        for rank in Rank:
            higher: Node = Branch(Shape.KEYS)
            for layer in layers:
                higher = merge(higher, layer.tree) if layer.rank > rank else higher
            so_far: Node = Branch(Shape.KEYS)
            for layer in (layer for layer in layers if layer.rank is rank):
                for keys, one, other in contradictions(so_far, layer.tree):
                    if part_at(higher, keys) is None:
                        decide = f"say it once, or in {OVERRIDES}, which lies over both" if rank is Rank.SHARED else "say it once"
                        hint = f"{one.place} says something else, and neither lies over the other; {decide}"
                        self.mistakes.append(Problem(other.place or Place(), "contradicts another override", _shown(other), hint))
                so_far = merge(so_far, layer.tree)

    def _base(self, name: str) -> Any:
        """Return what an override of a variable lies over: what is planned, or else what the role itself takes."""
        if name in self.planned:
            return self.planned[name]
        default = self.catalog.defaults.get(name)
        return None if not default or (isinstance(default, str) and "{{" in default) else default

    def _judge(self, base: Node, merged: Node, variables: Mapping[str, Any]) -> None:
        """Report the mistakes in the variables that are not in the plan's own, each where it was written."""
        found = [problem for problem in self.catalog.judge(self.host, variables) if not _is_hidden(merged, problem.path)]
        if not found:
            return
        told = Findings(self.mistakes)
        before = {(key_path(base, problem.path), problem.message, problem.value) for problem in self.catalog.judge(self.host, self.planned)}
        for problem in found:
            if (key_path(merged, problem.path), problem.message, problem.value) in before:
                continue
            place = written_at(merged, problem.path)
            if place is None:
                hint = f"{problem.hint}; " if problem.hint else ""
                self.mistakes.append(replace(problem, hint=f"{hint}it comes of an override of this host"))
            elif not told.explains(place):
                self.mistakes.append(replace(problem, path=place, meant=None))

    def _words(self, below: Mapping[str, Any], stages: Sequence[tuple[Layer, Mapping[str, Any]]]) -> Iterator[Override]:
        before = _covered(below)
        for layer, value in stages:
            after = _covered(value)
            for sentence in plan_changes({self.host: before}, {self.host: after}).get(self.host, ()):
                yield Override(layer.name, sentence)
            before = after


@dataclass
class _Walk:
    """Compares what overrides say with what they lie over.

    Attributes:
        intent, host, planned: the network, the host, its variables as planned.
        mistakes: what the intent decides, and entries that are neither planned nor whole.
        remarks: what does nothing.
    """

    intent: Intent
    host: str
    planned: Mapping[str, Any]
    mistakes: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def branch(self, over: Branch, base: Node | None, spec: Spec, path: Path, entries: tuple[Mapping[str, Any], ...]) -> None:
        """Compare what consists of parts. path, entries: as in `fixed.option_of`."""
        below = base.parts if isinstance(base, Branch) else {}
        if over.alone:
            for key, part in below.items():
                if key not in over.parts:
                    self._goes(part, (*path, str(key)) if over.shape is Shape.KEYS else path, entries, over.place)
        for key, part in over.parts.items():
            there = below.get(key)
            if over.shape is Shape.KEYS:
                self._part(part, there, spec_of(spec, str(key)), (*path, str(key)), entries, told=over.alone or _tells(entries, key, path))
            elif over.shape is Shape.ENTRIES:
                self._entry(part, there, {"type": "dict", "options": spec.get("options", {})}, path, entries, over.name)
            else:
                self._value(part, there, path, entries, listed=base is not None, told=over.alone)

    def _part(self, over: Node, base: Node | None, spec: Spec, path: Path, entries: tuple[Mapping[str, Any], ...], *, told: bool) -> None:
        if isinstance(over, Branch):
            self.branch(over, base, spec, path, entries)
        elif isinstance(over, Removed):
            if base is None:
                self._nothing_there(over.place, path[-1])
            else:
                self._goes(base, path, entries, over.place)
        elif base is not None and value_of(base) == over.value:
            if not told:
                self._no_news(over)
        elif (fixed := FIXED.get(path)) and self._is_planned(path, entries) and not (fixed.hold is Hold.KEPT and base is not None):
            self._refuse(fixed, path, entries, over.place, over)

    def _entry(self, over: Node, base: Node | None, spec: Spec, path: Path, entries: tuple[Mapping[str, Any], ...], name: str) -> None:
        if isinstance(over, Removed):
            if base is None:
                self._nothing_there(over.place, "such entry")
            else:
                self._goes(base, path, (*entries, value_of(base)), over.place)
        elif isinstance(over, Branch):
            if base is not None:
                if set(over.parts) <= set(ENTRIES[name].keys):
                    self.remarks.append(Problem(over.place or Place(), "says nothing of its entry", hint="leave it out"))
                self.branch(over, base, spec, path, (*entries, value_of(base)))
                return
            missing = [key for key, option in spec["options"].items() if option.get("required") and key not in over.parts]
            if missing:
                text = f"names no entry of the plan ({ENTRIES[name].name_of(value_of(over))})"
                hint = f"correct what tells it from the others; a new one needs {', '.join(missing)}, too"
                self.mistakes.append(Problem(over.place or Place(), text, hint=hint))

    def _value(
        self, over: Node, base: Node | None, path: Path, entries: tuple[Mapping[str, Any], ...], *, listed: bool, told: bool
    ) -> None:
        if isinstance(over, Removed):
            if base is None:
                self._nothing_there(over.place, "such value")
            else:
                self._goes(base, path, entries, over.place)
        elif isinstance(over, Leaf):
            fixed = FIXED.get(path)
            if base is not None:
                if not told:
                    self._no_news(over)
            elif fixed and fixed.hold is Hold.CLOSED and listed and self._is_planned(path, entries):
                self._refuse(fixed, path, entries, over.place, over)

    def _goes(self, base: Node, path: Path, entries: tuple[Mapping[str, Any], ...], place: Place | None) -> None:
        """Report that something fixed is taken away, itself or as a part."""
        fixed = _held(base, path)
        if fixed is not None and self._is_planned(path, entries):
            self._refuse(fixed, path, entries, place, None)

    def _is_planned(self, path: Path, entries: Sequence[Mapping[str, Any]]) -> bool:
        """Tell whether what holds a value is planned: something that a person adds is theirs."""
        return path[0] in self.planned and (len(path) == 1 or bool(entries) or isinstance(self.planned[path[0]], Mapping))

    def _refuse(self, fixed: Fixed, path: Path, entries: Sequence[Mapping[str, Any]], place: Place | None, over: Node | None) -> None:
        option = option_of(fixed, self.intent, self.host, path, entries)
        what = "takes away what the intent decides" if over is None else "is decided by the intent"
        text = f"{what}, and others are planned by it"
        self.mistakes.append(Problem(place or Place(), text, "" if over is None else _shown(over), f"change {option} in its place"))

    def _nothing_there(self, place: Place | None, what: str) -> None:
        self.remarks.append(
            Problem(place or Place(), f"removes nothing: the plan has no {what} there", hint="is it left from former times?")
        )

    def _no_news(self, over: Leaf) -> None:
        self.remarks.append(Problem(over.place or Place(), "says what the plan says already", _shown(over), "leave it out"))


def _tells(entries: Sequence[Mapping[str, Any]], key: object, path: Path) -> bool:
    """Tell whether a key is one of those that tell the entry at hand from others."""
    return bool(entries) and bool(path) and path[-1] in ENTRIES and key in ENTRIES[path[-1]].keys


def _held(base: Node, path: Path) -> Fixed | None:
    """Return what is fixed about a part of the plan, itself or in it."""
    if path in FIXED:
        return FIXED[path]
    if isinstance(base, Branch):
        for key, part in base.parts.items():
            found = _held(part, (*path, str(key)) if base.shape is Shape.KEYS else path)
            if found is not None:
                return found
    return None


def _shown(node: Node) -> str:
    value = value_of(node)
    return show(ANY if is_reference(value) else value) if isinstance(node, Leaf) and not isinstance(value, (dict, list)) else ""


def is_reference(value: object) -> bool:
    """Tell whether a value of the plan refers to what only the host's own variables hold."""
    return isinstance(value, str) and value.startswith(_REFERENCE)


def _is_hidden(merged: Node, place: Place) -> bool:
    """Tell whether a value is known on the host alone, where it is judged."""
    value = value_of(merged)
    for key in place.keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return is_reference(value)


def _covered(value: Any) -> Any:
    """Return a copy in which a word stands for what only the host knows."""
    if isinstance(value, Mapping):
        return {key: _covered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_covered(item) for item in value]
    return ANY if is_reference(value) else value


def _taken_addresses(planned: Plan, plan: Plan) -> Iterator[Found]:
    """Report each address that an override adds and another node has."""
    added = [
        (host, interface["name"], text)
        for host in plan.overrides
        for interface in plan.hosts[host].get("frr_interfaces", [])
        for text in interface.get("addresses", [])
        if text not in _addresses(planned.hosts[host], interface["name"])
    ]
    if not added:
        return
    owners: dict[str, set[str]] = {}
    for host, variables in {**plan.peers, **plan.hosts}.items():
        for interface in variables.get("frr_interfaces", []):
            for text in interface.get("addresses", []):
                if bare := _bare(text):
                    owners.setdefault(bare, set()).add(host)
    for host, name, text in added:
        others = sorted(owners.get(_bare(text), set()) - {host})
        if others:
            message = f"of {name} is an address of {', '.join(others)} in this plan"
            yield Found(
                host, Problem(Place.of("frr_interfaces"), message, show(text), "write another one; it comes of an override of this host")
            )


def _addresses(variables: HostVariables, name: str) -> list[str]:
    return [
        text for interface in variables.get("frr_interfaces", []) if interface["name"] == name for text in interface.get("addresses", [])
    ]


def _bare(text: str) -> str:
    """Return an address without its length; nothing for one that means something on its own link only, and for what is none."""
    try:
        address = ip_interface(text).ip
    except ValueError:
        return ""
    return "" if address.is_link_local else str(address)
