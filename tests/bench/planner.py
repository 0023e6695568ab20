# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure the planner: python tests/bench/planner.py. Prints ``name: value unit`` and writes build/bench.json.

Every network is planned and rendered in a process of its own, so that its peak memory is its own, and in the best of several runs.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(Path(__file__).parent)]

import networks
from ansible_collections.xuegao.net.plugins.filter.link_subnet import FilterModule
from ansible_collections.xuegao.net.plugins.plugin_utils.common.cycle_collector import without_collection
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.rollout import Wish, make_rollout
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files

CALLS = 20000
NETLAB_TIMEOUT = 600
# Name of the network, how it is made, and how often it is measured.
NETWORKS: dict[str, tuple[Any, int]] = {
    "mesh16": (lambda: networks.full_mesh(16), 5),
    "mesh50": (lambda: networks.full_mesh(50), 5),
    "hub250": (lambda: networks.hub_and_spoke(250), 5),
    "hub500": (lambda: networks.hub_and_spoke(500), 3),
    "hub1000": (lambda: networks.hub_and_spoke(1000), 3),
    "hub5000": (lambda: networks.hub_and_spoke(5000), 2),
}


def measure(name: str) -> dict[str, float]:
    """Plan and render a network.

    Returns:
        The wall time of both and of planning alone in s, the processor time in s, that of dividing the nodes into the batches of a rollout, the links, and
        the peak memory in MB, of the run with the least processor time.
    """
    make, times = NETWORKS[name]
    # Templates and schema are read once a process, whatever the network.
    warm = make_plan(networks.full_mesh(2))
    for host, variables in warm.hosts.items():
        list(rendered_files(host, variables))
    best: dict[str, float] = {}
    for _run in range(times):
        raw = make()
        start, busy = time.perf_counter(), time.process_time()
        plan = make_plan(raw)
        planned = time.perf_counter()
        size = 0
        with without_collection():
            for host, variables in plan.hosts.items():
                size += sum(len(text) for _path, text in rendered_files(host, variables))
        seconds = time.perf_counter() - start
        busy = time.process_time() - busy
        divided = time.process_time()
        make_rollout(Wish(None, ("25%", "100%")), plan.intent, list(plan.intent.nodes))
        divided = time.process_time() - divided
        if not best or busy < best["cpu"]:
            best = {"seconds": seconds, "cpu": busy, "planning": planned - start, "links": len(plan.intent.links), "characters": size}
            best["rollout"] = divided
    best["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return best


def filter_call() -> float:
    """Return the time of one call of filter link_subnet in µs, the best of five series."""
    link_subnet = FilterModule().filters()["link_subnet"]
    series = []
    for _run in range(5):
        start = time.perf_counter()
        for number in range(CALLS):
            link_subnet("10.128.0.0/9", number)
        series.append((time.perf_counter() - start) / CALLS * 1e6)
    return min(series)


def netlab() -> float | None:
    """Return the wall time of ``netlab create`` for the mesh of 50 in s; none where it is not installed.

    The variable NETLAB names the program where it is not on the path.
    """
    program = os.environ.get("NETLAB") or shutil.which("netlab")
    if not program:
        return None
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "topology.yml").write_text(networks.netlab_mesh(50), encoding="utf-8")
        environment = {**os.environ, "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}"}
        start = time.perf_counter()
        done = subprocess.run(
            [program, "create", "topology.yml"],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=NETLAB_TIMEOUT,
            check=False,
        )
        seconds = time.perf_counter() - start
    if done.returncode != 0:
        print(f"netlab failed: {(done.stderr or done.stdout).strip()[-300:]}", file=sys.stderr)
        return None
    return seconds


def child(name: str) -> dict[str, float]:
    """Measure a network in a process of its own."""
    done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure everything, print it and write it."""
    figures: dict[str, tuple[float, str]] = {"filter_link_us": (filter_call(), "µs")}
    found = {name: child(name) for name in NETWORKS}
    for name in ("mesh50", "hub250", "hub1000", "hub5000"):
        figures[f"plan_{name}_s"] = (found[name]["seconds"], "s")
    for name in ("mesh50", "hub1000", "hub5000"):
        figures[f"rollout_{name}_s"] = (found[name]["rollout"], "s")
    figures["plan_hub5000_mb"] = (found["hub5000"]["megabytes"], "MB")
    # Ten times the links, in processor time, since what else runs on the machine would blur it: mesh of 50 against mesh of 16, hub of 5,000 against hub of 500.
    for small, large in (("mesh16", "mesh50"), ("hub500", "hub5000")):
        links = found[large]["links"] / found[small]["links"]
        figures[f"plan_{large}_to_{small}_links"] = (links, "times")
        figures[f"plan_{large}_to_{small}_time"] = (found[large]["cpu"] / found[small]["cpu"], "times")
    other = netlab()
    if other is not None:
        figures["netlab_mesh50_s"] = (other, "s")
    for name, (value, unit) in figures.items():
        print(f"{name}: {value:.3g} {unit}")
    write({name: round(value, 4) for name, (value, _unit) in figures.items()})


def write(figures: dict[str, float]) -> None:
    """Put the figures into build/bench.json beside those of other benches."""
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    path.write_text(json.dumps({**known, **figures}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
