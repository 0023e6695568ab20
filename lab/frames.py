"""Just enough parsing of Ethernet frames for the wires' filters."""

from __future__ import annotations

TCP = 6
UDP = 17
_VLAN_TYPES = (0x8100, 0x88A8)
_IPV4 = 0x0800
_IPV6 = 0x86DD
_FRAGMENT = 44
# IPv6 extension headers with the common "next header, length in 8-byte units" start: hop-by-hop, routing, destination.
_IPV6_EXTENSIONS = (0, 43, 60)


def ip_header(frame: memoryview) -> tuple[int, int]:
    """Return (EtherType, offset of what follows it), looking through VLAN tags; (0, 0) for a frame cut short."""
    offset = 12
    while len(frame) >= offset + 2:
        kind = frame[offset] << 8 | frame[offset + 1]
        offset += 2
        if kind not in _VLAN_TYPES:
            return kind, offset
        offset += 2
    return 0, 0


def ip_length(frame: memoryview) -> int:
    """Return the length of the IP packet in ``frame``, bytes; 0 if there is none."""
    kind, start = ip_header(frame)
    if kind == _IPV4 and len(frame) >= start + 20:
        return frame[start + 2] << 8 | frame[start + 3]
    if kind == _IPV6 and len(frame) >= start + 40:
        return 40 + (frame[start + 4] << 8 | frame[start + 5])
    return 0


def transport_ports(frame: memoryview) -> tuple[int, int, int]:
    """Return (IP protocol, source port, destination port); (0, 0, 0) if ``frame`` shows no TCP or UDP header.

    A fragment other than the first has no ports.
    """
    kind, start = ip_header(frame)
    if kind == _IPV4 and len(frame) >= start + 20:
        if (frame[start + 6] & 0x1F) << 8 | frame[start + 7]:
            return 0, 0, 0
        protocol, offset = frame[start + 9], start + (frame[start] & 0x0F) * 4
    elif kind == _IPV6 and len(frame) >= start + 40:
        protocol, offset = frame[start + 6], start + 40
        while protocol in (*_IPV6_EXTENSIONS, _FRAGMENT) and len(frame) >= offset + 8:
            if protocol == _FRAGMENT and (frame[offset + 2] << 8 | frame[offset + 3]) & 0xFFF8:
                return 0, 0, 0
            length = 8 if protocol == _FRAGMENT else (frame[offset + 1] + 1) * 8
            protocol, offset = frame[offset], offset + length
    else:
        return 0, 0, 0
    if protocol not in (TCP, UDP) or len(frame) < offset + 4:
        return 0, 0, 0
    return (
        protocol,
        frame[offset] << 8 | frame[offset + 1],
        frame[offset + 2] << 8 | frame[offset + 3],
    )
