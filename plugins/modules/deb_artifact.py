#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: deb_artifact
short_description: Install a package that was built from source, or go back to the distribution's
version_added: 0.2.0
description:
  - Checks the package file, lets apt install it in place of whatever version there is, newer or older, keeps configuration files, and holds it.
  - Checks checksum, name and space before anything is changed. When the installation fails, the former package is put back.
author: xuegao.net maintainers (@xuegao)
options:
  package:
    description: Name of the package.
    type: str
    required: true
  version:
    description: Version to install. The distribution's newest when not given, which ends the hold.
    type: str
  path:
    description: The package file on the host, needed with O(version). Another one beside it is the former package.
    type: path
  sha512:
    description: SHA-512 of the file, needed with O(version).
    type: str
  companions:
    description: Packages of the distribution that are installed together with it, when O(version) is not given.
    type: list
    elements: str
    default: []
  wait_s:
    description: How long BGP sessions that were established before may take to be so again, in seconds. Not waited for when 0.
    type: int
    default: 0
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Install FRR as it was built
  xuegao.net.deb_artifact:
    package: frr
    version: 10.5.4+xgn.debian13.0123456789ab
    path: /var/cache/xgn/frr_10.5.4+xgn.debian13.0123456789ab_amd64.deb
    sha512: "{{ checksum }}"

- name: Go back to the distribution's FRR
  xuegao.net.deb_artifact:
    package: frr
    companions: [frr-pythontools]
"""

RETURN = r"""
before:
  description: The version that was installed; null when there was none.
  returned: always
  type: str
after:
  description: The version that is (or would be) installed.
  returned: always
  type: str
