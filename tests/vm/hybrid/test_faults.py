"""A sample of the fault campaign (tests/vm/campaign.py): on one host a fault that heals by itself, and three at once that one run of site repairs.

Which, the seed says, so that two runs of one commit are the same; XGN_FAULTS_SEED is another one. Runs are for that host alone, to be quick.
"""

from __future__ import annotations

import os

import pytest
from faults import LIMIT_SECONDS, SEED, Case, load, name_of, sample
from hybrid_network import Network
from outcomes import GOOD

from hybrid.converged import Machines
from hybrid.fault_lab import FaultLab

CHOICE = int(os.environ.get("XGN_FAULTS_SEED", SEED))
CASES = sample(load(), CHOICE)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_fault(network: Network, machines: Machines, case: Case) -> None:
    outcome = FaultLab(network, CHOICE, narrow=True).perform(case, f"fault-sample-{CASES.index(case)}", LIMIT_SECONDS)
    print(f"\nseed {CHOICE}: {outcome.line()}")
    assert outcome.verdict == GOOD, outcome.seen
    # The last one ends with a run that changes nothing, and with verify: the next group needs no boot.
    machines.proven = case is CASES[-1]
