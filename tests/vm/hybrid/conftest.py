"""The hybrid network: brought up once by its molecule scenario, used by all files of this directory, removed when they are done.

XGN_HYBRID=running uses a lab that is up and converged already, and leaves it up; XGN_TOPOLOGY names it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import branch
import pytest
import steering_proof
import yaml
from conftest import LOGS, MITOGEN, environment, first_look
from hybrid_network import CONNECTION, ROOT, RUNNING, TOPOLOGY, Network

from hybrid.runs import INVENTORY, planned, succeed

# Without verify and idempotence: the reboot verifies, and test_second_run.py comes after everything else.
STEPS = ("destroy", "converge", "side-effect")
STEP_SECONDS = 1500
# First what looks at the network as it was built, then what changes it, then what must find it as planned; the search for secrets reads all logs.
ORDER = ("network", "failover", "dns", "firewall", "branch", "docker", "system_container", "steering", "silence", "changes", "second_run")
TIMEOUTS = "net.netfilter.nf_conntrack_udp_timeout net.netfilter.nf_conntrack_udp_timeout_stream"
LEAVE = "pkill -F /run/branch/bird.pid; ip netns delete branch; ip link delete branch0 2>/dev/null; nft delete table ip branch_nat; rm -r /run/branch; "
STATE = (
    "journalctl --no-pager --boot --priority=warning --lines=60",
    "vtysh -c 'show bgp vrf CORE summary' -c 'show bfd vrf CORE peers brief' -c 'show ip route vrf CORE'",
    "systemctl --no-pager --failed; ip -brief address; ip netns list; uptime",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of this directory into their order; tests of other directories follow."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        return ORDER.index(item.path.stem.removeprefix("test_")) if item.path.parent == here else len(ORDER)

    items.sort(key=place)


def state_of(network: Network) -> str:
    """What a person would look at first when something is wrong."""
    return first_look({name: shell.run for name, shell in network.on.items()}, STATE)


def run_scenario() -> int:
    """Run those steps of molecule's scenario that no test below repeats; returns the exit status of the last one."""
    with (LOGS / "vm-hybrid-scenario.log").open("w", encoding="utf-8") as log:
        return next((status for step in STEPS if (status := run_step(step, log)) != 0), 0)


def run_step(step: str, log: TextIO) -> int:
    """Run one step of the scenario, show how it gets on, and return its exit status."""
    with subprocess.Popen(
        [sys.executable, "-m", "molecule", step, "--scenario-name", "hybrid"],
        cwd=ROOT,
        env=environment(MITOGEN),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        # Reading ends when the process does, so the limit has to end the process.
        timer = threading.Timer(STEP_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                # Progress for whoever waits; the rest of -vvv is in the log.
                if re.match(r"(INFO|ERROR|CRITICAL|TASK|PLAY|RUNNING)|FAILED|=+ ", line):
                    print(line, end="", flush=True)
            return process.wait()
        finally:
            timer.cancel()


# Not for the whole session: the pair's machines must not run beside these four.
@pytest.fixture(scope="package")
def scenario() -> Iterator[int]:
    """Exit status of the scenario; its machines stay for the tests. A lab that is running already counts as a success."""
    if RUNNING:
        assert CONNECTION.exists(), f"XGN_HYBRID=running, but no lab {TOPOLOGY!r} is up: {CONNECTION} is missing"
        yield 0
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        status = run_scenario()
        if status != 0 and CONNECTION.exists():
            network = Network()
            print(f"\n{state_of(network)}")
            network.close()
        yield status
    finally:
        subprocess.run(
            [sys.executable, "-m", "molecule", "destroy", "--scenario-name", "hybrid"],
            cwd=ROOT,
            env=environment(MITOGEN),
            capture_output=True,
            check=True,
        )


@pytest.fixture(scope="package")
def logged(scenario: int) -> None:
    """Skips what reads the scenario's report and logs where no scenario was run."""
    if RUNNING:
        pytest.skip("XGN_HYBRID=running: there is no scenario, so it has left no report and no logs")


@pytest.fixture(scope="package")
def network(scenario: int) -> Iterator[Network]:
    """The network with a host behind hq-nfv and one behind cloud-node. Without a network every test fails at once."""
    if scenario != 0:
        pytest.fail("the scenario hybrid failed: see test_scenario", pytrace=False)
    network = Network()
    network.add_probes()
    network.add_hosts()
    yield network
    network.close()


@pytest.fixture(scope="package")
def plan(scenario: int) -> dict[str, Any]:
    """Every host's variables as the intent gives them."""
    succeed("plan", "plan")
    return planned()


@pytest.fixture(scope="package")
def branch_intent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the inventory's nodes and links, and the branch's."""
    own = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    more = {
        "xgn_nodes": {**own["xgn_nodes"], branch.NODE: branch.INTENT["node"]},
        "xgn_links": [*own["xgn_links"], branch.INTENT["link"]],
    }
    path: Path = tmp_path_factory.mktemp("branch") / "intent.yml"
    path.write_text(yaml.safe_dump(more), encoding="utf-8")
    return path


@pytest.fixture(scope="package")
def branch_joined(network: Network, branch_intent: Path) -> Iterator[None]:
    """The branch, made of the plan's files; its neighbor has to have been told of it before."""
    directory = LOGS / "hybrid-branch-plan"
    # A second plan: only now the public key of the neighbor's new interface is known.
    succeed("plan", "branch-plan", "--extra-vars", f"@{branch_intent}", "--extra-vars", f"xgn_plan_directory={directory}")
    password = yaml.safe_load((INVENTORY / "group_vars" / "all" / "secrets.yml").read_text(encoding="utf-8"))["bgp_password"]
    home = network.on[branch.HOME]
    before = home.output(f"sysctl {TIMEOUTS}").replace(" = ", "=").split()
    try:
        branch.set_up(home.output, "eth0", directory, password)
        yield
    finally:
        home.run(f"{LEAVE} sysctl -q {' '.join(before)}")


@pytest.fixture(scope="package")
def silence(network: Network, branch_joined: None) -> Iterator[Future[dict[str, int]]]:
    """The proof of a silent branch, which takes minutes and goes on beside the tests that leave the branch alone."""
    home, router = network.on[branch.HOME].output, network.on[branch.ROUTER]
    neighbors = router.vtysh("show bgp vrf CORE neighbors")
    asn = branch.INTENT["node"]["asn"]
    (peer,) = [address for address, session in neighbors.items() if session.get("remoteAs") == asn and ":" not in address]
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(steering_proof.silent_branch, home, router.output, "CORE", peer)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of the machines to the report of a failure."""
    report = yield
    machines = getattr(item, "funcargs", {}).get("network")
    if report.when == "call" and report.failed and isinstance(machines, Network):
        report.sections.append(("state of the machines", state_of(machines)))
    return report
