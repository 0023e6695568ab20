# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a build from source consists of: which archives, which libyang, which options; or why it is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Version = tuple[int, ...]

OLDEST_DEBIAN = 12
CHECKSUM = re.compile(r"sha512:[0-9a-f]{128}|sha256:[0-9a-f]{64}")
# What make and the shell would read as more than a word. Options go into debian/rules between single quotes.
OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9_.+-]*(=[A-Za-z0-9_.,:/+@%=-]*)?|[A-Z_]+=[A-Za-z0-9_.,:/+@%=-]*")

# Checksums of the archives that upstream publishes for a tag. Other versions need theirs by variable.
PINNED = {
    "frr": {
        "10.5.4": "sha512:69e5c9ca70efa0cfb84cb251b213a2b3bd526ec7b8477f0d269b9463bf9e85338ad7e28c3e0aa2bd2dbe9e6c9fc412b12afcff28898bdbaa2f3a9c420b074f2d",
        "10.6.1": "sha512:c591055fc29c237f16f337835268515685872876e6f6abf82f91226543a22068c4e169904780a7ad08e383a31509b93a14fbfce26170186e64b9af3799e8f271",
    },
    "libyang": {
        "3.7.8": "sha512:399e67c91a0d18cf65ef9bb4c7fb2fae26000daa664495563f9de9ab6861cbadc294a7d214d957af54fe5a7fe8c67bdd5cf46800c7683c0dc582708bf1f2345e",
        "3.12.2": "sha512:300bb54bbd2ec120598ac0600b179cbecaf1d3680f826d2ab42ef92f563aba3db141b21b447d0ea83283f3f15e288c98bf0f26f32442e5916d13266741355c74",
    },
    "wireguard_tools": {
        "1.0.20210914": "sha512:"
        "6727ea65551dbb064457449b93a943bd6534ca93bc7fa5704c2f6826266c98688ee9ea28731fda57a5245d5f63c05f3899fcca54e40c0b6251b7c4796e957445",
    },
}


@dataclass(frozen=True)
class LibyangRule:
    """Which libyang a series of FRR is built with: from ``oldest`` on, below ``below``, and why not others."""

    since: Version
    oldest: Version
    below: Version
    reason: str


# The newest first. Sources: FRR's configure.ac and building-libyang.rst, FRR issues 15069 and 16287.
LIBYANG_RULES = (
    LibyangRule((10, 2), (2, 1, 128), (4,), "FRR asks for 2.1.128 or newer, and with libyang 4 its internal messages fall back to text"),
    LibyangRule((10, 0), (2, 1, 128), (2, 2), "FRR 10.0 and 10.1 ask for 2.1.128 or newer and do not compile with 2.2 or later"),
    LibyangRule((9, 0), (2, 1, 80), (2, 1, 111), "FRR 9 needs 2.1.80 or newer, and 2.1.111 broke its interface"),
    LibyangRule((8, 4), (2, 0, 0), (2, 1, 111), "FRR 8 needs libyang 2, and 2.1.111 broke its interface"),
)
LIBYANG_PACKAGES = ("libyang-dev", "libyang2-dev")

FRR_BUILD_DEPENDS = (
    *(
        "bison",
        "flex",
        "libc-ares-dev",
        "libcap-dev",
        "libelf-dev",
        "libjson-c-dev",
        "libpcre2-dev",
        "libprotobuf-c-dev",
        "libreadline-dev",
    ),
    *("libsnmp-dev", "libsystemd-dev", "pkgconf", "protobuf-c-compiler", "python3-dev", "python3-pytest"),
)
LIBYANG_BUILD_DEPENDS = ("cmake", "libcmocka-dev")
WIREGUARD_BUILD_DEPENDS = ("pkgconf",)


def version_numbers(version: str) -> Version:
    """Return the numbers a version begins with; a Debian epoch, revision and suffix do not count.

    Raises:
        ValueError: the version does not begin with a number.
    """
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    if match is None:
        raise ValueError(f"version {version!r} does not begin with a number")
    return tuple(int(number) for number in match[1].split("."))


def libyang_rule(frr: str) -> LibyangRule | None:
    """Return the rule for a version of FRR, or None when it is too old for this collection."""
    return next((rule for rule in LIBYANG_RULES if version_numbers(frr) >= rule.since), None)


def libyang_refusal(frr: str, libyang: str | None) -> str | None:
    """Say why a pair of FRR and libyang cannot be built, or return None; without a libyang, whether FRR itself is too old."""
    rule = libyang_rule(frr)
    if rule is None:
        return f"FRR {frr} is older than 8.4, the oldest that the roles of this collection configure"
    if libyang is None or rule.oldest <= version_numbers(libyang) < rule.below:
        return None
    return f"FRR {frr} cannot be built with libyang {libyang}: {rule.reason}"


