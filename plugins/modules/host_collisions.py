# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_collisions
short_description: Check that no two hosts, and no neighbor, hold what only one may have
version_added: 0.3.0
description:
  - Compares what module M(xuegao.net.host_facts) has found on all hosts of the play with one another and with what the hosts' variables give out. Run it once a
    play (C(run_once)), before anything is changed. Makes no remote call.
  - Refuses hosts without a machine id or with equal ones, as clones of one disk have, and equal MACs in one subnet of the plan.
  - Refuses an address of the plan that another host holds on an interface that is not of the plan, that a neighbor of the host has, such as the gateway of its
    LAN, or that the kernel gave up since another one on the link has it (duplicate address detection of IPv6).
  - Refuses a prefix of the plan that overlaps, in its VRF, with the network on a link of a host, or holds a prefix for which a host has a static route, unless
    the plan or what the host last applied gave it to that interface. A wider static route is none, since the longest prefix wins.
  - What is meant to be there twice is named in C(preflight_allow_collisions) of one of the hosts.
  - Reads the variables of the hosts as C(hostvars) have them, so those of a play (C(vars)) not.
options:
  directory:
    description:
      - Where it is recorded what the hosts applied, on the controller. C(.applied) beside the inventory when not given. An address that a host had by that
        is no stranger's, wherever it goes.
    type: path
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
author:
  - xuegao.net maintainers (@xuegao)
"""

EXAMPLES = r"""
- name: Look at the host
  xuegao.net.host_facts:

- name: See that nothing collides
  xuegao.net.host_collisions:
  run_once: true
"""

RETURN = r"""
msg:
  description: How many collisions there are, and a line with the remedy for each.
  returned: always
  type: str
  sample: |
    1 collision(s). Nothing was changed on any host of this batch.
    - r1 (eth1) is to have 192.168.1.1, and a neighbor with MAC 00:00:5e:00:53:01 has it already on the link of eth1. Remedy: choose another address in the
      intent, or take it away from there. If it is gone from there: `ip neigh flush to 192.168.1.1` on r1. If it is meant:
      preflight_allow_collisions: ['192.168.1.1'].
"""
