#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: interface_layer
short_description: VRFs and their member interfaces, declared and live
version_added: 0.1.0
description:
  - Writes the declared state to a file and brings the kernel in line with it, changing only what differs.
  - What was declared before and no longer is, is taken down.
  - Tells the network managers that run on the host what is not theirs, and has them read it, before anything is changed.
  - Shows in check mode which C(ip) commands it would run.
author: xuegao.net maintainers (@xuegao)
options:
  vrfs:
    description: The VRFs, each with O(vrfs[].name) and O(vrfs[].table).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the VRF and of its device.
        type: str
        required: true
      table:
        description:
          - Routing table. With another one the VRF is deleted and made again, with all that is in it - the kernel cannot change it.
        type: int
        required: true
      fwmark:
        description: Firewall mark of packets of the host's own that are routed in the VRF, whichever socket they come from.
        type: int
  interfaces:
    description: The interfaces.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Interface name.
        type: str
        required: true
      kind:
        description: Make the interface with this kind.
        type: str
        choices: [bridge, dummy, macvlan, vlan]
      parent:
        description: Interface a VLAN or macvlan lies on.
        type: str
      vlan:
        description: VLAN id.
        type: int
      vrf:
        description: VRF it is enslaved to.
        type: str
      bridge:
        description: Bridge it is a port of; the bridge itself may be in a VRF.
        type: str
      mtu:
        description: MTU in bytes.
        type: int
      mac:
        description: MAC address.
        type: str
      unit:
        description: systemd unit that makes the interface; for the caller's use.
        type: str
      dynamic:
        description: The interface may be absent, such as a PPP interface while its peer is away.
        type: bool
      hears_routers:
        description: The NIC has its IPv6 default route from router advertisements, and systemd-networkd is told to go on hearing them.
        type: bool
      asks_dhcp:
        description: The NIC has its IPv4 default route from a DHCP server. Nothing is made of it; C(verify) looks for the route.
        type: bool
  default_routes:
    description: Default routes that take the place of those there are.
    type: list
    elements: dict
    default: []
    suboptions:
      gateway:
        description: Address of the gateway.
        type: str
        required: true
      interface:
        description: Interface that leads to it.
        type: str
        required: true
      vrf:
        description: VRF of the route; the default VRF when not given.
        type: str
      onlink:
        description: The gateway is a neighbor on the interface although no subnet of the interface has its address.
        type: bool
  addressed:
    description: Interfaces that FRR gives their addresses. A network manager is told to leave these addresses alone.
    type: list
    elements: str
    default: []
  vxlans:
    description:
      - VXLAN interfaces. Their VRF or bridge stands in O(interfaces).
      - VNI, port, underlay VRF and the IP version of the ends cannot change while one lives, so it is made again then, which a warning says,
        in check mode too. All else is changed in place.
      - One that does not fit the interface that has its local address is refused before anything is changed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Interface name.
        type: str
        required: true
      vni:
        description: VXLAN network identifier.
        type: int
        required: true
      local:
        description: Own outer address.
        type: str
        required: true
      remotes:
        description: Outer addresses of the others; with more than one, frames for unknown addresses go to each of them.
        type: list
        elements: str
        required: true
      port:
        description: UDP port.
        type: int
        default: 4789
      mtu:
        description: MTU in bytes.
        type: int
      mac:
        description: MAC address.
        type: str
      arp:
        description: Whether it answers ARP; it does when not given.
        type: bool
      underlay_vrf:
        description: VRF the outer packets are routed in; the default VRF when not given.
        type: str
  gre_tunnels:
    description:
      - GRE tunnels. Their VRF stands in O(interfaces).
      - Ends, key, underlay VRF and the IP version of the ends make another tunnel of one, so it is made again then, which a warning says, in check
        mode too. All else is changed in place.
      - One that does not fit the interface that has its local address is refused before anything is changed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Interface name.
        type: str
        required: true
      peer:
        description: Name of the other end; for the caller's use.
        type: str
      peer_interface:
        description: Interface of the other end; for the caller's use.
        type: str
      local:
        description: Own outer address.
        type: str
        required: true
      remote:
        description: Outer address of the other end.
        type: str
        required: true
      key:
        description: Key of the packets; they have none when not given.
        type: int
      ttl:
        description: TTL or hop limit of the outer packets.
        type: int
        default: 64
      pmtudisc:
        description: Forbid fragments of the outer packets. Over IPv6 there are none in any case.
        type: bool
        default: true
      mtu:
        description: MTU in bytes.
        type: int
      underlay_vrf:
        description: VRF the outer packets are routed in; the default VRF when not given.
        type: str
  remove_all:
    description: Allow that nothing is declared although all that was declared earlier would go.
    type: bool
    default: false
  drain_seconds:
    description:
      - FRR sends traffic another way before a living VXLAN, GRE tunnel or VLAN is made again or gets other ends, and this is how long that may take at most;
        then how long its sessions may take to come back. Needs a session over the interface, and is left out where something is drained already.
        V(0) does not drain.
    type: int
    default: 0
  path:
    description: File that holds the declared state, read at boot.
    type: path
    default: /etc/xgn/interface.json
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: VRF CORE with the tunnel in it
  xuegao.net.interface_layer:
    vrfs:
      - {name: CORE, table: 200}
    interfaces:
      - {name: wg0, vrf: CORE}
      - {name: br0, kind: bridge, vrf: CORE}