def frr_plan(settings: Mapping[str, Any], host: Mapping[str, Any], candidates: Mapping[str, Any]) -> dict[str, Any]:
    """Plan the build of FRR on one host.

    Parameters:
        settings: variables of role frr_build, without the prefix; archives lie below ``directory``.
        host: the fact xgn_host of module host_facts.
        candidates: what module package_candidates returned: ``architecture``, ``packages`` and ``sources`` (name to version or None).

    Returns:
        ``problems`` (why it is refused; empty when it is not), ``version``, ``components`` (where archives come from, each with the ``file`` it is
        kept as), ``archives`` (the same as module deb_build takes them), ``libyang`` (``bundled``, ``version``),
        ``build_depends`` (packages), ``options`` (of configure).
    """
    problems = list(_host_problems(host))
    frr = _component("frr", "", settings, candidates, problems)
    libyang: dict[str, Any] = {"bundled": False, "version": None}
    components, depends = [frr], list(FRR_BUILD_DEPENDS)
    if frr["version"]:
        offered = [(name, candidates["packages"].get(name)) for name in LIBYANG_PACKAGES]
        fitting = [(name, version) for name, version in offered if version and libyang_refusal(frr["version"], version) is None]
        if fitting and settings["libyang_source"] == "auto":
            depends.append(fitting[0][0])
            libyang["version"] = fitting[0][1]
        else:
            own = {**settings, **{key.removeprefix("libyang_"): value for key, value in settings.items() if key.startswith("libyang_")}}
            own["source"] = "upstream" if own["source"] == "auto" else own["source"]
            component = _component("libyang", "libyang", own, candidates, problems)
            refusal = libyang_refusal(frr["version"], component["version"]) if component["version"] else None
            if refusal:
                problems.append(refusal)
            components.append(component)
            depends += LIBYANG_BUILD_DEPENDS
            libyang = {"bundled": True, "version": component["version"]}
    return {
        "problems": problems,
        "version": frr["version"],
        "components": components,
        "archives": _archives(components, settings),
        "libyang": libyang,
        "build_depends": sorted(depends),
        "options": [*settings["options"], *settings["extra_options"]],
    }


def wireguard_tools_plan(settings: Mapping[str, Any], host: Mapping[str, Any], candidates: Mapping[str, Any]) -> dict[str, Any]:
    """Plan the build of wireguard-tools on one host; parameters and result as of `frr_plan`, without libyang and options."""
    problems = list(_host_problems(host))
    own = {key.removeprefix("wireguard_tools_"): value for key, value in settings.items() if key.startswith("wireguard_tools_")}
    component = _component("wireguard_tools", "", own, candidates, problems)
    return {
        "problems": problems,
        "version": component["version"],
        "components": [component],
        "archives": _archives([component], settings),
        "libyang": {"bundled": False, "version": None},
        "build_depends": sorted(WIREGUARD_BUILD_DEPENDS),
        "options": [],
    }


def _host_problems(host: Mapping[str, Any]) -> Iterator[str]:
    name = f"{host['distribution']} {host['distribution_version']}".strip()
    if host["os_family"] != "Debian":
        yield f"the artifact is a .deb, which {name} cannot make. Remedy: build on a Debian host or container of the release it is for."
    elif host["distribution"] == "debian" and version_numbers(host["distribution_version"] or "0")[0] < OLDEST_DEBIAN:
        yield f"Debian {host['distribution_version']} is older than {OLDEST_DEBIAN}; its debhelper and Python cannot build it."


def _archives(components: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"path": f"{settings['directory']}/sources/{item['file']}", "directory": item["directory"], "checksum": item["checksum"]}
        for item in components
    ]


def _component(
    subject: str, directory: str, settings: Mapping[str, Any], candidates: Mapping[str, Any], problems: list[str]
) -> dict[str, Any]:
    """One archive of the build and where it comes from."""
    version, source = str(settings["version"]), settings["source"]
    found: dict[str, Any] = {
        "name": subject,
        "directory": directory,
        "source": source,
        "version": version,
        "checksum": settings["checksum"],
    }
    if source == "distribution":
        package = settings["source_package"]
        offered = candidates["sources"].get(package)
        found |= {"package": package, "version": offered, "checksum": "", "file": f"{package}_{(offered or '').split(':')[-1]}.dsc"}
        if offered is None:
            problems.append(
                f"apt knows no source package {package}. Remedy: add a `deb-src` line for the distribution's archive on the build host, then `apt-get update`."
            )
    elif source == "tarball":
        found["tarball"] = settings["tarball"]
        if not Path(found["tarball"]).is_file():
            problems.append(f"the archive {found['tarball']!r} of {subject} does not exist on the controller")
        elif not found["checksum"]:
            # Not to check it, but so that another archive makes another artifact.
            found["checksum"] = f"sha512:{hashlib.sha512(Path(found['tarball']).read_bytes()).hexdigest()}"
    else:
        found["url"] = settings["url"]
        found["checksum"] = settings["checksum"] or PINNED[subject].get(version, "")
        if not found["checksum"]:
            variable = f"frr_build_{'' if subject == 'frr' else subject + '_'}checksum"
            known = ", ".join(PINNED[subject])
            problems.append(f"no checksum is known for {subject} {version} (known: {known}). Remedy: set {variable}: sha512:…")
    if "file" not in found:
        # A version can be published again, so the checksum is part of the name.
        origin = found.get("url") or found["tarball"]
        found["file"] = f"{found['checksum'].partition(':')[2][:16]}-{origin.rpartition('/')[2]}"
    return found


def bad_option(option: str) -> bool:
    """Tell whether an option of configure is not one plain word."""
    return OPTION.fullmatch(option) is None
