"""What a build leaves on the build host."""

from __future__ import annotations

from typing import Any

testinfra_hosts = ["ansible://build_hosts"]


def test_user_cannot_log_in(host: Any) -> None:
    """The account that builds, if there was a build, can do nothing else."""
    user = host.user("xgn-build")
    if user.exists:
        assert user.shell == "/usr/sbin/nologin"
        assert user.groups == ["xgn-build"]


def test_nothing_is_left(host: Any) -> None:
    """No process, no source tree."""
    assert host.run("ps --no-headers -u xgn-build").stdout == ""
    assert not host.file("/var/lib/xgn-build/frr/work").exists


def test_nothing_was_installed_by_building(host: Any) -> None:
    """FRR itself is not on the build host."""
    assert not host.package("frr").is_installed
    assert not host.file("/etc/frr").exists
