"""The hybrid network: each file of this directory begins with it as it was converged, and may break what it likes.

It is made from bare hosts by its molecule scenario, and kept as a snapshot of the machines' disks, which stays for the next run while the
files that it depends on are the same. XGN_HYBRID=bare makes it anew in any case; XGN_HYBRID=running uses a lab that is up and converged
already, restores nothing and leaves it up; XGN_TOPOLOGY names that lab.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import branch
import pytest
import yaml
from conftest import LOGS, first_look
from figures import figure
from hybrid_network import CONNECTION, RUNNING, TOPOLOGY, Network

from hybrid import converged
from hybrid.runs import INVENTORY, planned, succeed

# The reference may be emulated, and is slow beside the container scenarios; the search for secrets reads the logs of all others.
LAST = ("test_reference", "test_secrets")
TIMEOUTS = "net.netfilter.nf_conntrack_udp_timeout net.netfilter.nf_conntrack_udp_timeout_stream"
LEAVE = "pkill -F /run/branch/bird.pid; ip netns delete branch; ip link delete branch0 2>/dev/null; nft delete table ip branch_nat; rm -r /run/branch; "
STATE = (
    "journalctl --no-pager --boot --priority=warning --lines=60",
    "vtysh -c 'show bgp vrf CORE summary' -c 'show bfd vrf CORE peers brief' -c 'show ip route vrf CORE' -c 'show bgp vrf CORE nexthop'",
    "vtysh -c 'show ip ospf vrf CORE neighbor'; gobgp --target unix:///run/gobgpd/api.sock neighbor; journalctl --no-pager --boot --unit=gobgpd --lines=20",
    "systemctl --no-pager --failed; systemctl --no-pager list-jobs; ip -brief address; ip route show vrf CORE; ip netns list; uptime",
)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "leaves_traces: a group after which the machines are not as they were; the next one begins with a boot"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what leaves traces behind what leaves none, so that only the former need a boot; and two files behind everything, for what they are."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> tuple[bool, int, bool]:
        last = LAST.index(item.path.stem) + 1 if item.path.stem in LAST else 0
        return item.path.parent != here, last, item.get_closest_marker("leaves_traces") is not None

    items.sort(key=place)


def state_of(network: Network) -> str:
    """What a person would look at first when something is wrong."""
    return first_look({name: shell.run for name, shell in network.on.items()}, STATE)


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
            print(f"\n{state_of(network)}")
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
    clean, machines.clean = machines.clean, False
    network = Network() if RUNNING else begin(boot=not clean)
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
        machines.clean = request.session.testsfailed == failed and not left
    finally:
        network.close()


def begin(boot: bool) -> Network:
    """Bring the network back, or go on with it as it is.

    One that does not come up whole is shown and counted, and brought back once more: whether a reboot ends well is what the scenario asserts, and
    here it would hide what the group has to say.
    """
    problems = []
    for attempt in (1, 2):
        if boot or attempt > 1:
            converged.bring_back()
        else:
            converged.bring_plan_back()
        network = Network()
        try:
            converged.settle(network)
            return network
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(f"\n{error}\n{state_of(network)}")
            problems.append("; ".join([f"boot {attempt}: {error}", *network.unfinished()]))
            network.close()
            figure("boots of the hybrid network that left something down, see the log", attempt, "boots")
    pytest.fail("the converged network does not come up after a boot: " + "; ".join(problems), pytrace=False)


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
        report.sections.append(("state of the machines", state_of(machines)))
    return report
