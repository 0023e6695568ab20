"""The command line of the container tests."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence

from lab.errors import LabError
from lab.progress import Progress

from . import engine, scenarios
from .paths import CHECKOUT, REPORT_DIR, engine_paths
from .report import summary, write_junit

# Installing packages keeps a core busy, and waiting for sessions does not.
DEFAULT_JOBS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests/containers", description="Container tests of the collection.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("start", help="build the images and start the engine")
    commands.add_parser("stop", help="stop the engine and remove all containers")
    commands.add_parser("status", help="tell whether the engine runs")
    commands.add_parser("env", help='print the variables for a shell: eval "$(… env)"')
    run = commands.add_parser("run", help="start the engine, run scenarios, stop the engine")
    run.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="all container scenarios when none is named")
    run.add_argument("--jobs", type=int, default=DEFAULT_JOBS, help="scenarios at a time (default: %(default)s)")
    run.add_argument("--keep", action="store_true", help="leave the engine running")
    molecule = commands.add_parser("molecule", help="run molecule on the engine: molecule converge -s frr")
    molecule.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    # Whoever ends this gets the same as with Ctrl-C: no scenario and no engine stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options)
    except LabError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    paths = engine_paths()
    if options.command == "stop":
        print("stopped" if engine.stop() else "no engine was running")
        return 0
    if options.command == "status":
        running = engine.status()
        print(f"running at {running.docker.host}" if running else "not running")
        return 0 if running else 3
    if options.command == "run":
        return _run_scenarios(options)
    arguments = options.arguments if options.command == "molecule" else []
    with Progress() as progress:
        running = engine.start(progress, build_images=scenarios.build_images(arguments))
    variables = running.environment(paths)
    if options.command == "env":
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
    if options.command == "molecule":
        os.chdir(CHECKOUT)
        os.execve(sys.executable, [sys.executable, "-m", "molecule", *options.arguments], os.environ | variables)
    return 0


def _run_scenarios(options: argparse.Namespace) -> int:
    begin = time.monotonic()
    names = options.scenarios or scenarios.scenario_names()
    was_running = engine.status() is not None
    with Progress() as progress:
        running = engine.start(progress, build_images=scenarios.build_images(names))
    try:
        cases = scenarios.run(names, options.jobs, running.environment(engine_paths()))
    finally:
        # An engine that somebody works with stays.
        if not (options.keep or was_running):
            engine.stop()
    write_junit(cases, REPORT_DIR / "junit.xml")
    print(summary(cases, time.monotonic() - begin))
    return 1 if any(case.outcome == "failed" for case in cases) else 0
