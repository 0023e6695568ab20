"""Hosts as module live_state tells of them: with what the roles have made of a golden network's plan, and the file of FRR that they wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
KEY = "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="


def link(index: int, kind: str | None = None, **more: Any) -> dict[str, Any]:
    """A live interface as part ``links`` has it."""
    usual = {"up": True, "carrier": True, "arp": True, "oper": "UP", "mtu": 1500, "mac": "52:54:00:00:00:01"}
    empty: dict[str, Any] = {"table": None, "master": None, "parent": None, "vlan": None, "addresses": []}
    return {"index": index, "kind": kind, **usual, **empty, **more}


def address(text: str) -> dict[str, Any]:
    return {"address": text, "family": 6 if ":" in text else 4, "scope": "link" if text.startswith("fe80") else "global", "on_link": None}


def part(data: Any = None, error: str | None = None) -> dict[str, Any]:
    return {"command": "command", "data": data, "error": error}


def state(**parts: Any) -> dict[str, Any]:
    """The live state of a host that has nothing but a NIC, with some parts in place of that."""
    found: dict[str, Any] = {
        "links": {"lo": link(1, mtu=65536), "eth0": link(2, addresses=[address("192.0.2.1/24")])},
        "vxlan": {},
        "gre": {},
        "routes": [],
        "wireguard": {},
        "wireguard_configuration": {"files": {}, "keys": []},
        "frr_configuration": None,
        "tables": [],
        "sysctl": {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"},
    }
    return {name: part(value) for name, value in {**found, **parts}.items()}


def made_from(variables: dict[str, Any]) -> dict[str, Any]:
    """The live state of a host on which the roles have made what its variables say."""
    links = {"lo": link(1, mtu=65536)}
    underlays = {}
    for entry in variables.get("vrf_vrfs", []):
        links[entry["name"]] = link(len(links) + 1, "vrf", table=entry["table"], mtu=65575)
    for kind in LINK_TYPES.values():
        for entry in variables.get(kind.variable, []) if kind.tunnel else []:
            links[entry["name"]] = link(len(links) + 1, kind.kernel_kind, mtu=entry.get("mtu", kind.usual_mtu), arp=entry.get("arp", True))
            underlays[entry["name"]] = entry.get("underlay_vrf")
    for entry in variables.get("vrf_interfaces", []):
        parent = entry.get("parent")
        if parent and parent not in links:
            links[parent] = link(len(links) + 1)
        known = links.setdefault(entry["name"], link(len(links) + 1, entry.get("kind")))
        known.update(parent=parent, vlan=entry.get("vlan"), master=entry.get("vrf") or entry.get("bridge"))
        known["mtu"] = entry.get("mtu") or (links[parent]["mtu"] if parent else known["mtu"])
    for entry in variables.get("frr_interfaces", []):
        if entry["name"] in links:
            links[entry["name"]]["addresses"] = [address(text) for text in entry.get("addresses", [])]
    vxlans = {
        entry["name"]: {"vni": entry["vni"], "local": entry["local"], "remotes": entry["remotes"], "port": entry["port"]}
        for entry in variables.get("vxlan_interfaces", [])
    }
    gres = {
        entry["name"]: {
            "local": entry["local"],
            "remote": entry["remote"],
            "key": entry.get("key"),
            "incoming_key": entry.get("key"),
            "ttl": entry.get("ttl", 64),
            "pmtudisc": entry.get("pmtudisc", True),
        }
        for entry in variables.get("gre_interfaces", [])
    }
    for name, entry in (*vxlans.items(), *gres.items()):
        entry["device"] = underlays[name]
    wireguard = {
        entry["name"]: {
            "public_key": KEY,
            "listen_port": entry.get("listen_port", 40000),
            "fwmark": entry.get("fwmark", 0),
            "peers": {
                peer.get("public_key", f"{number}{KEY[1:]}"): {
                    "endpoint": peer.get("endpoint"),
                    "allowed_ips": sorted(peer["allowed_ips"]),
                    "keepalive": peer.get("persistent_keepalive", 0),
                    "preshared": "preshared_key" in peer,
                }
                for number, peer in enumerate(entry["peers"])
            },
        }
        for entry in variables.get("wireguard_interfaces", [])
    }
    files = {entry["name"]: wg_quick(entry) for entry in variables.get("wireguard_interfaces", [])}
    return state(
        links=links,
        vxlan=vxlans,
        gre=gres,
        wireguard=wireguard,
        wireguard_configuration={"files": files, "keys": list(files)},
        frr_configuration={"running": "frr version 10\n", "daemons": ["zebra"]},
    )


def wg_quick(entry: dict[str, Any]) -> str:
    """The file of an interface, as the role writes it and the host tells it."""
    port = [f"ListenPort = {entry['listen_port']}"] if "listen_port" in entry else []
    lines = ["# Written by Ansible (xuegao.net.wireguard).", "[Interface]", "PrivateKey = (stays here)", *port, "Table = off"]
    for number, peer in enumerate(entry["peers"]):
        lines += ["", f"# {peer['name']}", "[Peer]", f"PublicKey = {peer.get('public_key', f'{number}{KEY[1:]}')}"]
        lines += ["PresharedKey = <secret adopted_1>"] if "preshared_key" in peer else []
        lines += [f"AllowedIPs = {', '.join(peer['allowed_ips'])}"]
        lines += [f"Endpoint = {peer['endpoint']}"] if "endpoint" in peer else []
    return "\n".join(lines) + "\n"


def routers() -> list[tuple[str, str]]:
    """Network and name of each golden host that runs FRR."""
    found = {(path.parts[-7], path.parts[-5]) for path in GOLDEN.glob("*/expected/*/files/etc/frr/frr.conf")}
    for index in GOLDEN.glob("*/shared.yml"):
        names = read_yaml(index.read_text(encoding="utf-8"))
        found.update((index.parent.name, path.partition("/")[0]) for path in names if path.endswith("/frr.conf"))
    return sorted(found)


def conf_of(network: str, host: str) -> str:
    path = f"{host}/files/etc/frr/frr.conf"
    own = GOLDEN / network / "expected" / path
    if own.is_file():
        return own.read_text(encoding="utf-8")
    name: str = read_yaml((GOLDEN / network / "shared.yml").read_text(encoding="utf-8"))[path]
    return (GOLDEN / "shared" / name).read_text(encoding="utf-8")
