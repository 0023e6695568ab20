# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether what carries a host's tunnels takes their packets: what is to be looked at there, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import IP_HEADER, needed
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, LinkType, LinkTypeError
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, endpoint_host, parse_address

# RFC 792, RFC 4443: of an echo request, in bytes.
ECHO_HEADER = 8
ASKED = frozenset(kind.variable for kind in TUNNELS)


def outer_paths(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the paths to the other ends of a host's tunnels, as module ``host_facts`` takes them (option ``paths``).

    Parameters:
        variables: those of `ASKED` that the host has, right or wrong: what cannot be read is left out, and told elsewhere.
    """
    root = View(variables)
    return [path for kind in TUNNELS for view in root.views(kind.variable) for path in _paths(kind, view)]


def path_warnings(host: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each path that takes less than a tunnel needs.

    Parameters:
        host: the fact C(xgn_host), of which ``paths`` is looked at.
        variables: those of `ASKED` that this host has.
    """
    asked = {(path["interface"], path["to"]): path for path in outer_paths(variables)}
    sentences = []
    for found in host.get("paths", []):
        path, address = asked.get((found["interface"], found["to"])), parse_address(found["address"])
        if path is None or address is None:
            continue
        size = path["bytes"].get(FAMILY[address.version], 0)
        what = f"outer packets of {found['interface']} to {found['to']} have up to {size} bytes"
        if found["mtu"] < size:
            sentences.append(
                f"{what}, and the path by {found['device']} takes {found['mtu']}: they are lost, or travel in fragments. Remedy: `uplink.mtu: {found['mtu']}` "
                f"in the intent, or a larger MTU of {found['device']} where that is what is narrow."
            )
        elif found["passes"] == "no":
            headers = IP_HEADER[FAMILY[address.version]] + ECHO_HEADER
            sentences.append(
                f"{what}, and an echo request of that size is not answered by {found['address']}, where a short one is: something on the way takes less. "
                f"Remedy: find the largest that is (`ping -M do -s {size - headers} {found['address']}`, and less), and set `uplink.mtu` of both ends to "
                f"that number and {headers}."
            )
    return sentences


def _paths(kind: LinkType, view: View) -> Iterator[dict[str, Any]]:
    try:
        layer = kind.encapsulation(view.data)
    except LinkTypeError:
        return
    name, mtu = view.text("name"), view.number("mtu") or kind.usual_mtu
    if name is None or mtu is None or layer is None:
        return
    ends = [endpoint_host(text) for peer in view.views("peers") if (text := peer.text("endpoint"))]
    ends += [text for _path, text in view.texts("remotes")]
    ends += [text] if (text := view.text("remote")) else []
    leaves = {
        key: value
        for key, value in (("from", view.text("local")), ("vrf", view.text("underlay_vrf")), ("mark", view.number("fwmark")))
        if value
    }
    family = view.text("family")
    for end in ends:
        address = parse_address(end)
        families = [FAMILY[address.version]] if address else [family] if family in IP_HEADER else list(IP_HEADER)
        yield {"interface": name, "to": end, "bytes": {item: needed(mtu, layer, item) for item in families}, **leaves}
