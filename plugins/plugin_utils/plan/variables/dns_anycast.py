# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of role dns_anycast for each node that answers."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.addresses import parse_address
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import DnsAnycastSshListen, DnsAnycastVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import ANYCAST_DEVICE, Context

_EVERYBODY = ["0.0.0.0/0", "::/0"]


def dns_variables(node: Node, shared: Context) -> DnsAnycastVariables:
    """Return the variables of role dns_anycast."""
    dns = shared.intent.settings.services.dns
    if dns is None or node.name not in shared.intent.dns_nodes:
        return {}
    addresses = [str(parse_address(text)) for text in dns.addresses().values()]
    found: DnsAnycastVariables = {"dns_anycast_addresses": addresses, "dns_anycast_interface": ANYCAST_DEVICE}
    if node.vrf:
        # Strangers have no way into the VRF, and every network of it may ask.
        found |= {"dns_anycast_vrf": node.vrf, "dns_anycast_allow_from": list(_EVERYBODY)}
    if dns.zones:
        found["dns_anycast_zones"] = [{"name": name, "records": list(records)} for name, records in dns.zones.items()]
    if dns.forwarders:
        found["dns_anycast_forwarders"] = list(dns.forwarders)
    if dns.ssh_listen and node.loopback:
        found["dns_anycast_ssh_listen"] = _ssh_listen(node)
    return found


def _ssh_listen(node: Node) -> list[DnsAnycastSshListen]:
    """Return where sshd listens.

    In a VRF the wildcard of the default VRF does not answer, so there it is enough to add the loopback. In the default VRF it does, on the anycast
    address too: there the addresses of the node take its place.
    """
    if node.vrf:
        return [{"address": address.bare, "vrf": node.vrf} for address in node.loopback.values()]
    own = [address.bare for address in node.loopback.values()]
    own += [address.bare for uplink in node.uplinks.values() if not uplink.vrf for address in uplink.addresses.values()]
    own += [node.management] if node.management else []
    return [{"address": address} for address in dict.fromkeys(own)]