"""

RETURN = r"""
commands:
  description: The C(ip) commands that were run, or would be run in check mode.
  returned: always
  type: list
  elements: str
  sample: ["ip link set dev wg0 master CORE"]
made_again:
  description: VRFs, VXLANs and GRE tunnels that were (or would be) deleted and made again, with the reason.
  returned: always
  type: list
  elements: str
  sample: ["vxlan1000 (vni 1000 to 1001)"]
drained:
  description: Links that were drained meanwhile, and whether their traffic had another way.
  returned: always
  type: list
  elements: str
  sample: ["gre4: drain; traffic goes another way meanwhile"]
missing:
  description: Declared interfaces that do not exist yet and that this module does not make; only in check mode, otherwise it is a failure.
  returned: always
  type: list
  elements: str
"""

import json
import os
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import (
    frr_drain,
    interface_gre,
    interface_managers,
    interface_tunnel,
    interface_vxlan,
    iproute,
    owners,
)
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer as layer
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.files import is_as_declared, read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.ownership import refusal
from ansible_collections.xuegao.net.plugins.module_utils.sysfs import interface_exists, interface_mtu
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK
from ansible_collections.xuegao.net.plugins.module_utils.way_back import command_note
from ansible_collections.xuegao.net.plugins.module_utils.way_back_program import INTERFACES

VRF = {"name": {"type": "str", "required": True}, "table": {"type": "int", "required": True}, "fwmark": {"type": "int"}}
INTERFACE = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["bridge", "dummy", "macvlan", "vlan"]},
    "parent": {"type": "str"},
    "vlan": {"type": "int"},
    "vrf": {"type": "str"},
    "bridge": {"type": "str"},
    "mtu": {"type": "int"},
    "mac": {"type": "str"},
    "unit": {"type": "str"},
    "dynamic": {"type": "bool"},
    "hears_routers": {"type": "bool"},
    "asks_dhcp": {"type": "bool"},
}
ROUTE = {
    "gateway": {"type": "str", "required": True},
    "interface": {"type": "str", "required": True},
    "vrf": {"type": "str"},
    "onlink": {"type": "bool"},
}
VXLAN = {
    "name": {"type": "str", "required": True},
    "vni": {"type": "int", "required": True},
    "local": {"type": "str", "required": True},
    "remotes": {"type": "list", "elements": "str", "required": True},
    "port": {"type": "int", "default": interface_vxlan.PORT},
    "mtu": {"type": "int"},
    "mac": {"type": "str"},
    "arp": {"type": "bool"},
    "underlay_vrf": {"type": "str"},
}
GRE = {
    "name": {"type": "str", "required": True},
    "peer": {"type": "str"},
    "peer_interface": {"type": "str"},
    "local": {"type": "str", "required": True},
    "remote": {"type": "str", "required": True},
    "key": {"type": "int", "no_log": False},  # it stands in every packet
    "ttl": {"type": "int", "default": interface_gre.TTL},
    "pmtudisc": {"type": "bool", "default": True},
    "mtu": {"type": "int"},
    "underlay_vrf": {"type": "str"},
}

ARGUMENTS = {
    "vrfs": {"type": "list", "elements": "dict", "default": [], "options": VRF},
    "interfaces": {"type": "list", "elements": "dict", "default": [], "options": INTERFACE},
    "default_routes": {"type": "list", "elements": "dict", "default": [], "options": ROUTE},
    "addressed": {"type": "list", "elements": "str", "default": []},
    "vxlans": {"type": "list", "elements": "dict", "default": [], "options": VXLAN},
    "gre_tunnels": {"type": "list", "elements": "dict", "default": [], "options": GRE},
    "remove_all": {"type": "bool", "default": False},
    "drain_seconds": {"type": "int", "default": 0},
    "path": {"type": "path", "default": layer.STATE_FILE},
    **OWNERS,
    **WAY_BACK,
}


def given(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The dictionaries without the keys that have no value."""
    return [{key: value for key, value in item.items() if value is not None} for item in items]


