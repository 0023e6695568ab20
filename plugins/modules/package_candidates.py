#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: package_candidates
short_description: Which versions of packages and source packages apt would take
version_added: 0.2.0
description:
  - Asks apt on the host, in one call. Reads the package lists anew when apt knows nothing of a name, or when told to.
author: xuegao.net maintainers (@xuegao)
options:
  packages:
    description: Binary packages.
    type: list
    elements: str
    default: []
  sources:
    description: Source packages.
    type: list
    elements: str
    default: []
  anew:
    description:
      - Read the lists of all archives anew, into a directory that goes again, so that only an archive that answers now counts. Where none does, that is
        said in RV(error), and is no failure.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Is libyang new enough here?
  xuegao.net.package_candidates:
    packages: [libyang-dev]
    sources: [frr]
"""

RETURN = r"""
architecture:
  description: The host's architecture in dpkg's words.
  returned: always
  type: str
packages:
  description: Name to version; null for what apt does not know.
  returned: always
  type: dict
error:
  description: What apt said of archives that it could not read, with O(anew); empty when all answered.
  returned: always
  type: str
sources:
  description: Name to the newest version; null for what apt does not know.
  returned: always
  type: dict
"""

import functools
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module

# An archive that is not there is not waited for as long as apt would.
PATIENCE = ["--option", "Acquire::Retries=0", "--option", "Acquire::http::Timeout=20", "--option", "Acquire::https::Timeout=20"]


class Apt:
    """apt's view of the archives.

    Parameters:
        module: runs the commands.
        options: further options for each of them.
    """

    def __init__(self, module: AnsibleModule, options: list[str]) -> None:
        self.module = module
        self.options = options

    def candidate(self, name: str) -> str | None:
        """The version of a binary package that would be installed."""
        out = self.module.run_command(["apt-cache", *self.options, "policy", name], check_rc=True)[1]
        for line in out.splitlines():
            key, _colon, value = line.strip().partition(": ")
            if key == "Candidate" and value != "(none)":
                return str(value)
        return None

    def newest_source(self, name: str) -> str | None:
        """The newest version of a source package. The command's status is the same for an unknown name and for no source line."""
        out = self.module.run_command(["apt-cache", *self.options, "showsrc", "--only-source", name])[1]
        versions = [line.partition(": ")[2] for line in out.splitlines() if line.startswith("Version: ")]

        def order(one: str, other: str) -> int:
            return 1 if self.module.run_command(["dpkg", "--compare-versions", one, "gt", other])[0] == 0 else -1

        return max(versions, key=functools.cmp_to_key(order)) if versions else None

    def update(self) -> None:
        """Read the lists anew."""
        self.module.run_command(["apt-get", *self.options, "update", "--quiet"], check_rc=True)

    def try_archives(self) -> str:
        """Read the lists anew as far as archives answer; return what apt said of those that do not."""
        # An unreachable archive is but a warning.
        _status, _out, err = self.module.run_command(["apt-get", *self.options, *PATIENCE, "update", "--quiet"])
        return "\n".join(dict.fromkeys(line for line in err.splitlines() if line.startswith(("E:", "W:"))))


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = host_module(
        argument_spec={"packages": names, "sources": names, "anew": {"type": "bool", "default": False}}, supports_check_mode=True
    )

    def with_lists_of_its_own() -> Apt:
        lists = tempfile.mkdtemp(dir=module.tmpdir)
        os.mkdir(os.path.join(lists, "partial"))
        return Apt(module, ["--option", "Dir::State::Lists=" + lists, "--option", "Dir::Cache=" + lists])

    def ask(apt: Apt) -> tuple[dict[str, str | None], dict[str, str | None]]:
        return (
            {name: apt.candidate(name) for name in module.params["packages"]},
            {name: apt.newest_source(name) for name in module.params["sources"]},
        )

    apt, error = Apt(module, []), ""
    if module.params["anew"]:
        apt = with_lists_of_its_own()
        error = apt.try_archives()
    packages, sources = ask(apt)
    if not module.params["anew"] and None in (*packages.values(), *sources.values()):
        if module.check_mode:
            # Check mode leaves none behind.
            apt = with_lists_of_its_own()
        apt.update()
        packages, sources = ask(apt)
    architecture = module.run_command(["dpkg", "--print-architecture"], check_rc=True)[1].strip()
    module.exit_json(changed=False, architecture=architecture, packages=packages, sources=sources, error=error)


if __name__ == "__main__":
    main()
