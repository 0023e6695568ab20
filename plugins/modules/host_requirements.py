# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_requirements
short_description: Check kernel and tools of a host before it is changed
version_added: 0.1.0
description:
  - Compares what module M(xuegao.net.host_facts) has found on a host with what the host's variables ask for - kernel modules for its tunnels and interfaces,
    systemd, no NetworkManager that takes interfaces away, a clock that is right, and archives that have what is missing.
  - Refuses as well to take away the last object that a role has made on the host, unless C(xgn_remove_all), or the role's own variable, says that this is
    meant.
  - Warns of packet filters of others (ufw, firewalld, Docker, fail2ban, libvirt, Kubernetes, rules of somebody's own, of nftables and of both kinds of
    iptables) that would drop what is planned there. These are read and never touched.
  - Refuses to rewrite what somebody else has made, unless C(xgn_adopt), or the role's own variable, says that it is to be taken over; and interfaces that the
    variables name, that nothing makes, and that the host has not.
  - Refuses a host whose first packet filter would close ports that are listened on, or what comes from bridges and tunnels that no plan knows, and names
    each, unless C(firewall_close) says that they may be closed.
  - Reads the variables of this collection's roles that the host has; those it does not use may be absent. Makes no remote call.
options:
  host:
    description: The fact C(xgn_host).
    type: dict
    required: true
  candidates:
    description: Packages that the host lacks, with the version that its archives have, as M(xuegao.net.package_candidates) tells; null for none.
    type: dict
    default: {}
  archives_error:
    description: What apt said of archives that it could not read.
    type: str
    default: ''
  owners_of:
    description: Role whose files, units and interfaces are looked for among what somebody else has made; then nothing else is judged.
    type: str
    choices: [sysctl, wireguard, openvpn, l2tp_ipsec, vrf, firewall, frr, docker_macvlan, dns_anycast, gobgp]
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
author:
  - xuegao.net maintainers (@xuegao)
"""

EXAMPLES = r"""
- name: Look at the host
  xuegao.net.host_facts:

- name: Check kernel and tools
  xuegao.net.host_requirements:
    host: "{{ ansible_facts.xgn_host }}"
"""

RETURN = r"""
msg:
  description: How many requirements are not met, and a line with the remedy for each.
  returned: always
  type: str
  sample: |
    r1 does not meet 1 requirement(s). Nothing was changed on it.
    - WireGuard is in the kernel since 5.6; this kernel is 4.19.0-27-amd64. Remedy: install the distribution's current kernel and reboot.
"""