"""

import glob
import hashlib
import os
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, output
from ansible_collections.xuegao.net.plugins.module_utils.frr_sessions import established, wait_for
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd

ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
INSTALL = [
    *("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages"),
    *("--option", "Dpkg::Options::=--force-confold", "--option", "Dpkg::Options::=--force-confdef"),
]
# What dpkg needs beside the installed files: the new ones lie beside the old ones until all are unpacked.
SPARE_KIB = 16 * 1024


# Whose processes the distribution's package leaves running from the files of the former one.
SERVICES = {"frr": "frr.service"}


class Refused(Exception):
    """Nothing was changed, and why."""


def installed(module: AnsibleModule, package: str) -> str | None:
    """The version that is wholly installed."""
    status, out, err = module.run_command(["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", package])
    state, _space, version = out.partition(" ")
    return version if status == 0 and state == "installed" else None


def fields(module: AnsibleModule, path: str) -> dict[str, str]:
    """Control fields of a package file."""
    names = ["Package", "Version", "Installed-Size"]
    status, out, err = module.run_command(["dpkg-deb", "--field", path, *names])
    if status:
        raise Refused("%s is no Debian package: %s. Remedy: build it anew with xuegao.net.build_frr." % (path, err.strip()))
    return dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)


def check_file(module: AnsibleModule, parameters: dict[str, Any]) -> None:
    """Refuse a file that is not the one that was built, and a host without space for it."""
    path = parameters["path"]
    try:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha512").hexdigest()
    except OSError as error:
        raise Refused("%s cannot be read: %s. Remedy: run again, which sends the file anew." % (path, error.strerror)) from None
    if found != parameters["sha512"]:
        raise Refused(
            "%s has another checksum than the build recorded. Remedy: delete the file on this host and run again, which sends it anew; if that does "
            "not help, build it anew with xuegao.net.build_frr.\nexpected: %s\nfound:    %s" % (path, parameters["sha512"], found)
        )
    control = fields(module, path)
    if (control["Package"], control["Version"]) != (parameters["package"], parameters["version"]):
        raise Refused(
            "%s holds %s %s, and %s %s is wanted. Remedy: build that one with xuegao.net.build_frr, or name the other."
            % (path, control["Package"], control["Version"], parameters["package"], parameters["version"])
        )
    needed, free = int(control["Installed-Size"]) + SPARE_KIB, shutil.disk_usage("/usr").free // 1024
    if free < needed:
        raise Refused("/usr has %d MiB free, and the package needs %d MiB. Remedy: free space there." % (free // 1024, needed // 1024))


def distribution_version(module: AnsibleModule, package: str) -> str:
    """The newest version that an archive of the distribution offers."""
    out = module.run_command(["apt-cache", "madison", package])[1]
    if not out.strip():
        module.run_command(["apt-get", "update", "--quiet"])
        out = module.run_command(["apt-cache", "madison", package])[1]
    versions: list[str] = [line.split("|")[1].strip() for line in out.splitlines() if line.count("|") == 2]
    found = [version for version in versions if "+xgn." not in version]
    if not found:
        raise Refused(
            "apt knows no version of %s. Remedy: look at the archives in /etc/apt/sources.list.d, or stay with the package that was built."
            % package
        )
    return found[0]


def former_file(parameters: dict[str, Any], before: str | None) -> str | None:
    """The package file of the version that was installed, if it is still beside the new one."""
    if before is None or not parameters["path"]:
        return None
    pattern = os.path.join(os.path.dirname(parameters["path"]), "%s_%s_*.deb" % (parameters["package"], before))
    return next(iter(glob.glob(pattern)), None)


def tidy(parameters: dict[str, Any], former: str | None) -> None:
    """Keep this package file and the former one."""
    directory = os.path.dirname(parameters["path"])
    for path in glob.glob(os.path.join(directory, parameters["package"] + "_*.deb")):
        if path not in (parameters["path"], former):
            os.unlink(path)


def install(module: AnsibleModule, what: list[str], former: str | None) -> None:
    """Let apt install; on failure put the former package, and its hold, back."""
    package = module.params["package"]
    held = package in module.run_command(["apt-mark", "showhold", package])[1].split()
    status, out, err = module.run_command([*INSTALL, *what])
    if status == 0:
        return
    said = "\n".join((out + err).strip().splitlines()[-25:])
    again = "nothing was installed"
    if module.run_command(["dpkg", "--audit"])[1].strip() and former:
        restored = module.run_command([*INSTALL, former])[0] == 0
        again = "the former package was put back" if restored else "the former package could not be put back either"
    # apt ends it before the first file is written.
    if held and module.run_command(["apt-mark", "hold", package])[0]:
        again += ", and it is no longer held"
    module.fail_json(
        msg="%s could not be installed; %s. Remedy: correct what apt complains of, then run again. apt says:\n%s" % (package, again, said)
    )


def what_to_install(module: AnsibleModule, before: str | None) -> tuple[str, list[str], str | None]:
    """The version, apt's words for it, and the former package's file. Raises Refused."""
    parameters = module.params
    package, version = parameters["package"], parameters["version"]
    if version:
        check_file(module, parameters)
        former, what = former_file(parameters, before), [parameters["path"]]
    else:
        former, version = None, distribution_version(module, package)
        what = ["%s=%s" % (package, version), *parameters["companions"]]
    # Where all that is needed is there, no archive is asked; a router may not reach one.
    if module.run_command([*INSTALL, "--simulate", *what])[0]:
        module.run_command(["apt-get", "update", "--quiet"])
    return version, what, former


def install_and_restart(module: AnsibleModule, what: list[str], former: str | None) -> None:
    """Install, and restart the package's service where the distribution's package leaves it running from the former files. Raises CommandError."""
    package, systemd = module.params["package"], Systemd(module.run_command)
    unit = SERVICES.get(package)
    running = systemd.main_pid(unit) if unit else ""
    if unit and running:
        # What is asked for is no crash, and does not count against the unit's limit of starts.
        systemd.attempt("reset-failed", unit)
    install(module, what, former)
    if unit and running not in ("", "0") and systemd.main_pid(unit) == running:
        systemd.do("restart", unit)
    output(module.run_command, "apt-mark", "hold" if module.params["version"] else "unhold", package)


def main() -> None:
    module = host_module(
        argument_spec={
            "package": {"type": "str", "required": True},
            "version": {"type": "str"},
            "path": {"type": "path"},
            "sha512": {"type": "str"},
            "companions": {"type": "list", "elements": "str", "default": []},
            "wait_s": {"type": "int", "default": 0},
        },
        required_together=[("version", "path", "sha512")],
        supports_check_mode=True,
    )
    module.run_command_environ_update = ENVIRONMENT
    parameters = module.params
    package, version = parameters["package"], parameters["version"]
    before = installed(module, package)
    if version and before == version:
        module.exit_json(changed=False, before=before, after=version)
    if not version and (before is None or "+xgn." not in before):
        module.exit_json(changed=False, before=before, after=before)
    if module.check_mode:
        module.exit_json(changed=True, before=before, after=version)
    try:
        version, what, former = what_to_install(module, before)
    except Refused as error:
        module.fail_json(msg="%s was not installed, and nothing was changed: %s" % (package, error))
    sessions = established(module) if parameters["wait_s"] else set()
    try:
        install_and_restart(module, what, former)
    except CommandError as error:
        module.fail_json(
            msg="%s %s is installed, but a step after that failed: %s. Remedy: correct the reason, then run again."
            % (package, version, error)
        )
    if parameters["version"]:
        tidy(parameters, former)
    missing = wait_for(module, sessions, parameters["wait_s"])
    if missing:
        module.fail_json(
            msg="%s %s is installed in place of %s, but after %d s these BGP sessions are not established again: %s. No further host is changed in this run. "
            "Remedy: `vtysh -c 'show bgp vrf all summary'` says why; a downgrade is to install the former version."
            % (package, version, before, parameters["wait_s"], ", ".join(sorted(missing)))
        )
    module.exit_json(changed=True, before=before, after=version)


if __name__ == "__main__":
    main()
