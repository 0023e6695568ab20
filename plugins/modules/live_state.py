#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: live_state
short_description: The whole live state of a router in one call
version_added: 0.1.0
description:
  - Reads interfaces, addresses, routes of all tables, rules, WireGuard, BGP, BFD, OSPF, FRR's routes, units and kernel settings,
    and pings, all in one remote call. Changes nothing.
  - WireGuard's private and preshared keys, and passwords of FRR, stay on the host.
  - A part that cannot be read has C(data) null and says why in C(error); the module fails only when its own arguments are wrong.
author: xuegao.net maintainers (@xuegao)
options:
  sysctls:
    description: Kernel settings to read.
    type: list
    elements: str
    default: []
  units:
    description: systemd units to ask for. Without any, nothing is asked of systemd.
    type: list
    elements: str
    default: []
  verify_units:
    description: Units to give to C(systemd-analyze verify).
    type: list
    elements: str
    default: []
  wireguard_files:
    description: WireGuard interfaces whose configuration file is looked at.
    type: list
    elements: str
    default: []
  openvpn_tunnels:
    description: OpenVPN tunnels to ask, each with C(name) and C(role).
    type: list
    elements: dict
    default: []
  l2tp:
    description: Ask for the security associations of L2TP/IPsec.
    type: bool
    default: false
  vxlan:
    description: Read the VXLAN interfaces and whom they flood.
    type: bool
    default: false
  gre:
    description: Read the GRE tunnels.
    type: bool
    default: false
  docker:
    description: Read Docker; C(containers) names system containers whose systemd is asked. Nothing is read without this.
    type: dict
    suboptions:
      containers:
        description: Names of system containers.
        type: list
        elements: str
        default: []
  frr:
    description: Ask FRR.
    type: bool
    default: true
  originated:
    description: Prefixes of which BGP's own entry is looked at, each with C(vrf) and C(prefix).
    type: list
    elements: dict
    default: []
  rpki:
    description: Ask FRR for its RPKI caches.
    type: bool
    default: false
  inbound:
    description: Read the filters of what BGP neighbors bring, as bgpd itself has them.
    type: bool
    default: false
  frr_config:
    description: Compare FRR's running configuration with its file (C(frr-reload.py --test)).
    type: bool
    default: false
  frr_lines:
    description: Own lines to look for in FRR's running configuration, each entry with C(section) and C(lines).
    type: list
    elements: dict
    default: []
  gobgp:
    description: Ask GoBGP and look at what is steered.
    type: bool
    default: false
  filter:
    description: The file of role C(firewall), to list the live packet filter beside it.
    type: str
    default: ""
  anycast:
    description: Ask the guard of the anycast addresses.
    type: bool
    default: false
  listening:
    description: Read which TCP sockets listen.
    type: bool
    default: false
  configuration:
    description: Read FRR's running configuration, wg-quick's files and the names of nft's tables, with a name in place of each secret.
    type: bool
    default: false
  boot_plot:
    description: Return the timeline of the boot as SVG.
    type: bool
    default: false
  pings:
    description: Destinations to ping, all at once.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Name by which the result is found.
        type: str
        required: true
      destination:
        description: Address.
        type: str
        required: true
      source:
        description: Source address.
        type: str
      vrf:
        description: VRF to send in.
        type: str
      size:
        description: Payload in bytes.
        type: int
      df:
        description: Forbid fragments.
        type: bool
        default: false
      count:
        description: Packets.
        type: int
        default: 3
  wait:
    description: Seconds to wait on the host for what O(expect) names, and for containers that boot.
    type: int
    default: 0
  expect:
    description: What should be up before the state is read.
    type: dict
    default: {}
    suboptions:
      bgp:
        description: BGP neighbors, each with C(vrf) and C(address).
        type: list
        elements: dict
        default: []
      bfd:
        description: BFD peers, each with C(vrf) and C(address).
        type: list
        elements: dict
        default: []
      routes:
        description: Routes, each with C(vrf) and C(prefix).
        type: list
        elements: dict
        default: []
      ospf:
        description: Interfaces with an OSPFv2 neighbor.
        type: list
        elements: str
        default: []
      ospf6:
        description: Interfaces with an OSPFv3 neighbor.
        type: list
        elements: str
        default: []
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Wait for a neighbor, then read everything
  xuegao.net.live_state:
    sysctls: [net.ipv4.ip_forward]
    units: [frr.service]
    pings:
      - {id: loopback, destination: 8.8.8.8, source: 8.8.4.4, vrf: CORE, size: 1384, df: true}
    wait: 30
    expect:
      bgp:
        - {vrf: CORE, address: 2.1.1.1}
  register: live
