#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: What a router needs to know about its host, in one call
version_added: 0.1.0
description:
  - Distribution, kernel, kernel features, installed packages, commands, and what the collection made here. Replaces a fact run, a package query and
    several probes.
author: xuegao.net maintainers (@xuegao)
options:
  commands:
    description: Commands to look for.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Look at the host
  xuegao.net.host_facts:
    commands: [wg, vtysh]
"""

RETURN = r"""
ansible_facts:
  description: What is known of the host.
  returned: always
  type: dict
  contains:
    xgn_host:
      description:
        - V(os_family) (V(Debian), V(RedHat) or the ID of os-release), V(distribution), V(distribution_version), V(machine), V(kernel) (release),
        - V(kernel_features) (name to V(builtin), V(module), V(loaded), V(missing) or V(unknown)), V(packages) (names),
        - V(artifacts) (name to version of the packages that role frr_build made),
        - V(commands) (name to path or null), V(network_manager) (whether it runs), V(systemd) (whether it is PID 1),
        - V(container) (whether the kernel is shared), V(recorded) (what each role made, as words of kind and name; roles that made nothing are not in it).
      type: dict
    xgn_way_back:
      description: That an earlier run has left changes to confirm, with V(armed), V(seconds) and V(run). This run is given a quarter of an hour for it.
      returned: when there are such changes, outside of check mode
      type: dict
"""

import os
import platform
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import way_back
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.ownership import recorded

# What the versions of packages contain that role frr_build made; see plugin_utils/frr_build/build_plan.py.
ARTIFACT_MARK = "+xgn."
# What the rules for hosts judge (JUDGED in plugin_utils/validate/host_requirements.py), which no module can ask; a test holds the two together.
KERNEL_FEATURES = (
    *("8021q", "bridge", "dummy", "ip6_gre", "ip_gre", "macvlan", "mpls_router", "ppp_generic"),
    *("tun", "vrf", "vxlan", "wireguard"),
)


def os_release() -> dict[str, str]:
    """/etc/os-release as a dictionary (os-release(5))."""
    values = {}
    for line in read_text("/etc/os-release").splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            values[key] = value.strip().strip("\"'")
    return values


def os_family(release: dict[str, str]) -> str:
    """The family whose package names and paths hold here."""
    ids = [release.get("ID", "")] + release.get("ID_LIKE", "").split()
    for identity, family in (("debian", "Debian"), ("rhel", "RedHat"), ("fedora", "RedHat")):
        if identity in ids:
            return family
    return ids[0]


def kernel_features(release: str) -> dict[str, str]:
    """Where each feature of KERNEL_FEATURES comes from on the running kernel.

    A kernel whose module tree is not on this file system (a container's) tells only what is loaded or built in with
    parameters, so the rest is unknown there.
    """
    tree = "/lib/modules/%s" % release
    builtin = {os.path.basename(line).split(".")[0] for line in read_text(tree + "/modules.builtin").splitlines()}
    loadable = {os.path.basename(line.split(":")[0]).split(".")[0] for line in read_text(tree + "/modules.dep").splitlines()}
    features = {}
    for name in KERNEL_FEATURES:
        if os.path.isdir("/sys/module/" + name):
            features[name] = "loaded"
        elif name in builtin:
            features[name] = "builtin"
        elif name in loadable:
            features[name] = "module"
        else:
            features[name] = "missing" if builtin or loadable else "unknown"
    return features


def installed_packages(module: AnsibleModule, family: str) -> dict[str, str]:
    """Name to version of the installed packages; empty on a family whose package query is not known here."""
    query = {
        "Debian": ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package} ${Version}\n"],
        "RedHat": ["rpm", "--query", "--all", "--queryformat", "ii %{NAME} %{VERSION}\n"],
    }.get(family)
    if query is None:
        return {}
    status, out, err = module.run_command(query, check_rc=True)
    return dict(line.split()[1:] for line in out.splitlines() if line.startswith(("ii", "hi")))


def main() -> None:
    module = AnsibleModule(
        argument_spec={"commands": {"type": "list", "elements": "str", "default": []}},
        supports_check_mode=True,
    )
    release = os_release()
    family = os_family(release)
    kernel = platform.release()
    packages = installed_packages(module, family)
    facts: dict[str, Any] = {
        "os_family": family,
        "distribution": release.get("ID", ""),
        "distribution_version": release.get("VERSION_ID", ""),
        "machine": platform.machine(),
        "kernel": kernel,
        "kernel_features": kernel_features(kernel),
        "packages": sorted(packages),
        "artifacts": {name: version for name, version in packages.items() if ARTIFACT_MARK in version},
        "commands": {name: module.get_bin_path(name) for name in module.params["commands"]},
        "network_manager": os.path.isdir("/run/NetworkManager"),
        "systemd": os.path.isdir("/run/systemd/system"),
        "container": os.path.exists("/run/systemd/container") or os.path.exists("/.dockerenv"),
        "recorded": recorded(module.warn),
    }
    left = {} if module.check_mode else way_back.left_armed()
    module.exit_json(changed=False, ansible_facts={"xgn_host": facts, **({way_back.FACT: left} if left else {})})


if __name__ == "__main__":
    main()
