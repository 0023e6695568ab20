#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: deb_build
short_description: Build one Debian package from source archives, as an unprivileged user
version_added: 0.2.0
description:
  - Checks the archives, unpacks them, adds the packaging, and lets C(dpkg-buildpackage) build, with times taken from the archives.
  - The result appears under its name whole or not at all. A package of that name that is there already is not built again.
  - One build at a time in a directory. What an interrupted build left is ended and removed by the next one.
author: xuegao.net maintainers (@xuegao)
options:
  package:
    description: Name of the binary package.
    type: str
    required: true
  version:
    description: Version of the package.
    type: str
    required: true
  maintainer:
    description: Name and address for the changelog.
    type: str
    required: true
  archives:
    description: What is unpacked, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The archive, or the C(.dsc) of a source package, whose patches are applied then.
        type: path
        required: true
      checksum:
        description: C(sha512:…) or C(sha256:…). Not needed for a C(.dsc), which apt has checked.
        type: str
        default: ""
      directory:
        description: Where in the source tree it goes; at its top when empty.
        type: str
        default: ""
  packaging:
    description: Files of the directory C(debian), name to content. The changelog is written by this module.
    type: dict
    required: true
  directory:
    description: Directory of this build, which belongs to root.
    type: path
    required: true
  user:
    description: Unprivileged account that unpacks and builds.
    type: str
    required: true
  check:
    description: Run C(make check).
    type: bool
    default: true
  jobs:
    description: Compilers at a time; as many as there are processors when 0.
    type: int
    default: 0
  nice:
    description: Priority of the build, 0 to 19.
    type: int
    default: 10
  space_mib:
    description: Free space that the build needs, in MiB.
    type: int
    default: 0
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Build wireguard-tools
  xuegao.net.deb_build:
    package: wireguard-tools
    version: 1.0.20210914+xgn.debian13.0123456789ab
    maintainer: Network team <network@example.net>
    archives:
      - path: /var/lib/xgn-build/sources/wireguard-tools-1.0.20210914.tar.xz
        checksum: sha256:97ff31489217bb265b7ae850d3d0f335ab07d2652ba1feec88b734bc96bd05ac
    packaging:
      control: "{{ lookup('ansible.builtin.template', 'control.j2') }}"
      rules: "{{ lookup('ansible.builtin.template', 'rules.j2') }}"
    directory: /var/lib/xgn-build/wireguard-tools
    user: xgn-build
"""

RETURN = r"""
path:
  description: The package.
  returned: always
  type: str
sha512:
  description: Its SHA-512.
  returned: when it exists
  type: str
seconds:
  description: How long the build took.
  returned: when it was built
  type: float
"""

import email.utils
import hashlib
import os
import shutil
import stat
import subprocess
import tarfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.build_process import Builder, BuildError, end_on_signal
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module

MIB = 1024 * 1024


def file_hash(path: str, algorithm: str) -> str:
    """Hexadecimal hash of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def check_archive(archive: dict[str, Any]) -> None:
    """Compare an archive with its checksum.

    Raises:
        BuildError: it is missing or another.
    """
    path, checksum = archive["path"], archive["checksum"]
    if not os.path.isfile(path):
        raise BuildError("the archive %s does not exist. Remedy: run role frr_build again, which fetches it." % path)
    if not checksum:
        if not path.endswith(".dsc"):
            raise BuildError(
                "the archive %s has no checksum to be compared with. Remedy: give its SHA-512 in the variables of role frr_build." % path
            )
        return
    algorithm, _colon, expected = checksum.partition(":")
    found = file_hash(path, algorithm)
    if found != expected:
        raise BuildError(
            "the archive %s has another checksum than expected. Remedy: delete it, so that it is fetched anew; if that does not help, compare with what "
            "its publisher says.\n%s expected: %s\n%s found:    %s" % (path, algorithm, expected, algorithm, found)
        )


