"""Which FRR is built with which libyang, from which archives, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.frr_build.build_plan import (
    CHECKSUM,
    PINNED,
    bad_option,
    frr_plan,
    libyang_refusal,
    version_numbers,
    wireguard_tools_plan,
)

ROOT = Path(__file__).parents[3]
BOOKWORM = {"os_family": "Debian", "distribution": "debian", "distribution_version": "12"}
TRIXIE = BOOKWORM | {"distribution_version": "13"}
OFFERS_12 = {"architecture": "amd64", "packages": {"libyang-dev": None, "libyang2-dev": "2.1.30-2"}, "sources": {}}
OFFERS_13 = {"architecture": "amd64", "packages": {"libyang-dev": "3.12.2-1", "libyang2-dev": None}, "sources": {"frr": "10.3-3+deb13u1"}}


def settings(**changes: Any) -> dict[str, Any]:
    """The role's defaults, without their prefix, with some of them changed."""
    defaults = read_yaml((ROOT / "roles/frr_build/defaults/main.yml").read_text(encoding="utf-8"))
    found = {name.removeprefix("frr_build_"): value for name, value in defaults.items()}
    urls = {
        "url": "https://example.net/frr.tar.gz",
        "libyang_url": "https://example.net/ly.tar.gz",
        "wireguard_tools_url": "https://example.net/w.tar.xz",
    }
    return found | urls | changes


@pytest.mark.parametrize(
    ("frr", "libyang", "fits"),
    [
        ("10.6.1", "3.12.2", True),
        ("10.2", "2.1.128", True),
        ("10.3-3+deb13u1", "3.12.2-1", True),
        ("10.3", "2.1.30-2", False),
        ("10.5.4", "4.0.2", False),
        ("10.1.1", "2.1.148", True),
        ("10.1.1", "2.2.8", False),
        ("10.1.1", "3.4.2", False),
        ("9.1", "2.1.80", True),
        ("9.1", "2.1.111", False),
        ("8.4.4", "2.1.30-2", True),
        ("8.4.4", "3.12.2", False),
        ("8.3", "2.1.30", False),
    ],
)
def test_pairs(frr: str, libyang: str, fits: bool) -> None:
    refusal = libyang_refusal(frr, libyang)
    assert (refusal is None) == fits
    if refusal:
        assert frr in refusal


def test_the_distributions_libyang_is_used_where_it_fits() -> None:
    plan = frr_plan(settings(), TRIXIE, OFFERS_13)
    assert plan["problems"] == []
    assert plan["libyang"] == {"bundled": False, "version": "3.12.2-1"}
    assert "libyang-dev" in plan["build_depends"]
    assert [component["name"] for component in plan["components"]] == ["frr"]


def test_libyang_is_built_where_the_distributions_is_too_old() -> None:
    plan = frr_plan(settings(), BOOKWORM, OFFERS_12)
    assert plan["problems"] == []
    assert plan["libyang"] == {"bundled": True, "version": "3.12.2"}
    assert {"cmake", "libcmocka-dev"} <= set(plan["build_depends"])
    assert not {"libyang-dev", "libyang2-dev"} & set(plan["build_depends"])
    assert [(component["name"], component["directory"]) for component in plan["components"]] == [("frr", ""), ("libyang", "libyang")]
    assert plan["components"][1]["checksum"] == PINNED["libyang"]["3.12.2"]
    frr, libyang = plan["archives"]
    assert frr == {
        "path": f"/var/lib/xgn-build/sources/{plan['components'][0]['file']}",
        "directory": "",
        "checksum": plan["components"][0]["checksum"],
    }
    assert libyang["path"].endswith("-ly.tar.gz") and libyang["directory"] == "libyang"


def test_libyang_is_built_when_asked_for() -> None:
    assert frr_plan(settings(libyang_source="upstream"), TRIXIE, OFFERS_13)["libyang"]["bundled"]


def test_a_pair_that_cannot_be_built_is_refused_with_the_reason() -> None:
    (problem,) = frr_plan(settings(version="10.1", checksum="sha512:" + 128 * "0"), TRIXIE, OFFERS_13)["problems"]
    assert problem.startswith("FRR 10.1 cannot be built with libyang 3.12.2: FRR 10.0 and 10.1 ask for")


def test_the_distributions_source_package_names_the_version() -> None:
    plan = frr_plan(settings(source="distribution"), TRIXIE, OFFERS_13)
    assert plan["problems"] == []
    assert plan["version"] == "10.3-3+deb13u1"
    assert plan["components"][0]["file"] == "frr_10.3-3+deb13u1.dsc"


def test_a_source_package_that_apt_does_not_know_is_refused_with_the_remedy() -> None:
    offers = OFFERS_13 | {"sources": {"frr": None}}
    (problem,) = frr_plan(settings(source="distribution"), TRIXIE, offers)["problems"]
    assert "deb-src" in problem


def test_an_archive_without_a_known_checksum_is_refused() -> None:
    (problem,) = frr_plan(settings(version="10.4"), TRIXIE, OFFERS_13)["problems"]
    assert "set frr_build_checksum" in problem
    (problem,) = frr_plan(settings(libyang_version="3.4.2"), BOOKWORM, OFFERS_12)["problems"]
    assert "set frr_build_libyang_checksum" in problem


def test_another_local_archive_is_another_component(tmp_path: Path) -> None:
    archive = tmp_path / "frr.tar.gz"
    archive.write_bytes(b"one")
    plan = frr_plan(settings(source="tarball", tarball=str(archive)), TRIXIE, OFFERS_13)
    assert plan["components"][0]["checksum"] == f"sha512:{hashlib.sha512(b'one').hexdigest()}"
    (problem,) = frr_plan(settings(source="tarball", tarball=str(tmp_path / "none")), TRIXIE, OFFERS_13)["problems"]
    assert "does not exist on the controller" in problem


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ({"os_family": "RedHat", "distribution": "fedora", "distribution_version": "42"}, "fedora 42"),
        ({"os_family": "Debian", "distribution": "debian", "distribution_version": "11"}, "Debian 11"),
    ],
)
def test_a_host_that_cannot_build_is_refused(host: dict[str, str], word: str) -> None:
    assert any(word in problem for problem in frr_plan(settings(), host, OFFERS_13)["problems"])


def test_wireguard_tools() -> None:
    plan = wireguard_tools_plan(settings(), TRIXIE, OFFERS_13)
    assert plan["problems"] == []
    assert plan["version"] == "1.0.20210914"


@pytest.mark.parametrize("option", ["--enable-fpm", "--with-pkg-extra-version=-XUEGAONET", "CC=gcc-14", "--libdir=/usr/lib/x_1"])
def test_good_options(option: str) -> None:
    assert not bad_option(option)


@pytest.mark.parametrize("option", ["", "fpm", "--a=$(id)", "--a='b'", "--a=b c", "--a=b\n", "--a;b"])
def test_bad_options(option: str) -> None:
    assert bad_option(option)


def test_pinned_checksums_have_the_form() -> None:
    assert all(CHECKSUM.fullmatch(value) for pins in PINNED.values() for value in pins.values())


def test_versions() -> None:
    assert version_numbers("1:10.3-3+deb13u1") == (10, 3)
    with pytest.raises(ValueError, match="does not begin with a number"):
        version_numbers("master")
