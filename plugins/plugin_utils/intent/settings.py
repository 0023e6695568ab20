# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of an intent as objects: the sections that are one object each, with the defaults of the schema. An absent value is None.

What each means is said in the schema, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True)
class Bgp:
    """``xgn_bgp``. The restart in minutes."""

    asn_base: int | None
    multihop: int
    ttl_security_hops: int | None
    password_variable: str | None
    keepalive: int | None
    holdtime: int | None
    maximum_paths: int | None
    maximum_prefix: int | None
    maximum_prefix_restart: int
    reserve_preference: int


@dataclass(frozen=True, slots=True)
class Bfd:
    """``xgn_bfd``. Intervals in ms."""

    enabled: bool
    profile: str
    detect_multiplier: int
    receive_interval: int
    transmit_interval: int


@dataclass(frozen=True, slots=True)
class Ospf:
    """``xgn_ospf``. Intervals in s, the bandwidth in Mbit/s."""

    hello_interval: int
    dead_interval: int
    password_variable: str | None
    reference_bandwidth: int


@dataclass(frozen=True, slots=True)
class Kernel:
    """``xgn_kernel``."""

    tcp_l3mdev_accept: bool
    udp_l3mdev_accept: bool


@dataclass(frozen=True, slots=True)
class Wireguard:
    """``xgn_wireguard``. The keepalive in s."""

    port_base: int
    keepalive: int


@dataclass(frozen=True, slots=True)
class Openvpn:
    """``xgn_openvpn``. Times in s."""

    port_base: int
    ping_interval: int
    ping_restart: int


@dataclass(frozen=True, slots=True)
class Vyos:
    """``xgn_vyos``."""

    version: str


@dataclass(frozen=True, slots=True)
class Firewall:
    """``xgn_firewall``. `tcp_mss` is a number of bytes or ``path``; another value is refused by the plan."""

    enabled: bool
    ssh_from: list[str]
    tcp_mss: object


@dataclass(frozen=True, slots=True)
class Dns:
    """``xgn_services.dns``."""

    address: str
    address6: str | None
    nodes: list[str]
    zones: Mapping[str, list[str]]
    forwarders: list[str]
    ssh_listen: bool

    def addresses(self) -> Mapping[str, str]:
        """Return the anycast addresses by family, as written."""
        return {"ipv4": self.address} if self.address6 is None else {"ipv4": self.address, "ipv6": self.address6}


@dataclass(frozen=True, slots=True)
class ContainerBgp:
    """``bgp`` of a container."""

    asn: int
    router_id: str | None
    networks: list[str]
    bfd: bool


@dataclass(frozen=True, slots=True)
class DockerContainer:
    """A container of a Docker network."""

    node: str
    image: str
    number: int
    memory: str
    memory_swap: str
    bgp: ContainerBgp | None


@dataclass(frozen=True, slots=True)
class DockerNetwork:
    """An entry of ``xgn_services.docker``."""

    segment: int
    nodes: list[str]
    containers: Mapping[str, DockerContainer]


@dataclass(frozen=True, slots=True)
class Reinjection:
    """``reinject`` of a GoBGP box."""

    link: int
    into: int


@dataclass(frozen=True, slots=True)
class Steering:
    """An entry of ``xgn_services.steering``. `health` has the keys of the role's variable."""

    router: str
    prefixes: list[str]
    reinject: Reinjection | None
    health: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Services:
    """``xgn_services``."""

    dns: Dns | None
    docker: Mapping[str, DockerNetwork]
    steering: Mapping[str, Steering]


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them.

    Attributes:
        port_bases: ``port_base`` of the sections that have one, by the section's name.
        chosen: section and key of each value that is another than the schema's default.
    """

    bgp: Bgp
    bfd: Bfd
    ospf: Ospf
    kernel: Kernel
    wireguard: Wireguard
    openvpn: Openvpn
    vyos: Vyos
    firewall: Firewall
    services: Services
    port_bases: Mapping[str, int]
    chosen: frozenset[tuple[str, str]]


# The variables, in the order of the objects.
SECTIONS = tuple(f"xgn_{field.name}" for field in fields(Settings) if field.name not in ("port_bases", "chosen"))
# Milliseconds between BFD's packets by the name of the timers: FRR's default, and what an emulated processor keeps.
_BFD_INTERVALS = {"quiet": 300, "emulated": 1000}


def settings_of(written: Mapping[str, Mapping[str, Any]], chosen: frozenset[tuple[str, str]]) -> Settings:
    """Return the settings of an intent.

    Parameters:
        written: the sections of `SECTIONS` by name, valid and with the defaults of the schema.
        chosen: section and key of each value that is another than the schema's default.
    """
    bfd = written["xgn_bfd"]
    usual = _BFD_INTERVALS[bfd["timers"]]
    return Settings(
        _section(Bgp, written["xgn_bgp"]),
        _section(Bfd, {"receive_interval": usual, "transmit_interval": usual, **bfd}),
        _section(Ospf, written["xgn_ospf"]),
        _section(Kernel, written["xgn_kernel"]),
        _section(Wireguard, written["xgn_wireguard"]),
        _section(Openvpn, written["xgn_openvpn"]),
        _section(Vyos, written["xgn_vyos"]),
        _section(Firewall, written["xgn_firewall"]),
        _services(written["xgn_services"]),
        {name: section["port_base"] for name, section in written.items() if "port_base" in section},
        chosen,
    )


def _section(kind: type[_Section], entry: Mapping[str, Any], **objects: object) -> _Section:
    """Return an object from an entry with its defaults. What is an object of its own in it is given as such."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: objects[name] if name in objects else entry.get(name) for name in names})


def _services(entry: Mapping[str, Any]) -> Services:
    dns = _section(Dns, entry["dns"]) if "dns" in entry else None
    docker = {
        name: _section(DockerNetwork, network, containers={label: _container(item) for label, item in network["containers"].items()})
        for name, network in entry["docker"].items()
    }
    steering = {
        name: _section(Steering, box, reinject=_section(Reinjection, box["reinject"]) if "reinject" in box else None)
        for name, box in entry["steering"].items()
    }
    return Services(dns, docker, steering)


def _container(entry: Mapping[str, Any]) -> DockerContainer:
    return _section(DockerContainer, entry, bgp=_section(ContainerBgp, entry["bgp"]) if "bgp" in entry else None)