"""

RETURN = r"""
state:
  description:
    - C(system) and C(waited) (seconds), and the parts C(links), C(routes), C(rules4), C(rules6), C(wireguard), C(wireguard_files), C(openvpn),
      C(ipsec), C(l2tp_guard), C(vxlan), C(gre), C(docker), C(packet_filter),
      C(ownership), C(sysctl), C(units), C(managed_by_nm), C(boot), C(ordering_cycles), C(units_verify), C(boot_plot), C(frr_version), C(bgp), C(originated),
      C(bfd), C(rib), C(frr_missed), C(inbound), C(rpki), C(ospf), C(ospf6), C(frr_config), C(frr_lines), C(gobgp_global), C(gobgp_neighbors), C(steering),
      C(filter), C(anycast), C(listening), C(frr_configuration), C(wireguard_configuration), C(tables) and C(pings), as far as they were asked
      for.
    - A part has C(command), C(data) and C(error).
  returned: always
  type: dict
"""

from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer, part, system
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_configuration import gather_configuration
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_docker import gather_docker
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_edge import gather_anycast, gather_filter, gather_listening
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_frr_lines import gather_frr_lines
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_gobgp import gobgp
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_gre import gather_gre
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_l2tp import gather_l2tp
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_openvpn import gather_openvpn
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_ownership import gather_ownership
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_vxlan import gather_vxlan

NAMES: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
DICTS: dict[str, Any] = {"type": "list", "elements": "dict", "default": []}
PING = {
    "id": {"type": "str", "required": True},
    "destination": {"type": "str", "required": True},
    "source": {"type": "str"},
    "vrf": {"type": "str"},
    "size": {"type": "int"},
    "df": {"type": "bool", "default": False},
    "count": {"type": "int", "default": 3},
}
ARGUMENTS = {
    "sysctls": NAMES,
    "units": NAMES,
    "verify_units": NAMES,
    "wireguard_files": NAMES,
    "openvpn_tunnels": DICTS,
    "l2tp": {"type": "bool", "default": False},
    "vxlan": {"type": "bool", "default": False},
    "gre": {"type": "bool", "default": False},
    "docker": {"type": "dict", "options": {"containers": NAMES}},
    "frr": {"type": "bool", "default": True},
    "originated": DICTS,
    "inbound": {"type": "bool", "default": False},
    "rpki": {"type": "bool", "default": False},
    "frr_config": {"type": "bool", "default": False},
    "frr_lines": DICTS,
    "gobgp": {"type": "bool", "default": False},
    "filter": {"type": "str", "default": ""},
    "anycast": {"type": "bool", "default": False},
    "listening": {"type": "bool", "default": False},
    "configuration": {"type": "bool", "default": False},
    "boot_plot": {"type": "bool", "default": False},
    "pings": {**DICTS, "options": PING},
    "wait": {"type": "int", "default": 0},
    "expect": {
        "type": "dict",
        "default": {},
        "options": {"bgp": DICTS, "bfd": DICTS, "routes": DICTS, "ospf": NAMES, "ospf6": NAMES},
    },
}


def gather(gatherer: Gatherer, asked: dict[str, Any]) -> dict[str, Any]:
    """The parts of the state that are asked for, and those that every router has. asked: as ARGUMENTS."""
    state: dict[str, Any] = {"system": system(), "waited": 0.0}
    if asked["frr"]:
        parts, state["waited"] = gatherer.until_up(asked["expect"], asked["wait"], asked["originated"])
        state.update(parts)
        state["frr_missed"] = gatherer.frr_missed()
        if asked["rpki"]:
            state["rpki"] = gatherer.rpki()
        if asked["inbound"]:
            state["inbound"] = gatherer.inbound()
    if asked["gobgp"]:
        state.update(gobgp(gatherer, asked["wait"]))
    state["pings"] = part("ping", data=gatherer.pings(asked["pings"]))
    state.update(gatherer.network())
    # After the pings: they are what makes an idle tunnel shake hands.
    state.update(gatherer.wireguard(asked["wireguard_files"]))
    if asked["openvpn_tunnels"]:
        state["openvpn"] = gather_openvpn([(item["name"], item["role"]) for item in asked["openvpn_tunnels"]])
    if asked["l2tp"]:
        state.update(gather_l2tp(gatherer))
    if asked["vxlan"]:
        state["vxlan"] = gather_vxlan(gatherer)
    if asked["gre"]:
        state["gre"] = gather_gre(gatherer)
    if asked["docker"] is not None:
        state.update(gather_docker(gatherer, asked["docker"]["containers"], asked["wait"]))
    if asked["filter"]:
        state["filter"] = gather_filter(gatherer, asked["filter"])
    if asked["anycast"]:
        state["anycast"] = gather_anycast(gatherer)
    if asked["listening"]:
        state["listening"] = gather_listening(gatherer)
    if asked["configuration"]:
        state.update(gather_configuration(gatherer))
    state["ownership"] = gather_ownership(gatherer)
    state["sysctl"] = gatherer.sysctl(asked["sysctls"])
    if asked["units"]:
        state.update(gatherer.units(asked["units"], asked["verify_units"]))
    if asked["boot_plot"]:
        state["boot_plot"] = gatherer.boot_plot()
    if asked["frr_config"]:
        state["frr_config"] = gatherer.frr_config()
    if asked["frr_lines"]:
        state["frr_lines"] = gather_frr_lines(gatherer, asked["frr_lines"])
    return state


def main() -> None:
    module = host_module(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(changed=False, state=gather(Gatherer(), module.params))


if __name__ == "__main__":
    main()
