"""The last word: no run has told a secret."""

from __future__ import annotations

import pytest
import yaml
from controller import LOGS

from hybrid.converged import Machines
from hybrid.runs import INVENTORY, PLAN, REPORT


def test_no_secret_in_any_output(machines: Machines, logged: None, request: pytest.FixtureRequest) -> None:
    """Every run of the scenario and of these tests was made with ``--diff -vvv``."""
    # Alone, it is the first that sees the machines.
    keys = machines.keys or request.getfixturevalue("network").private_keys()
    secrets = [*yaml.safe_load((INVENTORY / "group_vars" / "all" / "secrets.yml").read_text(encoding="utf-8")).values(), *keys]
    assert all(len(secret) > 10 for secret in secrets)
    files = [*LOGS.glob("vm-hybrid-*.log"), *(path for folder in (REPORT, PLAN) for path in folder.rglob("*") if path.is_file())]
    assert len(files) > 8
    leaks = [str(path) for path in files for secret in secrets if secret in path.read_text(encoding="utf-8", errors="replace")]
    assert leaks == []
