"""Role preflight looks and tells; it leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

MADE_BY_OTHER_ROLES = ("/etc/frr", "/etc/wireguard", "/etc/xgn", "/etc/sysctl.d/90-xgn.conf", "/usr/local/sbin/xgn-interface")


@pytest.mark.parametrize("package", ["frr", "frr-pythontools", "python3-apt", "wireguard-tools"])
def test_package_is_not_installed(host: Any, package: str) -> None:
    """No package is installed by looking."""
    assert not host.package(package).is_installed


@pytest.mark.parametrize("path", MADE_BY_OTHER_ROLES)
def test_path_is_absent(host: Any, path: str) -> None:
    """Nothing is written by looking."""
    assert not host.file(path).exists
