# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.plan: compute the whole plan once, on the controller, and write it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible import context
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.template import Templar, trust_as_template
from ansible.utils.vars import load_extra_vars
from ansible_collections.xuegao.net.plugins.plugin_utils.common import run_directories
from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import MissingLibraryError
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import (
    Record,
    Seal,
    put_away,
    read_record,
    recorded_hosts,
    seal_of,
    unsealed,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import (
    ControllerAction,
    Options,
    failing,
    mistakes,
    refused,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_values import HostValues, is_encrypted, simple
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run, name_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import in_use, known_keys
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.inventory_hosts import unmatched
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.named_variables import named_variables, undefined
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import OVERRIDES, Layer, Resolver, is_layer, misspelt, read_layers
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures, intent_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.baseline import in_words
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import plan_changes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.life_cycle import Judgement, Run, former_records, judge
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.overrides import Catalog, Found, is_reference, with_overrides
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.overrides import sentences as told
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rollout import VARIABLE, Wish, make_rollout, read_wish, torn_apart
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rollout import misspelt as misspelt_rollout
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import secret
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.firewall import ssh_from_everywhere
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import write_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs, role_variables, variable_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.sealed_variables import sealed_variables

SPECS = own_role_specs()
# Below the working directory; behind it the inventory's name.
PLANS = Path("build", "plan")
UNRESOLVED = "(cannot be resolved)"

FAILURES = Failures(AnsibleError, AnsibleUndefinedVariable)


class ActionModule(ControllerAction):
    """Plan the network."""

    OPTIONS: ClassVar[Options] = {
        "directory": {"type": "path"},
        "rendered": {"type": "bool", "default": True},
        "vyos": {"type": "bool", "default": True},
        "drawing": {"type": "bool", "default": True},
        "key_registry": {"type": "path"},
        "applied": {"type": "path"},
        "needs_secrets": {"type": "bool", "default": False},
        "purpose": {"type": "str", "choices": ["plan", "apply", "retire", "look"], "default": "plan"},
        "interrupt": {"type": "bool", "default": False},
        "rollout": {"type": "raw"},
    }
    # What one host says would be the intent of all.
    VARIABLES = SPECS.options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Fail with all mistakes when the intent or the overrides have any; else write the plan and return what it means for the hosts."""
        hostvars = known.get("hostvars") or {}
        result: dict[str, Any] = {}
        wish, wrong = _wish(options["rollout"], known)
        layers, overriding = self._layers(hostvars)
        try:
            intent, unread = intent_of(known, self._templar.template, FAILURES)
            bare = make_plan(intent, unread)
        except IntentError as error:
            # Who uses them cannot be known without a plan.
            needed, others = _undefined_names(intent, {}, known)
            return {**_refused(sentences([*error.problems, *wrong]), told(overriding)), "warnings": sentences([*needed, *others])}
        except MissingLibraryError as error:
            return refused(str(error))
        overridden = with_overrides(bare, layers, self._catalog(hostvars))
        plan = overridden.plan
        overriding += overridden.mistakes
        needed, others = _undefined_names(intent, plan.hosts, known)
        if wrong or overriding or (needed and options["needs_secrets"]):
            return _refused(sentences([*wrong, *(needed if options["needs_secrets"] else ())]), told(overriding))
        applied = applied_of_run(known, options["applied"])
        records, unreadable = _records(applied, plan)
        judged = judge(plan, records, _run(options, known))
        warnings = (
            sentences([*needed, *others, *(unmatched(plan.hosts, hostvars, known, judged.retired) if hostvars else ())]) + judged.warnings
        )
        warnings += sentences(ssh_from_everywhere(plan.hosts))
        warnings += told([*overridden.remarks, *_unused(plan, layers, hostvars, load_extra_vars(self._loader))])
        against = judged.refused
        if wish is not None:
            hosts = [str(host) for host in known.get("ansible_play_hosts_all") or []]
            rollout = make_rollout(wish, plan.intent, hosts, _containers(known))
            result["rollout"] = asdict(rollout)
            against = [*against, *torn_apart(rollout, judged.together)]
            if wish.canary and rollout.batches and wish.canary not in rollout.batches[0].hosts:
                first = ", ".join(rollout.batches[0].hosts + rollout.batches[0].containers)
                warnings.append(f"{VARIABLE.at('canary')}: {wish.canary} is not in this run, so {first} goes first")
        if against:
            return {**result, **_refused(sentences(against)), "warnings": warnings}
        if self._task.diff or judged.retirement:
            warnings += unreadable
            changes, words = self._compare(applied, plan, bare, records, judged, known, warnings)
            result.update(changes=changes, **({"diff": {"prepared": words}} if self._task.diff else {}))
        if not self._task.diff:
            warnings += judged.told
        base = Path(options["directory"] or PLANS / name_of_run(known)).absolute()
        keys = self._public_keys(options["key_registry"], plan, known, warnings)
        shown = {name: options[name] for name in ("rendered", "vyos", "drawing")}
        with failing(f"cannot write the plan to {base}"):
            written = write_plan(plan, intent, base, keys, **shown, write=not self.check_mode)
        if written.no_drawing:
            warnings.append(f"no drawing: {written.no_drawing}")
        current = base / run_directories.CURRENT
        where = "not written: check mode" if self.check_mode else f"written to {current}"
        return {
            **result,
            "changed": written.changed,
            "msg": f"{len(plan.hosts)} hosts, {len(plan.intent.links)} links; {where}",
            "warnings": warnings,
            "directory": str(written.directory),
            "current": str(current),
            "hosts": list(plan.hosts),
            "peers": list(plan.peers),
            "tcp_mss": plan.tcp_mss,
            "retired": judged.retired,
            "retirement": judged.retirement,
            "identity": judged.told,
            "together": judged.together,
            "farewell": _farewell(judged, result),
            "overrides": {host: [f"{item.sentence} ({item.layer})" for item in found] for host, found in plan.overrides.items()},
        }

    def _layers(self, known: Mapping[str, Any]) -> tuple[dict[str, list[Layer]], list[Found]]:
        """Return the overrides of each host of the inventory that has any, and every mistake of form."""
        of_the_run = load_extra_vars(self._loader)
        options = {name: spec for name, spec in SPECS.options.items() if SPECS.may_be_overridden(name)}
        layers: dict[str, list[Layer]] = {}
        wrong: list[Found] = []
        for host in known:
            own = _variables_of(host, known)
            refuse_facts_as_variables({**own, "inventory_hostname": host}, SPECS.options)
            if not any(map(is_layer, own)):
                wrong += [Found(host, problem) for problem in misspelt(own)]
                continue
            values = self._values(own, known)
            found, problems = read_layers(own, of_the_run, options, Resolver(values.resolved, values.is_vaulted, FAILURES, own))
            wrong += [Found(host, problem) for problem in problems]
            if found:
                layers[host] = found
        return layers, wrong

    def _catalog(self, known: Mapping[str, Any]) -> Catalog:
        """Return what the overrides are judged by."""
        beside: dict[str, dict[str, Any]] = {}
        of_the_run = load_extra_vars(self._loader)

        def judge(host: str, variables: Mapping[str, Any]) -> Findings:
            if host not in beside:
                own = _variables_of(host, known)
                values = self._values(own, known)
                resolved = {name: _value(values, value) for name, value in role_variables(own, SPECS).items()}
                beside[host] = {name: value for name, value in resolved.items() if value != UNRESOLVED}
            return variable_problems({**beside[host], **variables}, SPECS)

        def has_another(host: str, name: str, value: Any) -> bool:
            # What the command line gives stands over the override, and contradicts nothing.
            return name not in of_the_run and _has_another(_variables_of(host, known), name, value)

        return Catalog(SPECS.options, SPECS.defaults, judge, has_another)

    def _values(self, own: Mapping[str, Any], known: Mapping[str, Any]) -> HostValues:
        return HostValues(own, Templar(loader=self._loader, variables={**own, "hostvars": known}).template)

    def _compare(
        self,
        directory: Path,
        plan: Plan,
        bare: Plan,
        records: Mapping[str, Record],
        judged: Judgement,
        variables: dict[str, Any],
        warnings: list[str],
    ) -> tuple[dict[str, list[str]], str]:
        """Compare with what each host last applied. Returns the changes by host, and all of it in words. bare: the plan without its overrides."""
        known = variables.get("hostvars") or {}
        seal = seal_of(directory, make=False)
        former = former_records(plan, records)
        renamed = {node.name: node.was for node in plan.intent.nodes.values()}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        planned: dict[str, Any] = {}
        # Hosts whose secrets cannot be compared, and those that are in the inventory no more.
        hidden: list[str] = []
        left: list[str] = []
        for host in dict.fromkeys([*plan.hosts, *(host for host in records if host not in judged.elsewhere)]):
            record = former.get(host) or records.get(host)
            # A host of the inventory that is no node has its own variables alone.
            if host in plan.hosts or host in known:
                # The digest of a secret is one of the host's name, too.
                name = host if host in records else renamed.get(host) or host
                after[host], unknown = self._after(host, plan.hosts.get(host, {}), known, seal, name)
                hidden += [host] if unknown else []
                if host in plan.overrides:
                    planned[host], _unknown = self._after(host, bare.hosts[host], known, seal, name)
            if record is None:
                continue
            if host not in after:
                left.append(host)
                before[host] = {}
            elif record.applied:
                before[host] = dict(record.variables)
                if record.key != seal.id and host not in hidden:
                    hidden.append(host)
                if host in hidden:
                    before[host], after[host] = unsealed(before[host]), unsealed(after[host])
                    planned.update({host: unsealed(planned[host])} if host in planned else {})
                if host not in known:
                    # A slice of the inventory: what stands with the host itself is not known here, so it is no change.
                    before[host] = {name: value for name, value in before[host].items() if name in after[host]}
        changes = plan_changes(before, after, planned)
        shown = {host: record for host in after if (record := former.get(host) or records.get(host))} | {
            host: records[host] for host in left
        }
        words = in_words(shown, [*plan.hosts], changes, [host for host in hidden if host in before], judged.told, plan.overrides)
        # Said once. `site` reads the plan in check mode, too, and is to leave everything there as it is.
        if known and not self.check_mode and not context.CLIARGS.get("check"):
            warnings += _put_away(directory, left)
        return changes, words

    def _after(
        self, host: str, planned: Mapping[str, Any], known: Mapping[str, Any], seal: Seal, name: str
    ) -> tuple[dict[str, Any], list[str]]:
        """Return what a host is to apply, sealed in a name, and the names of secrets that are not known.

        Its variables are those of the roles by Ansible's precedence: its own, the plan's, those of the command line.
        """
        own = _variables_of(host, known)
        extra = load_extra_vars(self._loader)
        given = {**own, **{name: value for name, value in planned.items() if name not in extra}}
        values = self._values(own, known)
        unknown: list[str] = []

        def resolve(name: str, value: Any) -> Any:
            return _resolved(value, values, own, unknown) if name in planned and name not in extra else _value(values, value)

        return sealed_variables(name, given, values, SPECS, seal, resolve), unknown

    def _public_keys(self, registry: str | None, plan: Plan, variables: dict[str, Any], warnings: list[str]) -> dict[str, dict[str, str]]:
        """Return the public keys the hosts told so far, for the other side's configuration. A torn file must not hold up the run that writes it anew."""
        beside = Path(str(variables.get("inventory_dir") or ".")) / "wireguard_keys"
        path = Path(registry) if registry else beside
        if not path.is_dir():
            return {}
        try:
            return {host: in_use(known_keys(path, host, "wireguard", warnings.append, former_name(host, variables))) for host in plan.hosts}
        except ValueError as error:
            # A name that would be a file elsewhere.
            raise AnsibleError(str(error)) from None


def _farewell(judged: Judgement, result: Mapping[str, Any]) -> list[str]:
    """Return what the retirement of nodes means, in sentences: for them, then for all hosts that stay. Nothing where no node leaves."""
    leaving = [line for item in judged.retirement.values() for line in item["lines"]]
    others = [f"{host}: {line}" for host, lines in result.get("changes", {}).items() for line in lines]
    return [*leaving, *others] if leaving else []


def _records(directory: Path, plan: Plan) -> tuple[dict[str, Record], list[str]]:
    """Return what every host applied that has a record, and what is to be said of records that cannot be read."""
    renamed = [node.was for node in plan.intent.nodes.values() if node.was]
    found: dict[str, Record] = {}
    unreadable = []
    for host in dict.fromkeys([*plan.hosts, *renamed, *plan.intent.retired.nodes, *recorded_hosts(directory)]):
        try:
            record = read_record(directory, host)
        except (OSError, ValueError) as error:
            unreadable.append(f"{host}: {error}")
            continue
        if record is not None:
            found[host] = record
    return found, unreadable


def _run(options: Mapping[str, Any], variables: Mapping[str, Any]) -> Run:
    known = variables.get("hostvars") or {}
    reached_by = {host: _variables_of(host, known).get("ansible_host") for host in known}
    plain = {host: address for host, address in reached_by.items() if isinstance(address, str)}
    return Run(options["purpose"], options["interrupt"], list(known), variables.get("ansible_play_hosts_all") or list(known), plain)


def _containers(variables: Mapping[str, Any]) -> set[str]:
    """Return the hosts that are routers in containers."""
    return {str(name) for name in (variables.get("groups") or {}).get("containers", ())}


def _wish(written: object, variables: Mapping[str, Any]) -> tuple[Wish | None, list[Problem]]:
    """Return what is wished of a rollout, None where there is to be none, and the mistakes in it."""
    # What an inventory says is taken back by `--extra-vars xgn_rollout=`; an empty dictionary has all its defaults.
    if written is None or written is False or written == "":
        return None, [] if written is None else list(misspelt_rollout(variables))
    known = (variables.get("groups") or {}).get("all") or variables.get("ansible_play_hosts_all") or ()
    return read_wish(plain(written), {str(name) for name in known} - _containers(variables))


def _variables_of(host: str, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a host's own variables as they are written, since a default is told by that, and what comes from a vault."""
    # Not `get`: Ansible's own mapping gives something for a host that it does not know, too.
    if host not in known:
        return {}
    raw = getattr(known, "raw_get", None)
    found: Mapping[str, Any] = raw(host) if raw else known[host]
    return found


def _value(values: HostValues, value: Any) -> Any:
    try:
        return values.resolved(value)
    except AnsibleError:
        # `site` refuses it; here it only must not pass for what was applied.
        return UNRESOLVED


def _resolved(value: Any, values: HostValues, own: Mapping[str, Any], unknown: list[str]) -> Any:
    """Return a planned value with the secrets that it refers to.

    Parameters:
        value: as planned.
        values: resolve those secrets.
        own: the host's own variables.
        unknown: gets the names of the secrets that the host lacks.
    """
    if isinstance(value, Mapping):
        return {str(key): _resolved(item, values, own, unknown) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolved(item, values, own, unknown) for item in value]
    name = value.removeprefix("{{ ").removesuffix(" }}") if isinstance(value, str) else ""
    if is_reference(value):
        found = _value(values, trust_as_template(value))
    elif not name or value != secret(name):
        return simple(value)
    else:
        found = _value(values, own[name]) if name in own else UNRESOLVED
    if found == UNRESOLVED:
        unknown.append(name)
    return found


def _put_away(directory: Path, hosts: Sequence[str]) -> list[str]:
    """Put away the records of hosts that are in the inventory no more. Returns what is to be said of it."""
    found = []
    for host in hosts:
        try:
            put_away(directory, host)
        except OSError as error:
            found.append(f"{host} is in the inventory no more, and its record cannot be put away: {error}")
    return found


def _refused(of_intent: Sequence[str], of_overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the task answers, which names what has the mistakes."""
    where = "the intent and its overrides" if of_intent and of_overrides else "the overrides" if of_overrides else "the intent"
    return mistakes([*of_intent, *of_overrides], where)


def _has_another(own: Mapping[str, Any], name: str, value: Any) -> bool:
    """Tell whether a host has a variable of its own that says something else than the plan. One that is encrypted is not read for that."""
    if own.get(name) is None:
        return False
    try:
        return is_encrypted(own[name]) or simple(own[name]) != value
    except AnsibleError:
        # A part of it is encrypted.
        return True


def _unused(plan: Plan, layers: Mapping[str, Sequence[Layer]], known: Mapping[str, Any], of_the_run: Collection[str]) -> Iterator[Found]:
    """Return what to say of variables beside the plan's: those of the command line win, the host's own do nothing, nor do overrides of no node.

    of_the_run: names of the variables that the command line gives.
    """
    used = {layer.name for host, found in layers.items() if host in plan.hosts for layer in found}
    for host in known:
        if host in plan.hosts:
            own = _variables_of(host, known)
            for name, value in plan.hosts[host].items():
                if not _has_another(own, name, value):
                    continue
                if name in of_the_run:
                    text = "is given on the command line and counts as a whole, in place of the plan's value"
                    hint = (
                        "it is for this run: verify and the next site go by the plan unless they are given it, too. "
                        f"To keep it, or to change a part, write {OVERRIDES}"
                    )
                    yield Found(host, Problem(Place.of(name), text, hint=hint))
                else:
                    text = "stands among the host's own variables and does nothing, as the plan has another value"
                    yield Found(host, Problem(Place.of(name), text, hint=f"write it in {OVERRIDES}, and it lies over the plan"))
        else:
            for layer in layers.get(host, ()):
                if layer.name not in used:
                    text = "lies over nothing: the host is no node of the plan"
                    yield Found(host, Problem(Place.of(layer.name), text, hint="give it the roles' variables themselves"))


def _undefined_names(
    intent: Mapping[str, Any], planned: Mapping[str, Any], variables: Mapping[str, Any]
) -> tuple[list[Problem], list[Problem]]:
    """Return the problem of each variable that the intent names and no host of this run has; one that only some have is judged on each host.

    Those that a host of this run uses come first; the others, of hosts that a slice of the inventory lacks or that nobody manages, are second.
    """
    missing = [(path, name) for path, name in named_variables(intent) if name not in variables]
    if not missing:
        return [], []
    known = variables.get("hostvars") or {}
    hosts = [host for host in planned or known if host in known]
    elsewhere = {str(name) for host in hosts for name in known[host]}
    used = json.dumps([planned[host] for host in hosts if host in planned])
    found: tuple[list[Problem], list[Problem]] = [], []
    for path, name in missing:
        if name not in elsewhere:
            found[secret(name) not in used].append(undefined(path, name, {*variables, *elsewhere}))
    return found
