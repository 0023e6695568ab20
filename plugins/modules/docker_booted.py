#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_booted
short_description: Wait until systemd in containers has booted
version_added: 0.3.0
description:
  - Asks systemd in each container until it has booted, with or without failed units. Changes nothing.
  - In check mode nothing was started, and nothing is waited for.
author: xuegao.net maintainers (@xuegao)
options:
  containers:
    description: Names of running containers.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds after which a container counts as one that does not boot.
    type: int
    default: 180
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Wait until it can be configured
  xuegao.net.docker_booted:
    containers: [igp]
"""

RETURN = r"""
states:
  description: What systemd says of itself, by container.
  returned: always
  type: dict
  sample: {igp: running}
"""

from concurrent.futures import ThreadPoolExecutor

from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_docker import BOOTED, systemd_state


def main() -> None:
    module = host_module(
        argument_spec={
            "containers": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    names: list[str] = module.params["containers"]
    if module.check_mode or not names:
        module.exit_json(changed=False, states={})
    gatherer = Gatherer()
    with ThreadPoolExecutor(max_workers=min(8, len(names))) as pool:
        states = dict(zip(names, pool.map(lambda name: systemd_state(gatherer, name, module.params["timeout"]), names)))
    late = ["%s: %s" % (name, state) for name, state in states.items() if state not in BOOTED]
    if late:
        module.fail_json(
            msg="After %d s systemd has not booted in %s. `docker logs NAME` and `docker exec NAME systemctl list-jobs` say what "
            "it waits for." % (module.params["timeout"], "; ".join(late)),
            states=states,
        )
    module.exit_json(changed=False, states=states)


if __name__ == "__main__":
    main()
