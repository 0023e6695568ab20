# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for builds from source and for the artifacts they leave."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.frr_build.build_plan import CHECKSUM, bad_option, libyang_refusal
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host

# Prefix of the variables of each subject that is built.
SUBJECTS = ("frr_build_", "frr_build_libyang_", "frr_build_wireguard_tools_")
_VERSION = re.compile(r"\d+(\.\d+)+\Z")
# Debian Policy, 5.6.1 and 5.6.7, and the names that useradd(8) takes.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_DIRECTORY = re.compile(r"/[A-Za-z0-9/_.+-]+")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_ARTIFACT = re.compile(r"[a-z0-9.-]+_[^_/\s]+_[a-z0-9]+\.deb\Z")


def build_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of role frr_build's variables, and of the names of artifacts."""
    for prefix in SUBJECTS:
        yield from _subject_problems(host, prefix)
    yield from _pair_problems(host)
    for key in ("frr_build_options", "frr_build_extra_options"):
        for path, text in host.root.texts(key):
            if bad_option(text):
                hint = "write --name, --name=value or NAME=value; no spaces, quotes or $"
                yield Problem(path, "is not an option of configure", show(text), hint)
    user = host.root.text("frr_build_user")
    if user is not None and not _USER.match(user):
        yield host.root.problem("frr_build_user", "is not the name of a user", "a to z, digits, _ and -; the first a letter or _")
    directory = host.root.text("frr_build_directory")
    if directory is not None and not _DIRECTORY.fullmatch(directory):
        yield host.root.problem("frr_build_directory", "is not an absolute path of plain words", "A-Z a-z 0-9 / _ . - +")
    yield from host.root.in_range("frr_build_nice", 0, 19)
    for key in ("frr_build_jobs", "frr_build_space_mib"):
        yield from host.root.in_range(key, 0, 2**31)
    for key in ("frr_artifact", "wireguard_artifact"):
        name = host.root.text(key)
        if name and not _ARTIFACT.match(name):
            yield host.root.problem(key, "is not the name of a package file", "write NAME_VERSION_ARCHITECTURE.deb, without a directory")


def _subject_problems(host: Host, prefix: str) -> Iterator[Problem]:
    root = host.root
    version, checksum = root.text(f"{prefix}version"), root.text(f"{prefix}checksum")
    if version is not None and not _VERSION.match(version):
        yield root.problem(f"{prefix}version", "is not a released version", "write numbers and dots, for example 10.5.4")
    if checksum and not CHECKSUM.fullmatch(checksum):
        hint = "write sha512: and 128, or sha256: and 64 digits in lower case"
        yield root.problem(f"{prefix}checksum", "is not a checksum", hint)
    package = root.text(f"{prefix}source_package")
    if package is not None and not _PACKAGE.match(package):
        yield root.problem(
            f"{prefix}source_package", "is not the name of a package", "a to z, digits, + . and -; the first a letter or digit"
        )
    if root.text(f"{prefix}source") == "tarball" and not root.text(f"{prefix}tarball"):
        yield root.problem(f"{prefix}source", f"needs {prefix}tarball", "name an archive on the controller")


def _pair_problems(host: Host) -> Iterator[Problem]:
    """Report a pair that cannot be built, as far as the variables tell; what the distribution offers is known on the host only."""
    root = host.root
    frr, libyang = root.text("frr_build_version"), root.text("frr_build_libyang_version")
    if frr is None or not _VERSION.match(frr) or root.text("frr_build_source") == "distribution":
        return
    # With the oldest libyang of its rule any supported FRR passes, so only the FRR is judged when no libyang is named.
    refusal = libyang_refusal(frr, libyang) if libyang and _VERSION.match(libyang) else libyang_refusal(frr, None)
    if refusal:
        yield root.problem("frr_build_libyang_version" if libyang else "frr_build_version", "is refused", refusal)
