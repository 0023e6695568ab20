# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.failover_report: a table, the figures and a plot of what role failover_test measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.failover import Cut, plot, problem_of, table

FACT = "failover_test_results"


class ActionModule(ActionBase):
    """Reads fact C(failover_test_results) of every host; makes no remote call."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write C(failover.json) and C(failover.svg), print the table, fail if a recovery took too long."""
        known = task_vars or {}
        result: dict[str, Any] = super().run(tmp, known)
        validation, arguments = self.validate_argument_spec(
            {"dest": {"type": "path", "required": True}, "hosts": {"type": "list", "elements": "str", "required": True}}
        )
        cuts: list[Cut] = []
        for host in arguments["hosts"]:
            cuts += json.loads(json.dumps(known["hostvars"][host].get(FACT) or [], default=str))
        directory = Path(arguments["dest"]).expanduser().absolute()
        problems = [f"{cut['host']} {cut['tunnel']} {cut['method']}: {problem}" for cut in cuts if (problem := problem_of(cut))]
        if cuts:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                (directory / "failover.json").write_text(json.dumps(cuts) + "\n", encoding="utf-8")
                (directory / "failover.svg").write_text(plot(cuts), encoding="utf-8")
            except OSError as error:
                raise AnsibleActionFail(f"the report cannot be written: {error}") from error
            self._display.display("\n" + table(cuts) + f"\nPlot: {directory / 'failover.svg'}\n")
        else:
            self._display.display("\nNo pair of hosts has a reserve: nothing was cut.\n")
        text = "; ".join(problems) or f"{len(cuts)} cuts, all within their limit"
        result.update(changed=False, failed=bool(problems), msg=text, figures=[without_samples(cut) for cut in cuts])
        return result


def without_samples(cut: Cut) -> Cut:
    """Return a cut's figures without the single probes."""
    return {key: value for key, value in cut.items() if key != "samples"}