def declared_state(params: dict[str, Any]) -> dict[str, Any]:
    """What is to be, as the program reads it at boot."""
    declared = {"vrfs": given(params["vrfs"]), "interfaces": given(params["interfaces"])}
    for key in (*layer.TUNNELS, "default_routes"):
        if params[key]:
            declared[key] = given(params[key])
    # Of interest to network managers only, and nothing that is made here.
    if params["addressed"] and any(declared.values()):
        declared["addressed"] = list(dict.fromkeys(params["addressed"]))
    return declared


def printed(declared: dict[str, Any]) -> str:
    """A state as its file holds it."""
    return json.dumps(declared, indent=1, sort_keys=True) + "\n"


def to_make_again(module: AnsibleModule, declared: dict[str, Any], previous: dict[str, Any]) -> list[str]:
    """The VRFs and tunnels that must be deleted and made again, and why, with a warning for each. Fails where a tunnel does not fit its underlay.

    Raises InterfaceLayerError.
    """
    kernel, tunnels = layer.Kernel(), layer.tunnels_of(declared)
    links = kernel.links()
    refusals = interface_tunnel.too_large(kernel, links, declared, tunnels)
    if refusals:
        module.fail_json(msg="\n".join(refusals + ["Nothing was changed."]))
    made_again = []
    for name, (former, table) in layer.tables_to_change(links, declared, previous).items():
        made_again.append("%s (table %d to %d)" % (name, former, table))
        module.warn("VRF %s is deleted and made again with all that is in it: what runs there is interrupted" % made_again[-1])
    for part, item in tunnels:
        differences = part.must_be_made_again(links, item)
        if differences:
            text = "%s (%s)" % (item["name"], ", ".join(differences))
            made_again.append(text)
            consequence = "what runs over it is interrupted, and interfaces of containers on it go"
            module.warn("%s %s is deleted and made again: %s" % (part.TITLE, text, consequence))
    return made_again


def refuse_to_delete(module: AnsibleModule, declared: dict[str, Any], previous: dict[str, Any]) -> None:
    """Fail where an interface of somebody else's would have to be deleted, as it cannot become what is declared, unless option C(adopt) says that it may.

    Any other that lived before it was declared is only brought in line, and stays when nobody declares it any more. Raises InterfaceLayerError.
    """
    known = objects_of(previous)
    strange = [name for name in objects_of(declared) if name not in known and interface_exists(name)]
    commands = layer.apply(declared, previous, dry_run=True)[0] if strange and not module.params["adopt"] else []
    found = ["interface " + name for name in strange if "ip link delete dev " + name in commands]
    if found:
        module.fail_json(msg=owners.refusal("vrf", found) + " Nothing was changed.")


