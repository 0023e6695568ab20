"""The hybrid network: each file of this directory begins with it as it was converged, and may break what it likes.

It is made from bare hosts by its molecule scenario, and kept as a snapshot of the machines' disks, which stays for the next run while the
files that it depends on are the same. XGN_HYBRID=bare makes it anew in any case; XGN_HYBRID=running uses a lab that is up and converged
already, restores nothing and leaves it up; XGN_TOPOLOGY names that lab.
"""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import branch
import pytest
import yaml
from controller import LOGS
from hybrid_network import CONNECTION, ROOT, RUNNING, TOPOLOGY, Network

from hybrid import converged
from hybrid.runs import INVENTORY, planned, succeed

# The reference may be emulated, and is slow beside the container scenarios; the search for secrets reads the logs of all others.
LAST = ("test_reference", "test_secrets")
# What the network is for; the others begin only as long as there is time.
FIRST = "test_network"
# When tools/stages.py wants no more groups to begin, so that all ends in time on a slow machine, too (time.monotonic, s).
UNTIL = float(os.environ.get("XGN_BEGIN_UNTIL", "inf"))
TIMEOUTS = "net.netfilter.nf_conntrack_udp_timeout net.netfilter.nf_conntrack_udp_timeout_stream"
LEAVE = "pkill -F /run/branch/bird.pid; ip netns delete branch; ip link delete branch0 2>/dev/null; nft delete table ip branch_nat; rm -r /run/branch; "


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "leaves_traces: a group after which the machines are not as they were; the next one begins with a boot"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what the network is for first, and what leaves traces behind what leaves none, so that only the former need a boot. Two files are last for what they are."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> tuple[bool, int, bool, bool]:
        last = LAST.index(item.path.stem) + 1 if item.path.stem in LAST else 0
        return item.path.parent != here, last, item.get_closest_marker("leaves_traces") is not None, item.path.stem != FIRST

    items.sort(key=place)


# Not for the whole session: other machines must not run beside these four.
@pytest.fixture(scope="package")
def scenario(machines: converged.Machines) -> Iterator[int | None]:
    """Exit status of the scenario, None where it did not have to run. The machines are off afterwards, and their disks stay."""
    if RUNNING:
        assert CONNECTION.exists(), f"XGN_HYBRID=running, but no lab {TOPOLOGY!r} is up: {CONNECTION} is missing"
        yield None
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        if os.environ.get("XGN_HYBRID") != "bare" and converged.kept():
            yield None
            return
        status = converged.make()
        if status != 0 and CONNECTION.exists():
            network = Network()
            print(f"\n{converged.state_of(network)}")
            network.close()
        # The snapshot is of the machines as they run now.
        machines.clean = status == 0
        yield status
    finally:
        converged.lab("down", TOPOLOGY, "--keep")


@pytest.fixture(scope="package")
def logged(scenario: int | None) -> None:
    """Skips what reads the scenario's report and logs where no scenario was run."""
    if RUNNING:
        pytest.skip("XGN_HYBRID=running: there is no scenario, so it has left no report and no logs")


@pytest.fixture(scope="package")
def machines() -> converged.Machines:
    """What the groups tell each other."""
    return converged.Machines()


@pytest.fixture(scope="module")
def network(scenario: int | None, machines: converged.Machines, request: pytest.FixtureRequest) -> Iterator[Network]:
    """The network as it was converged, with a host behind hq-nfv and one behind cloud-node. Without a network every test fails at once.

    It is brought back, which means a boot, only after a group that has left traces, or in which a test has failed, and where an earlier run has made it.
    """
    if scenario:
        pytest.fail("the scenario hybrid failed: see test_scenario", pytrace=False)
    if time.monotonic() > UNTIL and request.path.stem != FIRST:
        pytest.skip(f"not begun, as the time of this run is nearly over; alone: pytest -v -s {request.path.relative_to(ROOT)}")
    clean, machines.clean, machines.proven = machines.clean, False, False
    try:
        network = Network() if RUNNING else converged.begin(boot=not clean)
    except converged.NotWhole as error:
        pytest.fail(str(error), pytrace=False)
    try:
        network.add_probes()
        network.add_hosts()
        failed, before = request.session.testsfailed, converged.traces(network)
        machines.keys |= network.private_keys()
        yield network
        machines.keys |= network.private_keys()
        left = list(difflib.unified_diff(before, converged.traces(network), lineterm="", n=0))
        if left:
            print("\n".join(["\nThis group leaves behind:", *left]))
        machines.clean = request.session.testsfailed == failed and (machines.proven or not left)
    finally:
        network.close()


@pytest.fixture(scope="module")
def plan(network: Network) -> dict[str, Any]:
    """Every host's variables as the intent gives them."""
    succeed("plan", "plan")
    return planned()


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def branch_joined(network: Network, branch_intent: Path) -> Iterator[None]:
    """The branch, made of the plan's files; its neighbor has to have been told of it before."""
    directory = LOGS / "hybrid-branch-plan"
    # A second plan: only now the public key of the neighbor's new interface is known.
    succeed("plan", "branch-plan", "--extra-vars", f"@{branch_intent}", "--extra-vars", f"xgn_plan_directory={directory}")
    password = yaml.safe_load((INVENTORY / "group_vars" / "all" / "secrets.yml").read_text(encoding="utf-8"))["bgp_password"]
    home = network.on[branch.HOME]
    before = home.output(f"sysctl {TIMEOUTS}").replace(" = ", "=").split()
    try:
        branch.set_up(home.output, "eth0", directory / "current", password)
        yield
    finally:
        home.run(f"{LEAVE} sysctl -q {' '.join(before)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of the machines to the report of a failure."""
    report = yield
    machines = getattr(item, "funcargs", {}).get("network")
    if report.when == "call" and report.failed and isinstance(machines, Network):
        report.sections.append(("state of the machines", converged.state_of(machines)))
    return report