def tarballs(archive: str) -> list[str]:
    """The tar files an archive consists of: itself, or what a .dsc lists."""
    if not archive.endswith(".dsc"):
        return [archive]
    with open(archive, encoding="utf-8") as stream:
        names = {line.split()[2] for line in stream if line.startswith(" ") and len(line.split()) == 3}
    return [os.path.join(os.path.dirname(archive), name) for name in sorted(names) if ".tar." in name and not name.endswith(".asc")]


def newest_time(archives: list[dict[str, Any]]) -> int:
    """The time of the newest file in the archives, in seconds since 1970: the same at every build, unlike the clock."""
    newest = 0
    for archive in archives:
        for path in tarballs(archive["path"]):
            try:
                with tarfile.open(path) as tar:
                    newest = max([newest, *(int(member.mtime) for member in tar)])
            except (tarfile.TarError, EOFError, OSError) as error:
                raise BuildError(
                    "the archive %s cannot be read: %s. Remedy: delete it, so that it is fetched anew." % (path, error)
                ) from None
    return newest


def unpack(builder: Builder, archive: dict[str, Any], tree: str, environment: dict[str, str]) -> None:
    """Unpack one archive as the build user."""
    target = os.path.join(tree, archive["directory"])
    if archive["path"].endswith(".dsc"):
        command = ["dpkg-source", "--no-check", "--extract", archive["path"], target]
    else:
        os.makedirs(target)
        os.chown(target, builder.account.pw_uid, builder.account.pw_gid)
        command = ["tar", "--extract", "--no-same-owner", "--strip-components=1", "--directory", target, "--file", archive["path"]]
    if builder.run(command, "/", environment):
        raise BuildError("the archive %s cannot be unpacked. The log ends with:\n%s" % (archive["path"], builder.tail()))


def write_packaging(module: AnsibleModule, builder: Builder, tree: str, epoch: int) -> None:
    """Put our directory debian in place of the archive's own."""
    parameters = module.params
    debian = os.path.join(tree, "debian")
    shutil.rmtree(debian, ignore_errors=True)
    changelog = "%(package)s (%(version)s) unstable; urgency=medium\n\n  * Built from source by xuegao.net.frr_build.\n\n -- %(maintainer)s  %(date)s\n"
    files = dict(parameters["packaging"], changelog=changelog % dict(parameters, date=email.utils.formatdate(epoch)))
    os.makedirs(debian)
    for name, content in files.items():
        write_atomically(os.path.join(debian, name), content, 0o755 if name == "rules" else 0o644)
        os.chown(os.path.join(debian, name), builder.account.pw_uid, builder.account.pw_gid)
    os.chown(debian, builder.account.pw_uid, builder.account.pw_gid)


def check_space(directory: str, needed_mib: int) -> None:
    """Refuse to begin where the build cannot end."""
    free = shutil.disk_usage(directory).free // MIB
    if free < needed_mib:
        raise BuildError(
            "%s has %d MiB free, and the build needs %d MiB. Remedy: free space, or name another directory." % (directory, free, needed_mib)
        )


def check_depends(module: AnsibleModule, tree: str) -> None:
    """Refuse to begin without what the build needs.

    Raises:
        BuildError: with the names of what is missing.
    """
    status, out, err = module.run_command(["dpkg-checkbuilddeps"], cwd=tree)
    if status:
        missing = (err or out).strip().replace("dpkg-checkbuilddeps: error: ", "")
        raise BuildError("what the build needs is not installed: %s. Remedy: run role frr_build again, which installs it." % missing)


def failure(builder: Builder, status: int) -> str:
    """Say what went wrong in a build."""
    phase, tail = builder.phase() or "the build", builder.tail()
    with open(builder.log, encoding="utf-8", errors="replace") as stream:
        # The log may lie on the full disk, too, so its last words are not all there is to go by.
        full = "No space left on device" in stream.read() or shutil.disk_usage(os.path.dirname(builder.log)).free < MIB
    reason = "no space is left on the device" if full else "status %d" % status if status > 0 else "ended by signal %d" % -status
    remedy = " To build nevertheless: frr_build_check: false." if phase.startswith("make check") and not full else ""
    return "%s failed (%s). No package was made.%s The whole log is %s; it ends with:\n%s" % (phase, reason, remedy, builder.log, tail)