def objects_of(declared: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """What of a declared state is this layer's to make or to take back, by name: the section it stands in, and itself.

    An interface that a unit makes, or that comes and goes with its peer, is its role's.
    """
    items = [item for item in declared.get("interfaces", []) if not (item.get("unit") or item.get("dynamic"))]
    found = {item["name"]: ("interfaces", item) for item in items}
    for section in ("vrfs", *layer.TUNNELS):
        found.update({item["name"]: (section, item) for item in declared.get(section, [])})
    return found


def words_of(declared: dict[str, Any]) -> list[str]:
    """What of a declared state the record has, as words of kind and name."""
    return ["interface " + name for name in objects_of(declared)] + ["route " + name for name in main_defaults(declared)]


def before_ours(name: str, is_nic: bool, is_known: bool) -> dict[str, Any] | None:
    """What an interface was before, for the record; None where it is made here. is_known: it was declared here before.

    A NIC of the owner's cannot be deleted, and what else lives before anybody declared it is not ours to delete. mtu: in bytes; None where there is no
    such NIC yet.
    """
    if is_nic:
        return {"nic": True, "mtu": interface_mtu(name)}
    return {"found": True, "mtu": interface_mtu(name)} if not is_known and interface_exists(name) else None


def own(change: HostChange, declared: dict[str, Any], previous: dict[str, Any]) -> None:
    """Take into the record what is declared, before it is made; `save` has to follow."""
    known = objects_of(previous)
    for name, (section, item) in objects_of(declared).items():
        is_nic = section == "interfaces" and not item.get("kind")
        before = partial(before_ours, name, is_nic, name in known)
        change.own("interface", name, before, json.dumps([section, item], sort_keys=True))
    known_defaults = main_defaults(previous)
    for name, route in main_defaults(declared).items():
        before = partial(replaced_by, route, name in known_defaults)
        change.own("route", name, before, json.dumps(route, sort_keys=True))


def main_defaults(declared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The default routes of the main table, by the name that the record has for them."""
    return {iproute.default_name(route["gateway"]): route for route in declared.get("default_routes", []) if not route.get("vrf")}


def replaced_by(route: dict[str, Any], is_known: bool) -> dict[str, Any] | None:
    """What a default route is about to replace, for the record. Raises InterfaceLayerError.

    is_known: it was declared here before there was a record of it. Nobody knows whose it was, so it counts as found.
    """
    return {"found": True} if is_known else iproute.default_before(route, layer.Kernel().read(*iproute.show_defaults(route["gateway"])))


def was_found(change: HostChange, name: str) -> bool:
    """Say whether the record has an interface as one that was found."""
    known = change.recorded.get(("interface", name), {})
    return bool((known.get("before") or {}).get("found"))


def say_what_was_before(change: HostChange, state: dict[str, Any]) -> None:
    """Note in a state what the record has of its objects: MTU of before, what was found, and which default route was replaced."""
    for name, (_section, item) in objects_of(state).items():
        mtu = (change.recorded.get(("interface", name), {}).get("before") or {}).get("mtu")
        if mtu:
            item["former_mtu"] = mtu
        if was_found(change, name):
            item["found"] = True
    for name, route in main_defaults(state).items():
        before = change.recorded.get(("route", name), {"before": {"found": True}})["before"]
        if before:
            route["former"] = before


def lay_way_back(change: HostChange, declared: dict[str, Any], predicted: list[str]) -> None:
    """Tell the way back what is about to be tried; predicted: the commands."""
    for command in predicted:
        # What network managers are told is all that the layer writes itself, at boot too; a setting of the kernel's goes with its interface.
        verb, _blank, path = command.partition(" ")
        if verb in ("write", "remove") and path.startswith("/"):
            change.way_back.keep(path)
    tried = json.loads(json.dumps(declared))
    say_what_was_before(change, tried)
    place = change.way_back.text("interface.json", printed(tried))
    change.about_to(command_note(INTERFACES, "/usr/local/sbin/xgn-interface", "apply", "--previous", place))


def own_told(change: HostChange, told: dict[str, str | None]) -> None:
    """Take the files into the record that tell network managers what is not theirs, before they are written; `save` has to follow."""
    for path, text in told.items():
        change.own_file(path, text)


def strike_out(change: HostChange, declared: dict[str, Any], told: dict[str, str | None]) -> None:
    """Strike out what is no longer declared, since it is gone. told: files for network managers; one that nobody has to read any more is gone, too."""
    for path in change.recorded_names("file"):
        if path not in told and path != change.module.params["path"] and not os.path.lexists(interface_managers.ROOT + path):
            change.disown("file", path)
    for name in change.recorded_names("interface"):
        if name not in objects_of(declared):
            change.disown("interface", name)
    for name in change.recorded_names("route"):
        if name not in main_defaults(declared):
            change.disown("route", name)


def formerly_declared(module: AnsibleModule, change: HostChange, path: str) -> dict[str, Any]:
    """What was declared before: what the file says, and what it has lost and the record still knows."""
    try:
        previous = layer.load(path)
    except layer.InterfaceLayerError as error:
        module.warn("%s. It is written anew; what it declared before is taken from the record." % error)
        previous = {}
    known = {"interface": objects_of(previous).keys(), "route": main_defaults(previous).keys()}
    for (kind, name), entry in change.recorded.items():
        if entry["asked"] and kind in known and name not in known[kind]:
            section, item = json.loads(entry["asked"]) if kind == "interface" else ("default_routes", json.loads(entry["asked"]))
            previous.setdefault(section, []).append(item)
    say_what_was_before(change, previous)
    return previous


def make_live(
    module: AnsibleModule, declared: dict[str, Any], previous: dict[str, Any], something: bool
) -> tuple[list[str], list[str], list[str]]:
    """Bring the kernel in line, and keep traffic off the links that this interrupts. something: whether anything is about to be changed.

    Returns what was drained, in words, and what `interface_layer.apply` returns. Fails where an interface is missing. Raises InterfaceLayerError and
    CommandError.
    """
    interrupted = layer.links_to_interrupt(layer.Kernel().links(), declared) if something else []
    with frr_drain.drained(module, interrupted, module.params["drain_seconds"]) as drained:
        commands, missing = layer.apply(declared, previous, dry_run=module.check_mode)
    if missing and not module.check_mode:
        module.fail_json(
            msg="Declared interfaces do not exist: %s. The others are as declared. Remedy: make them first (role wireguard for its tunnels), or give them a "
            "kind." % ", ".join(missing),
            commands=commands,
            missing=missing,
        )
    return drained, commands, missing


def main() -> None:
    module = host_module(argument_spec=ARGUMENTS, supports_check_mode=True)
    path, declared = module.params["path"], declared_state(module.params)
    text = printed(declared)
    change = HostChange(module, "vrf.layer")
    try:
        previous = formerly_declared(module, change, path)
        if not any(declared.values()) and any(previous.values()) and not module.params["remove_all"]:
            module.fail_json(msg=refusal("vrf", words_of(previous)) + " Nothing was changed.")
        if not any([*declared.values(), *previous.values(), os.path.lexists(path)]):
            module.exit_json(changed=False, commands=[], made_again=[], drained=[], missing=[])
        change.refuse_owners({path: text})
        refuse_to_delete(module, declared, previous)
        own(change, declared, previous)
        made_again = to_make_again(module, declared, previous)
        predicted = [] if module.check_mode else layer.apply(declared, previous, dry_run=True)[0]
        if predicted or not (module.check_mode or is_as_declared(path, text, 0o644)):
            lay_way_back(change, declared, predicted)
        told = {} if module.check_mode else layer.told(declared)
        if not module.check_mode:
            own_told(change, told)
            change.save()
        drained, commands, missing = make_live(module, declared, previous, bool(predicted))
    except (layer.InterfaceLayerError, CommandError) as error:
        module.fail_json(msg=str(error))
    # The file follows the kernel: a run that dies in between still knows what it declared before.
    before, file_differs = read_text(path), not is_as_declared(path, text, 0o644)
    if not module.check_mode:
        change.own_file(path, text)
        change.save()
        if file_differs:
            change.write(path, text, 0o644)
        strike_out(change, declared, told)
    module.exit_json(
        changed=bool(commands) or file_differs,
        commands=commands,
        made_again=made_again,
        drained=drained,
        missing=missing,
        diff=[
            {"before_header": path, "after_header": path, "before": before, "after": text},
            {"prepared": "".join(line + "\n" for line in (*drained, *commands))},
        ],
    )


if __name__ == "__main__":
    main()
