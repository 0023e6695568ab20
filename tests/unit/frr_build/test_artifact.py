"""What an artifact is called, and what its name says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.frr_build.artifact import artifact_names, artifact_parts

HOST = {"distribution": "debian", "distribution_version": "13", "machine": "x86_64"}
PLAN: dict[str, Any] = {
    "version": "10.5.4",
    "components": [{"version": "10.5.4", "checksum": "sha512:1", "url": "https://a"}, {"version": "3.12.2", "checksum": "sha512:2"}],
}
PACKAGING = {"rules": "%:\n\tdh $@\n", "control": "Description: für\n"}


def name(host: dict[str, str] = HOST, plan: dict[str, Any] = PLAN, packaging: dict[str, str] = PACKAGING) -> str:
    return artifact_names("frr", host, plan, packaging)["file"]


def test_the_name_has_version_target_and_digest() -> None:
    """Artifacts that controllers keep have these names: another digest of the same inputs would build all of them again."""
    inputs = {"procedure": 1, "packaging": PACKAGING, "archives": [["10.5.4", "sha512:1"], ["3.12.2", "sha512:2"]]}
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    assert digest == "047aeb5dacfe"
    assert artifact_names("frr", HOST, PLAN, PACKAGING) == {
        "target": "debian13",
        "architecture": "amd64",
        "current": "frr_debian13_amd64.current",
        "version": f"10.5.4+xgn.debian13.{digest}",
        "file": f"frr_10.5.4+xgn.debian13.{digest}_amd64.deb",
    }


def test_without_a_build_only_the_host_counts() -> None:
    arm = artifact_names("wireguard-tools", {"distribution": "debian", "distribution_version": "12", "machine": "aarch64"})
    assert arm == {"target": "debian12", "architecture": "arm64", "current": "wireguard-tools_debian12_arm64.current"}
    assert artifact_names("frr", HOST, architecture="i386")["current"] == "frr_debian13_i386.current"
    assert artifact_names("frr", {**HOST, "machine": "riscv64"})["architecture"] == "riscv64"


@pytest.mark.parametrize(
    "other",
    [
        name(packaging={**PACKAGING, "rules": ""}),
        name(plan={**PLAN, "components": [{"version": "10.5.4", "checksum": "sha512:3"}, PLAN["components"][1]]}),
        name(plan={**PLAN, "version": "10.5.5"}),
        name(host={**HOST, "distribution_version": "12"}),
    ],
    ids=["packaging", "archive", "version", "release"],
)
def test_another_content_has_another_name(other: str) -> None:
    assert other != name()


def test_an_address_or_the_order_of_files_makes_no_other() -> None:
    moved = {**PLAN, "components": [{**PLAN["components"][0], "url": "https://b"}, PLAN["components"][1]]}
    assert name(plan=moved, packaging=dict(reversed(PACKAGING.items()))) == name()


@pytest.mark.parametrize("lie", ["../../../etc/cron.d/x", "a/b", "a\nb", "x86 64", "\u202e"])
@pytest.mark.parametrize("fact", ["distribution", "distribution_version", "machine"])
def test_a_host_that_lies_about_itself_names_no_file_elsewhere(fact: str, lie: str) -> None:
    """The file lies on the controller, and is fetched into it."""
    for plan, packaging in ((None, None), (PLAN, PACKAGING)):
        with pytest.raises(ValueError, match="is no name of a package file; distribution, machine and versions are as the host said them"):
            artifact_names("frr", {**HOST, fact: lie}, plan, packaging)


@pytest.mark.parametrize("package", ["frr", "wireguard-tools"])
@pytest.mark.parametrize("version", ["10.5.4", "10.3-3+deb13u1", "1.0.20210914"])
def test_a_name_says_what_it_was_made_of(package: str, version: str) -> None:
    names = artifact_names(package, HOST, {**PLAN, "version": version}, PACKAGING)
    parts = artifact_parts(names["file"])
    assert {key: parts[key] for key in ("version", "target", "architecture")} == {
        key: names[key] for key in ("version", "target", "architecture")
    }
    assert (parts["package"], names["version"].endswith(parts["digest"])) == (package, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frr_10.3-3+deb13u1_amd64.deb",
        "frr_1+xgn.debian13.0123_amd64.deb",
        "frr_1+xgn.debian13.0123456789ab.deb",
        "a/frr_1+xgn.d.0123456789ab_x.deb.sha512",
    ],
)
def test_what_is_no_name_of_ours_has_no_parts(text: str) -> None:
    assert set(artifact_parts(text).values()) == {""}
