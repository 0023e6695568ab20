"""The reference: the network, converged as the other tests find it, boots with the distribution's own kernels and is verified there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hybrid_network import CONTAINER, HOSTS, RUNNING, TOPOLOGY, Network

from hybrid import converged
from hybrid.runs import succeed


def test_it_boots_and_verifies_on_the_distributions_kernels(scenario: int | None, tmp_path: Path) -> None:
    """By KVM, or emulated: modules come when they are needed, units in their order, and every check passes that passes elsewhere."""
    if RUNNING:
        pytest.skip("XGN_HYBRID=running: the machines stay as they are")
    if scenario:
        pytest.fail("the scenario hybrid failed: see test_scenario", pytrace=False)
    converged.lab("restore", TOPOLOGY, converged.SNAPSHOT, "--off")
    converged.lab("up", TOPOLOGY, XGN_ACCEL="qemu")
    network = Network()
    try:
        kernels = {name: shell.output("uname -r").strip() for name, shell in network.on.items()}
    finally:
        network.close()
    print(f"\n{kernels}")
    assert all(release.endswith("-amd64") for release in kernels.values()), kernels
    # Emulated machines boot slowly, all four on two processors; the container boots after its node has.
    succeed("verify", "reference", "--extra-vars", f"xgn_report_dir={tmp_path} verify_wait=420")
    checks = json.loads((tmp_path / "current" / "report.json").read_text(encoding="utf-8"))["checks"]
    assert {check["host"] for check in checks} == {*HOSTS, CONTAINER}
    assert {check["status"] for check in checks} <= {"passed", "skipped"}
    boots = [check["status"] for check in checks if check["name"] == "Boot times follow the order"]
    assert boots == ["passed"] * len(HOSTS), boots
