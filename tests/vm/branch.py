"""A branch that Ansible does not manage, behind a NAT that forgets UDP after 10 s: rows S35 and S15.

A machine's root namespace is the NAT, as it is for somebody's virtual machines: behind a bridge that no plan knows. The branch is network namespace
`branch` in it, with WireGuard and BIRD, configured by nothing but the files the plan printed for its owner, who puts in his key and the password. The plan
has to know the other side's keys by then.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path

NODE = "branch"
# What the intent of the hybrid network has more, so that the branch is part of it.
INTENT = {
    "node": {
        "id": 5,
        "asn": 65510,
        "vrf": "CORE",
        "managed": False,
        "uplink": {"nat": True},
        "networks": {"lan0": {"address": "192.0.2.1/24"}},
    },
    "link": {
        "id": 50,
        "type": "wireguard",
        "keepalive": 5,
        "ends": ["hq-core", {"node": NODE, "public_key": "iM9lZkm7vH/qrK7gZTDDKUj3/hOzK8SSLMS2zOE+ujg="}],
    },
}
PREFIX, HOST = "192.0.2.0/24", "192.0.2.1"
# Its neighbor, and the machine whose network it is behind.
ROUTER, HOME = "hq-core", "cloud-edge"
# Seconds until the NAT forgets; its public side is one address, so an entry that is gone comes back with another port.
NAT_SECONDS = 10
# Not a secret but a constant of the lab. Its public key stands in the intent above.
KEY = base64.b64encode(hashlib.sha256(b"the branch of the lab").digest()).decode()
Run = Callable[[str], str]

HOUSE = """
set -eu
pkill -F /run/branch/bird.pid 2>/dev/null || true
ip netns delete branch 2>/dev/null || true
ip link delete branch0 2>/dev/null || true
nft delete table ip branch_nat 2>/dev/null || true
mkdir -p /run/branch
ip netns add branch
ip link add branch0 type bridge
ip link add branch1 master branch0 type veth peer name uplink0 netns branch
ip address add 10.200.0.1/30 dev branch0
ip link set branch0 up
ip link set branch1 up
ip -n branch link set lo up
ip -n branch link set uplink0 up
ip -n branch address add 10.200.0.2/30 dev uplink0
ip -n branch route add default via 10.200.0.1
sysctl -q net.ipv4.ip_forward=1
nft -f - <<EOF
table ip branch_nat {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname "UPLINK" ip saddr 10.200.0.0/30 masquerade random
    }
}
EOF
sysctl -q net.netfilter.nf_conntrack_udp_timeout=SECONDS net.netfilter.nf_conntrack_udp_timeout_stream=SECONDS
ip netns exec branch sysctl -q net.ipv4.ip_forward=1
"""


def set_up(run: Run, uplink: str, plan: Path, password: str) -> None:
    """Make the branch, or make it anew.

    Parameters:
        run: runs a script on the machine.
        uplink: its NIC towards the other side.
        plan: directory of the plan, with the public keys in it.
        password: of the BGP session.
    """
    directory = plan / NODE
    variables = json.loads((plan / "plan.json").read_text(encoding="utf-8"))[NODE]
    script = HOUSE.replace("UPLINK", uplink).replace("SECONDS", str(NAT_SECONDS))
    tunnels = [item["name"] for item in variables["wireguard_interfaces"]]
    for name in tunnels:
        script += _file(
            f"/run/branch/{name}.conf", (directory / f"{name}.conf").read_text(encoding="utf-8").replace("<your private key>", KEY)
        )
        script += f"ip netns exec branch wg-quick up /run/branch/{name}.conf\n"
    for item in variables["frr_interfaces"]:
        if item["name"] in tunnels:
            continue
        interface = "lo" if item.get("description") == "loopback" else item["name"]
        if interface != "lo":
            script += f"ip -n branch link add {interface} type dummy\nip -n branch link set {interface} up\n"
        script += "".join(f"ip -n branch address add {address} dev {interface}\n" for address in item["addresses"])
    bird = (directory / "bird.conf").read_text(encoding="utf-8").replace("<the TCP MD5 password>", password)
    script += _file("/run/branch/bird.conf", bird)
    script += "ip netns exec branch bird -c /run/branch/bird.conf -s /run/branch/bird.ctl -P /run/branch/bird.pid\n"
    run(script)


def _file(path: str, text: str) -> str:
    if "<" in text:
        raise SystemExit(f"{path}: the plan has no public key of the other side yet: {text[text.index('<') : text.index('>') + 1]}")
    return f"(umask 077; printf %s {shlex.quote(text)} >{path})\n"


def inside(command: str) -> str:
    """Return a command as it runs in the branch."""
    return f"ip netns exec branch {command}"


def sessions(run: Run) -> dict[str, str]:
    """Return BIRD's BGP sessions: state by name."""
    lines = run("birdc -s /run/branch/bird.ctl show protocols").splitlines()
    return {words[0]: words[-1] for line in lines if len(words := line.split()) > 4 and words[1] == "BGP"}


def set_keepalive(run: Run, seconds: int) -> None:
    """Change the interval of the keepalives of all tunnels, 0 for none."""
    run(f"for name in $({inside('wg show interfaces')}); do for key in $({inside('wg show $name peers')}); do "
        f"{inside('wg set $name peer $key persistent-keepalive ' + str(seconds))}; done; done")  # fmt: skip
