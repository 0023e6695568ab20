# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan was compared with, and what changes, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Moment, Record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import shown
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Override


def in_words(
    records: Mapping[str, Record],
    hosts: Sequence[str],
    changes: Mapping[str, Sequence[str]],
    hidden: Sequence[str],
    identity: Sequence[str] = (),
    overrides: Mapping[str, Sequence[Override]] | None = None,
) -> str:
    """Return what each host was compared with, what changes its identity, then its changes, then its overrides whether they are new or not, a line each.

    Parameters:
        records: what the hosts applied, of those that have a record.
        hosts: the hosts of the plan.
        changes: sentences by host, as `plan_changes` gives them.
        hidden: hosts whose secrets cannot be compared.
        identity: sentences that concern several hosts, or what a host is.
        overrides: by host, as `Plan.overrides` has them.
    """
    # A run comes to its end on one host after the other: it is told once, with the last of these times.
    runs: dict[str, dict[str, Moment]] = {}
    for host, record in records.items():
        if record.applied:
            runs.setdefault(record.applied.run, {})[host] = record.applied
    lines = [
        f"Compared with what {_names(found)} applied at {_moment(max(found.values(), key=lambda moment: moment.at))}."
        for found in runs.values()
    ]
    if unknown := [host for host in hosts if host not in records or not records[host].applied]:
        lines.append(f"Nothing is recorded as applied by {_names(unknown)}: all of the plan is new there.")
    lines += [
        f"{host}: a {'later ' if record.applied else ''}run {record.what}, at {_moment(record.later)}; the host may have parts of it already."
        for host, record in records.items()
        if record.later
    ]
    if hidden:
        lines.append(f"Whether secrets of {_names(hidden)} changed cannot be told: they, or the key of their digests, are not here.")
    sentences = [f"{host}: {sentence}" for host, found in changes.items() for sentence in found]
    lines += [*identity, *(sentences or ["No host changes."])]
    if overrides:
        lines.append("Overrides, over what the intent alone comes to:")
        lines += [f"{host}: {item.sentence} ({item.layer})" for host, found in overrides.items() for item in found]
    return "\n".join([*lines, ""])


def _names(hosts: Iterable[str]) -> str:
    return ", ".join(hosts)


def _moment(moment: Moment) -> str:
    return f"{shown(moment.at)} (run {moment.run}, {moment.by}, inventory {moment.inventory})"
