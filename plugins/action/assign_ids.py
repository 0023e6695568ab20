# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.assign_ids: write the ids that are missing into the intent's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import known_record, recorded_hosts
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import refuse_facts_as_variables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_of_run
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.assign_ids import AssignError, with_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.ids import missing_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures, intent_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.departures import carried_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent

FAILURES = Failures(AnsibleError, AnsibleUndefinedVariable)


class ActionModule(ActionBase):
    """Assign ids."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: changed when an id was written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(
            argument_spec={"files": {"type": "list", "elements": "path"}, "applied": {"type": "path"}}
        )
        variables = task_vars or {}
        # The intent has no names but xgn_*.
        refuse_facts_as_variables(variables, ())
        raw, _unread = intent_of(variables, self._templar.template, FAILURES)
        intent, _problems = check_intent(raw)
        applied = applied_of_run(variables, options["applied"])
        # Hosts that could not be cleaned may come back with their addresses.
        nodes, links = carried_ids({host: known_record(applied, host) for host in recorded_hosts(applied)}, raw.get("xgn_nodes") or {})
        patterns = [link.id for link in [*intent.links, *intent.retired.links] if link.pattern]
        missing = missing_ids(raw, [*patterns, *links], nodes)
        files = [Path(name) for name in options["files"] or []] or _intent_files(Path(str(variables.get("inventory_dir") or ".")))
        left = list(missing)
        diffs: list[dict[str, str]] = []
        for path in files:
            try:
                before = path.read_text(encoding="utf-8")
                after, done = with_ids(before, left)
                if done and not self._task.check_mode:
                    path.write_text(after, encoding="utf-8")
            except (OSError, AssignError) as error:
                raise AnsibleError(f"No id was written into {path}: {error}") from None
            left = [item for item in left if item not in done]
            if done:
                diffs.append({"before_header": str(path), "after_header": str(path), "before": before, "after": after})
        result["changed"] = len(left) < len(missing)
        result["assigned"] = {f"{item.path}.id": item.proposal for item in missing if item not in left}
        if self._task.diff:
            result["diff"] = diffs
        if left:
            where = ", ".join(str(item.path) for item in left)
            searched = ", ".join(str(path) for path in files) or "any file"
            return {
                **result,
                "failed": True,
                "msg": f"No id was written for {where}: not found in {searched}. Remedy: name the file with option files, or write the id by hand.",
            }
        result["msg"] = f"{len(missing)} id{'' if len(missing) == 1 else 's'} written." if missing else "Every entry has its id."
        return result


def _intent_files(inventory: Path) -> list[Path]:
    """Return the files Ansible reads for group all, beside the inventory."""
    beside = inventory / "group_vars"
    found = [path for path in (beside / "all", beside / "all.yml", beside / "all.yaml") if path.is_file()]
    if (beside / "all").is_dir():
        found += sorted(path for path in (beside / "all").rglob("*") if path.is_file() and path.suffix in ("", ".yml", ".yaml"))
    return found
