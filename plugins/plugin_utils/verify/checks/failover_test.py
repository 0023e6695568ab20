# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of role failover_test: what is wrong with a measured failover, if anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Check

FACT = "failover_test_results"
"""Where role failover_test leaves the cuts of a host."""
Cut = dict[str, Any]
"""Figures of module ``failover_cut`` with ``host, peer, tunnel, method, spacing_ms, detection_ms, limit_ms``."""


def failover_checks(host: str, cuts: Sequence[Cut]) -> list[Check]:
    """Return one check for each cut that was made from a host."""
    return [
        Check(
            host,
            f"Failover {cut['tunnel']} {cut['method']}",
            "failed" if problem_of(cut) else "passed",
            "",
            problem_of(cut) or figures(cut),
        )
        for cut in cuts
    ]


def problem_of(cut: Cut) -> str | None:
    """Return what is wrong with a failover, or None."""
    if not cut["recovered"]:
        return f"traffic did not come back within the time given ({cut['lost']} probes lost)"
    if cut["method"] != "wire" and cut["tunnel"] == cut["path_before"] == cut["path_cut"]:
        return f"the traffic stayed on {cut['tunnel']}, so the cut had no effect"
    if cut["outage_ms"] > cut["limit_ms"]:
        return f"traffic was away for {cut['outage_ms']} ms, more than 3 x {cut['detection_ms']} ms"
    if not cut["returned"]:
        return f"the traffic stayed on {cut['path_after']}, and did not return to {cut['path_before']}"
    if cut["return_outage_ms"] > cut["limit_ms"]:
        return f"on its return traffic was away for {cut['return_outage_ms']} ms, more than 3 x {cut['detection_ms']} ms"
    return None


def figures(cut: Cut) -> str:
    """Write what a cut cost in a sentence."""
    return (
        f"to {cut['peer']} by {cut['path_before']}, {cut['path_cut']} while cut, then {cut['path_after']}: {cut['lost']} probes lost, "
        f"{cut['outage_ms']} ms without an answer (limit {cut['limit_ms']} ms); on its return {cut['return_lost']}, {cut['return_outage_ms']} ms"
    )
