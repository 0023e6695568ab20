# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.assign_ids: write the ids that are missing into the intent's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import known_record, recorded_hosts
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, failing, refused
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.assign_ids import AssignError, with_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.ids import missing_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures, intent_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.departures import carried_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent

FAILURES = Failures(AnsibleError, AnsibleUndefinedVariable)


class ActionModule(ControllerAction):
    """Assign ids."""

    OPTIONS: ClassVar[Options] = {"files": {"type": "list", "elements": "path"}, "applied": {"type": "path"}}

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return C(changed) when an id was written, and the ids."""
        raw, _unread = intent_of(known, self._templar.template, FAILURES)
        intent, _problems = check_intent(raw)
        applied = applied_of_run(known, options["applied"])
        # Hosts that could not be cleaned may come back with their addresses.
        nodes, links = carried_ids({host: known_record(applied, host) for host in recorded_hosts(applied)}, raw.get("xgn_nodes") or {})
        patterns = [link.id for link in [*intent.links, *intent.retired.links] if link.pattern]
        missing = missing_ids(raw, [*patterns, *links], nodes)
        files = [Path(name) for name in options["files"] or []] or _intent_files(Path(str(known.get("inventory_dir") or ".")))
        left = list(missing)
        diffs: list[dict[str, str]] = []
        for path in files:
            with failing(f"No id was written into {path}", AssignError):
                before = path.read_text(encoding="utf-8")
                after, done = with_ids(before, left)
                if done and not self.check_mode:
                    path.write_text(after, encoding="utf-8")
            left = [item for item in left if item not in done]
            if done:
                diffs.append({"before_header": str(path), "after_header": str(path), "before": before, "after": after})
        result = {
            "changed": len(left) < len(missing),
            "assigned": {f"{item.path}.id": item.proposal for item in missing if item not in left},
            **({"diff": diffs} if self._task.diff else {}),
        }
        if left:
            where = ", ".join(str(item.path) for item in left)
            searched = ", ".join(str(path) for path in files) or "any file"
            remedy = "Remedy: name the file with option files, or write the id by hand."
            return refused(f"No id was written for {where}: not found in {searched}. {remedy}", **result)
        return {**result, "msg": f"{len(missing)} id{'' if len(missing) == 1 else 's'} written." if missing else "Every entry has its id."}


def _intent_files(inventory: Path) -> list[Path]:
    """Return the files Ansible reads for group all, beside the inventory."""
    beside = inventory / "group_vars"
    found = [path for path in (beside / "all", beside / "all.yml", beside / "all.yaml") if path.is_file()]
    if (beside / "all").is_dir():
        found += sorted(path for path in (beside / "all").rglob("*") if path.is_file() and path.suffix in ("", ".yml", ".yaml"))
    return found