def build(module: AnsibleModule, builder: Builder, target: str) -> None:
    """Build the package in a fresh tree and move it to ``target``.

    Raises:
        BuildError: a step failed.
    """
    parameters = module.params
    work = os.path.join(parameters["directory"], "work")
    shutil.rmtree(work, ignore_errors=True)
    check_space(parameters["directory"], parameters["space_mib"])
    for archive in parameters["archives"]:
        check_archive(archive)
    epoch = newest_time(parameters["archives"])
    os.makedirs(work)
    os.chown(work, builder.account.pw_uid, builder.account.pw_gid)
    with open(builder.log, "wb"):
        pass
    jobs = parameters["jobs"] or len(os.sched_getaffinity(0))
    options = ["parallel=%d" % jobs, "noautodbgsym", "terse"] + ([] if parameters["check"] else ["nocheck"])
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": work,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch),
        "DEB_BUILD_OPTIONS": " ".join(options),
    }
    # The same path at every build, since some of it ends up in what is built.
    tree = os.path.join(work, "source")
    for archive in parameters["archives"]:
        unpack(builder, archive, tree, environment)
    write_packaging(module, builder, tree, epoch)
    check_depends(module, tree)
    status = builder.run(["dpkg-buildpackage", "--build=binary", "--no-sign"], tree, environment)
    if status:
        raise BuildError(failure(builder, status))
    made = os.path.join(work, os.path.basename(target))
    # Nothing but an ordinary file, since the directory belongs to the build user.
    if not os.path.lexists(made) or not stat.S_ISREG(os.lstat(made).st_mode):
        raise BuildError("the build reported success and made no %s. Remedy: read its log, %s." % (os.path.basename(target), builder.log))
    partial = target + ".partial"
    shutil.copyfile(made, partial)
    os.replace(partial, target)
    shutil.rmtree(work)


def main() -> None:
    archive_options = {
        "path": {"type": "path", "required": True},
        "checksum": {"type": "str", "default": ""},
        "directory": {"type": "str", "default": ""},
    }
    module = host_module(
        argument_spec={
            "package": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "maintainer": {"type": "str", "required": True},
            "archives": {"type": "list", "elements": "dict", "required": True, "options": archive_options},
            "packaging": {"type": "dict", "required": True},
            "directory": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "check": {"type": "bool", "default": True},
            "jobs": {"type": "int", "default": 0},
            "nice": {"type": "int", "default": 10},
            "space_mib": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    architecture = module.run_command(["dpkg", "--print-architecture"], check_rc=True)[1].strip()
    target = os.path.join(parameters["directory"], "%s_%s_%s.deb" % (parameters["package"], parameters["version"], architecture))
    if os.path.isfile(target):
        module.exit_json(changed=False, path=target, sha512=file_hash(target, "sha512"))
    if module.check_mode:
        module.exit_json(changed=True, path=target)
    begin = time.monotonic()
    try:
        os.makedirs(parameters["directory"], mode=0o755, exist_ok=True)
        builder = Builder(parameters["directory"], parameters["user"], parameters["nice"])
        end_on_signal()
        with builder.alone():
            build(module, builder, target)
    except KeyError:
        module.fail_json(
            msg="%s %s was not built: there is no user %s to build as. Remedy: run role frr_build, which makes it."
            % (parameters["package"], parameters["version"], parameters["user"])
        )
    except (BuildError, OSError, subprocess.SubprocessError) as error:
        module.fail_json(msg="%s %s was not built: %s" % (parameters["package"], parameters["version"], error))
    module.exit_json(changed=True, path=target, sha512=file_hash(target, "sha512"), seconds=round(time.monotonic() - begin, 1))


if __name__ == "__main__":
    main()
