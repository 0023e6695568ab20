"""See the MSS in SYN and SYN-ACK across a router whose interface tun9 is a tunnel: lan -- lan9 (router) tun9 -- far.

Makes two network namespaces beside the router, connects both ways through it, and between it and the far end, in IPv4 and IPv6, and prints what was
captured in each namespace as JSON. `snd_mss` is what the router's own sockets came to use.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading

PORT = 7000
ADDRESSES = {"lan": ("10.9.1.2", "fd09:1::2"), "far": ("10.9.2.2", "fd09:2::2"), "router": ("10.9.2.1", "fd09:2::1")}
SETUP = """
ip netns delete lan 2>/dev/null; ip netns delete far 2>/dev/null; ip link delete lan9 2>/dev/null; ip link delete tun9 2>/dev/null
set -e
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for side in "lan lan9 1" "far tun9 2"; do
    set -- $side
    ip netns add $1
    ip link add $2 type veth peer name port netns $1
    ip address add 10.9.$3.1/24 dev $2
    ip address add fd09:$3::1/64 dev $2 nodad
    ip link set $2 up
    ip -n $1 link set lo up
    ip -n $1 address add 10.9.$3.2/24 dev port
    ip -n $1 address add fd09:$3::2/64 dev port nodad
    ip -n $1 link set port up
    ip -n $1 route add default via 10.9.$3.1
    ip -n $1 route add default via fd09:$3::1
done
"""


def mss_of(segment: bytes) -> int | None:
    """Return the MSS option of a TCP header, or nothing."""
    options = segment[20 : (segment[12] >> 4) * 4]
    while options:
        if options[0] == 2:
            return int(struct.unpack("!H", options[2:4])[0])
        options = options[1:] if options[0] == 1 else options[options[1] :] if options[0] else b""
    return None


def capture(seen: list[dict[str, object]]) -> None:
    """Note every SYN and SYN-ACK that arrives."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    while True:
        packet, source = raw.recvfrom(65535)
        if source[2] == socket.PACKET_OUTGOING:
            continue
        version = packet[0] >> 4
        protocol, header = (packet[9], (packet[0] & 15) * 4) if version == 4 else (packet[6], 40)
        if protocol == socket.IPPROTO_TCP and packet[header + 13] & 2:
            kind = "SYN-ACK" if packet[header + 13] & 16 else "SYN"
            address = socket.inet_ntop(*((socket.AF_INET, packet[12:16]) if version == 4 else (socket.AF_INET6, packet[8:24])))
            seen.append({"kind": kind, "from": address, "mss": mss_of(packet[header:])})


def serve(address: str, used: list[dict[str, object]]) -> None:
    """Accept connections and answer a byte with a byte."""
    with socket.create_server((address, PORT), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        while True:
            connection, peer = server.accept()
            connection.recv(1)
            used.append({"peer": peer[0], "snd_mss": connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)})
            connection.send(b"!")


def endpoint(name: str) -> None:
    """Serve and capture; connect to each address that comes in; at the end print what was seen."""
    seen: list[dict[str, object]] = []
    used: list[dict[str, object]] = []
    if name != "router":
        threading.Thread(target=capture, args=[seen], daemon=True).start()
    for address in ADDRESSES[name]:
        threading.Thread(target=serve, args=[address, used], daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        with socket.create_connection((line.strip(), PORT), timeout=5) as client:
            client.send(b"?")
            client.recv(1)
            used.append({"peer": line.strip(), "snd_mss": client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)})
        print("done", flush=True)
    print(json.dumps({"seen": seen, "used": used}))


def tell(end: subprocess.Popen[str], line: str) -> None:
    """Give an end a line."""
    assert end.stdin is not None
    end.stdin.write(line + "\n")
    end.stdin.flush()


def answer_of(end: subprocess.Popen[str]) -> str:
    """Wait for the next line of an end."""
    assert end.stdout is not None
    return end.stdout.readline()


def main() -> None:
    """Make the namespaces, connect, print."""
    subprocess.run(["sh", "-c", SETUP], check=True)
    ends = {}
    for name in ADDRESSES:
        prefix = [] if name == "router" else ["ip", "netns", "exec", name]
        command = [*prefix, sys.executable, __file__, name]
        ends[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer_of(ends[name])
    for client, server in (("lan", "far"), ("far", "lan"), ("router", "far"), ("far", "router")):
        for address in ADDRESSES[server]:
            tell(ends[client], address)
            answer_of(ends[client])
    print(json.dumps({name: json.loads(end.communicate()[0].splitlines()[-1]) for name, end in ends.items()}))


if __name__ == "__main__":
    endpoint(sys.argv[1]) if len(sys.argv) > 1 else main()
