# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of each role as types: what the planner writes, and render and verify read.

Generated from roles/*/meta/argument_specs.yml by tools/generate_contract.py: run it after a change there. Only names and types are here:
what else a value must be is checked at run time, against the specs themselves. A key that the spec does not require may be missing.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class DnsAnycastZone(TypedDict):
    """One of dns_anycast_zones."""

    name: str
    records: list[str]


class DnsAnycastSshListen(TypedDict):
    """One of dns_anycast_ssh_listen."""

    address: str
    vrf: NotRequired[str]


class DnsAnycastVariables(TypedDict):
    """Role dns_anycast: Anycast DNS by unbound, whose address is there exactly as long as it answers."""

    dns_anycast_addresses: NotRequired[list[str]]
    dns_anycast_vrf: NotRequired[str]
    dns_anycast_interface: NotRequired[str]
    dns_anycast_allow_from: NotRequired[list[str]]
    dns_anycast_zones: NotRequired[list[DnsAnycastZone]]
    dns_anycast_forwarders: NotRequired[list[str]]
    dns_anycast_interval: NotRequired[int]
    dns_anycast_fall: NotRequired[int]
    dns_anycast_rise: NotRequired[int]
    dns_anycast_grace: NotRequired[int]
    dns_anycast_ssh_listen: NotRequired[list[DnsAnycastSshListen]]
    dns_anycast_ssh_port: NotRequired[int]
    dns_anycast_way_back_seconds: NotRequired[int]
    dns_anycast_adopt: NotRequired[bool]
    dns_anycast_remove_all: NotRequired[bool]


class DockerMacvlanImage(TypedDict):
    """One of docker_macvlan_images."""

    name: str
    archive: str
    changes: NotRequired[list[str]]


class DockerMacvlanNetworkSubnet(TypedDict):
    """One of docker_macvlan_networks[].subnets."""

    subnet: str
    gateway: NotRequired[str]
    ip_range: NotRequired[str]


class DockerMacvlanNetwork(TypedDict):
    """One of docker_macvlan_networks."""

    name: str
    parent: str
    mtu: NotRequired[int]
    subnets: list[DockerMacvlanNetworkSubnet]


class DockerMacvlanContainer(TypedDict):
    """One of docker_macvlan_containers."""

    name: str
    image: str
    network: str
    ipv4: NotRequired[str]
    ipv6: NotRequired[str]
    mac: NotRequired[str]
    memory: NotRequired[str]
    memory_swap: NotRequired[str]
    system: NotRequired[bool]
    privileged: NotRequired[bool]
    capabilities: NotRequired[list[str]]
    sysctls: NotRequired[dict[str, Any]]
    volumes: NotRequired[list[str]]
    env: NotRequired[dict[str, Any]]
    command: NotRequired[list[str]]


class DockerMacvlanVariables(TypedDict):
    """Role docker_macvlan: Docker that leaves the network alone, macvlan networks, system containers with fixed addresses."""

    docker_macvlan_data_root: NotRequired[str]
    docker_macvlan_move_data: NotRequired[bool]
    docker_macvlan_daemon: NotRequired[dict[str, Any]]
    docker_macvlan_after_units: NotRequired[list[str]]
    docker_macvlan_images: NotRequired[list[DockerMacvlanImage]]
    docker_macvlan_networks: NotRequired[list[DockerMacvlanNetwork]]
    docker_macvlan_containers: NotRequired[list[DockerMacvlanContainer]]
    docker_macvlan_adopt: NotRequired[bool]
    docker_macvlan_remove_all: NotRequired[bool]


class FailoverTestPathTunnel(TypedDict):
    """One of failover_test_paths[].tunnels."""

    name: str
    unit: NotRequired[str]
    protocol: str
    port: NotRequired[int]
    match: NotRequired[list[str]]


class FailoverTestPath(TypedDict):
    """One of failover_test_paths."""

    peer: str
    vrf: NotRequired[str]
    source: NotRequired[str]
    destination: str
    tunnels: list[FailoverTestPathTunnel]


class FailoverTestWire(TypedDict):
    """failover_test_wire: Commands on the controller that cut something between the hosts, for method wire."""

    cut: NotRequired[str]
    restore: NotRequired[str]
    chdir: NotRequired[str]


class FailoverTestVariables(TypedDict):
    """Role failover_test: Cuts each tunnel of a pair in turn and measures what is lost."""

    failover_test_paths: NotRequired[list[FailoverTestPath]]
    failover_test_methods: NotRequired[list[str]]
    failover_test_spacing: NotRequired[int]
    failover_test_limit: NotRequired[int]
    failover_test_return_limit: NotRequired[int]
    failover_test_detection: NotRequired[int]
    failover_test_wire: NotRequired[FailoverTestWire]


FirewallForward = TypedDict(
    "FirewallForward",
    {
        "vrf": NotRequired[str],
        "interface": NotRequired[str],
        "from": NotRequired[list[str]],
        "destinations": NotRequired[list[str]],
        "to": list[str],
    },
)
"""One of firewall_forward."""


FirewallOpenPort = TypedDict(
    "FirewallOpenPort",
    {
        "protocol": str,
        "port": NotRequired[int],
        "from": NotRequired[list[str]],
    },
)
"""One of firewall_open_ports."""


class FirewallTcpMss(TypedDict):
    """firewall_tcp_mss: Largest TCP MSS on the tunnels by IP version, in both directions, forwarded or not."""

    ipv4: NotRequired[int]
    ipv6: NotRequired[int]


class FirewallNat(TypedDict):
    """One of firewall_nat."""

    vrf: str
    interface: str
    mark: int
    families: NotRequired[list[str]]


class FirewallOwnChain(TypedDict):
    """One of firewall_own_chains."""

    chain: str
    rules: list[str]


class FirewallVariables(TypedDict):
    """Role firewall: Packet filter of what is not trusted, and the TCP MSS on the tunnels."""

    firewall_state: NotRequired[str]
    firewall_trusted_interfaces: NotRequired[list[str]]
    firewall_forward: NotRequired[list[FirewallForward]]
    firewall_ssh_from: NotRequired[list[str]]
    firewall_ssh_port: NotRequired[int]
    firewall_open_ports: NotRequired[list[FirewallOpenPort]]
    firewall_strict_interfaces: NotRequired[list[str]]
    firewall_loose_interfaces: NotRequired[list[str]]
    firewall_loose_vrfs: NotRequired[list[str]]
    firewall_tcp_mss: NotRequired[FirewallTcpMss]
    firewall_tcp_mss_interfaces: NotRequired[list[str]]
    firewall_nat: NotRequired[list[FirewallNat]]
    firewall_own_chains: NotRequired[list[FirewallOwnChain]]
    firewall_close: NotRequired[bool]
    firewall_way_back_seconds: NotRequired[int]
    firewall_adopt: NotRequired[bool]
    firewall_remove_all: NotRequired[bool]


class FrrInterface(TypedDict):
    """One of frr_interfaces."""

    name: str
    description: NotRequired[str]
    addresses: NotRequired[list[str]]
    link_detect: NotRequired[bool]


class FrrStaticRoute(TypedDict):
    """One of frr_static_routes."""

    prefix: str
    next_hop: NotRequired[str]
    interface: NotRequired[str]
    blackhole: NotRequired[bool]
    distance: NotRequired[int]
    vrf: NotRequired[str]
    next_hop_vrf: NotRequired[str]
    tag: NotRequired[int]


class FrrPrefixListEntry(TypedDict):
    """One of frr_prefix_lists[].entries."""

    seq: int
    action: str
    prefix: str
    ge: NotRequired[int]
    le: NotRequired[int]


class FrrPrefixList(TypedDict):
    """One of frr_prefix_lists."""

    name: str
    family: NotRequired[str]
    entries: list[FrrPrefixListEntry]


class FrrAsPathListEntry(TypedDict):
    """One of frr_as_path_lists[].entries."""

    seq: int
    action: str
    regex: str


class FrrAsPathList(TypedDict):
    """One of frr_as_path_lists."""

    name: str
    entries: list[FrrAsPathListEntry]


class FrrCommunityListEntry(TypedDict):
    """One of frr_community_lists[].entries."""

    seq: int
    action: str
    value: str


class FrrCommunityList(TypedDict):
    """One of frr_community_lists."""

    name: str
    kind: str
    entries: list[FrrCommunityListEntry]


class FrrRpkiCache(TypedDict):
    """One of frr_rpki.caches."""

    host: str
    port: int
    preference: int
    source: NotRequired[str]


class FrrRpki(TypedDict):
    """frr_rpki: Caches that validate the origin of routes (RPKI, RFC 8210), for match rpki valid, match rpki invalid and match rpki notfound in route maps."""

    caches: NotRequired[list[FrrRpkiCache]]
    polling_period: NotRequired[int]
    expire_interval: NotRequired[int]
    retry_interval: NotRequired[int]


class FrrRouteMapEntry(TypedDict):
    """One of frr_route_maps[].entries."""

    seq: int
    action: str
    description: NotRequired[str]
    match: NotRequired[list[str]]
    set: NotRequired[list[str]]


class FrrRouteMap(TypedDict):
    """One of frr_route_maps."""

    name: str
    entries: list[FrrRouteMapEntry]


class FrrBfdProfile(TypedDict):
    """One of frr_bfd_profiles."""

    name: str
    detect_multiplier: NotRequired[int]
    receive_interval: NotRequired[int]
    transmit_interval: NotRequired[int]


class FrrBgpAggregate(TypedDict):
    """One of frr_bgp[].aggregates."""

    prefix: str
    summary_only: NotRequired[bool]
    as_set: NotRequired[bool]
    route_map: NotRequired[str]


class FrrBgpImport(TypedDict):
    """One of frr_bgp[].imports."""

    vrf: str
    family: NotRequired[str]
    route_map: NotRequired[str]


class FrrBgpRedistribute(TypedDict):
    """One of frr_bgp[].redistribute."""

    source: str
    family: NotRequired[str]
    route_map: str


class FrrBgpNeighborFamily(TypedDict):
    """One of frr_bgp[].neighbors[].families."""

    family: str
    route_map_in: str
    route_map_out: str
    next_hop_self: NotRequired[bool]
    route_reflector_client: NotRequired[bool]
    default_originate: NotRequired[bool]
    default_originate_route_map: NotRequired[str]
    remove_private_as: NotRequired[bool]
    maximum_prefix: NotRequired[int]
    maximum_prefix_restart: NotRequired[int]


class FrrBgpNeighbor(TypedDict):
    """One of frr_bgp[].neighbors."""

    address: NotRequired[str]
    interface: NotRequired[str]
    remote_as: int
    description: NotRequired[str]
    update_source: NotRequired[str]
    ebgp_multihop: NotRequired[int]
    ttl_security_hops: NotRequired[int]
    enforce_first_as: NotRequired[bool]
    password: NotRequired[str]
    bfd_profile: NotRequired[str]
    keepalive: NotRequired[int]
    holdtime: NotRequired[int]
    passive: NotRequired[bool]
    local_role: NotRequired[str]
    strict_role: NotRequired[bool]
    families: list[FrrBgpNeighborFamily]


class FrrBgp(TypedDict):
    """One of frr_bgp."""

    asn: int
    vrf: NotRequired[str]
    router_id: str
    networks: NotRequired[list[str]]
    network_import_check: NotRequired[bool]
    aggregates: NotRequired[list[FrrBgpAggregate]]
    imports: NotRequired[list[FrrBgpImport]]
    redistribute: NotRequired[list[FrrBgpRedistribute]]
    graceful_restart: NotRequired[bool]
    maximum_paths: NotRequired[int]
    neighbors: NotRequired[list[FrrBgpNeighbor]]


class FrrOspfInterface(TypedDict):
    """One of frr_ospf[].interfaces."""

    name: str
    area: str
    passive: NotRequired[bool]
    network: NotRequired[str]
    hello_interval: NotRequired[int]
    dead_interval: NotRequired[int]
    cost: NotRequired[int]
    bfd_profile: NotRequired[str]
    password: NotRequired[str]


class FrrOspfRedistribute(TypedDict):
    """One of frr_ospf[].redistribute."""

    source: str
    route_map: str


class FrrOspf(TypedDict):
    """One of frr_ospf."""

    vrf: NotRequired[str]
    router_id: str
    reference_bandwidth: NotRequired[int]
    interfaces: list[FrrOspfInterface]
    redistribute: NotRequired[list[FrrOspfRedistribute]]
    install_route_map: NotRequired[str]


class FrrOspf6Interface(TypedDict):
    """One of frr_ospf6[].interfaces."""

    name: str
    area: str
    passive: NotRequired[bool]
    network: NotRequired[str]
    hello_interval: NotRequired[int]
    dead_interval: NotRequired[int]
    cost: NotRequired[int]
    bfd_profile: NotRequired[str]
    password: NotRequired[str]


class FrrOspf6Redistribute(TypedDict):
    """One of frr_ospf6[].redistribute."""

    source: str
    route_map: str


class FrrOspf6(TypedDict):
    """One of frr_ospf6."""

    vrf: NotRequired[str]
    router_id: str
    reference_bandwidth: NotRequired[int]
    interfaces: list[FrrOspf6Interface]
    redistribute: NotRequired[list[FrrOspf6Redistribute]]
    install_route_map: NotRequired[str]


class FrrLine(TypedDict):
    """One of frr_lines."""

    section: NotRequired[list[str]]
    lines: list[str]


class FrrVariables(TypedDict):
    """Role frr: FRRouting - daemons, unit and the whole frr.conf."""

    frr_install_method: NotRequired[str]
    frr_artifact: NotRequired[str]
    frr_interfaces: NotRequired[list[FrrInterface]]
    frr_vrfs: NotRequired[list[str]]
    frr_static_routes: NotRequired[list[FrrStaticRoute]]
    frr_prefix_lists: NotRequired[list[FrrPrefixList]]
    frr_as_path_lists: NotRequired[list[FrrAsPathList]]
    frr_community_lists: NotRequired[list[FrrCommunityList]]
    frr_rpki: NotRequired[FrrRpki]
    frr_route_maps: NotRequired[list[FrrRouteMap]]
    frr_bfd_profiles: NotRequired[list[FrrBfdProfile]]
    frr_bgp: NotRequired[list[FrrBgp]]
    frr_ospf: NotRequired[list[FrrOspf]]
    frr_ospf6: NotRequired[list[FrrOspf6]]
    frr_lines: NotRequired[list[FrrLine]]
    frr_secrets: NotRequired[dict[str, Any]]
    frr_daemons: NotRequired[list[str]]
    frr_adopt: NotRequired[bool]
    frr_hostname: NotRequired[str]
    frr_forwarding: NotRequired[bool]
    frr_log_level: NotRequired[str]
    frr_after_units: NotRequired[list[str]]


class FrrBuildVariables(TypedDict):
    """Role frr_build: FRRouting and wireguard-tools from source, as Debian packages."""

    frr_build_frr: NotRequired[bool]
    frr_build_version: NotRequired[str]
    frr_build_source: NotRequired[str]
    frr_build_url: NotRequired[str]
    frr_build_checksum: NotRequired[str]
    frr_build_tarball: NotRequired[str]
    frr_build_source_package: NotRequired[str]
    frr_build_options: NotRequired[list[str]]
    frr_build_extra_options: NotRequired[list[str]]
    frr_build_check: NotRequired[bool]
    frr_build_libyang_source: NotRequired[str]
    frr_build_libyang_version: NotRequired[str]
    frr_build_libyang_url: NotRequired[str]
    frr_build_libyang_checksum: NotRequired[str]
    frr_build_libyang_tarball: NotRequired[str]
    frr_build_libyang_source_package: NotRequired[str]
    frr_build_wireguard_tools: NotRequired[bool]
    frr_build_wireguard_tools_version: NotRequired[str]
    frr_build_wireguard_tools_source: NotRequired[str]
    frr_build_wireguard_tools_url: NotRequired[str]
    frr_build_wireguard_tools_checksum: NotRequired[str]
    frr_build_wireguard_tools_tarball: NotRequired[str]
    frr_build_wireguard_tools_source_package: NotRequired[str]
    frr_build_maintainer: NotRequired[str]
    frr_build_user: NotRequired[str]
    frr_build_directory: NotRequired[str]
    frr_build_jobs: NotRequired[int]
    frr_build_nice: NotRequired[int]
    frr_build_space_mib: NotRequired[int]


class GobgpNextHops(TypedDict):
    """gobgp_next_hops: Next hop of a route that is steered without one; the address at which the routers find this box."""

    ipv4: NotRequired[str]
    ipv6: NotRequired[str]


class GobgpNeighbor(TypedDict):
    """One of gobgp_neighbors."""

    address: str
    remote_as: int
    name: NotRequired[str]
    local_address: NotRequired[str]
    ebgp_multihop: NotRequired[int]
    password: NotRequired[str]


class GobgpHealth(TypedDict):
    """gobgp_health: Steer only while this command succeeds; always when not given."""

    command: str
    interval: NotRequired[int]
    timeout: NotRequired[int]
    fall: NotRequired[int]
    rise: NotRequired[int]
    user: NotRequired[str]


class GobgpVariables(TypedDict):
    """Role gobgp: A GoBGP box that steers prefixes at run time."""

    gobgp_asn: NotRequired[int]
    gobgp_router_id: NotRequired[str]
    gobgp_vrf: NotRequired[str]
    gobgp_prefixes: NotRequired[list[str]]
    gobgp_next_hops: NotRequired[GobgpNextHops]
    gobgp_neighbors: NotRequired[list[GobgpNeighbor]]
    gobgp_keepalive: NotRequired[int]
    gobgp_holdtime: NotRequired[int]
    gobgp_health: NotRequired[GobgpHealth]
    gobgp_after_units: NotRequired[list[str]]
    gobgp_adopt: NotRequired[bool]
    gobgp_remove_all: NotRequired[bool]


class GreInterface(TypedDict):
    """One of gre_interfaces."""

    name: str
    peer: str
    peer_interface: NotRequired[str]
    local: str
    remote: str
    key: NotRequired[int]
    ttl: NotRequired[int]
    pmtudisc: NotRequired[bool]
    mtu: NotRequired[int]
    underlay_vrf: NotRequired[str]


class GreVariables(TypedDict):
    """Role gre: GRE tunnels over IPv4 or IPv6, in a VRF or not."""

    gre_interfaces: NotRequired[list[GreInterface]]


class L2tpIpsecTunnel(TypedDict):
    """One of l2tp_ipsec_tunnels."""

    name: str
    role: str
    remote: NotRequired[str]
    remote_id: NotRequired[str]
    peer: str
    cipher: NotRequired[str]
    ike_version: NotRequired[int]
    preshared_key: str
    local_address: NotRequired[str]
    remote_address: NotRequired[str]
    ipv6: NotRequired[bool]
    mtu: int


class L2tpIpsecVariables(TypedDict):
    """Role l2tp_ipsec: L2TP over IPsec, one PPP interface per link, for peers that speak nothing else."""

    l2tp_ipsec_tunnels: NotRequired[list[L2tpIpsecTunnel]]
    l2tp_ipsec_echo_interval: NotRequired[int]
    l2tp_ipsec_echo_failure: NotRequired[int]
    l2tp_ipsec_adopt: NotRequired[bool]
    l2tp_ipsec_drain_seconds: NotRequired[int]
    l2tp_ipsec_remove_all: NotRequired[bool]


class OpenvpnTunnel(TypedDict):
    """One of openvpn_tunnels."""

    name: str
    role: str
    transport: NotRequired[str]
    family: NotRequired[str]
    listen_port: NotRequired[int]
    remote: NotRequired[str]
    remote_port: NotRequired[int]
    peer: str
    peer_interface: NotRequired[str]
    peer_fingerprints: NotRequired[list[str]]
    mtu: int
    underlay_vrf: NotRequired[str]
    ping_interval: NotRequired[int]
    ping_restart: NotRequired[int]


class OpenvpnVariables(TypedDict):
    """Role openvpn: OpenVPN tunnels, one interface per link, without addresses."""

    openvpn_tunnels: NotRequired[list[OpenvpnTunnel]]
    openvpn_tls_version_min: NotRequired[str]
    openvpn_key_registry: NotRequired[str]
    openvpn_remove_unlisted: NotRequired[bool]
    openvpn_adopt: NotRequired[bool]
    openvpn_remove_all: NotRequired[bool]
    openvpn_drain_seconds: NotRequired[int]


class PreflightNodeLink(TypedDict):
    """One of preflight_node.links."""

    id: int
    type: str
    peer: str
    interface: str


class PreflightNode(TypedDict):
    """preflight_node: What this host is in the plan, which gives it."""

    id: NotRequired[int]
    site: NotRequired[str]
    runs_on: NotRequired[str]
    links: NotRequired[list[PreflightNodeLink]]


class PreflightVariables(TypedDict):
    """Role preflight: Kernel and tools this host needs, before anything is changed."""

    preflight_needs_mpls: NotRequired[bool]
    preflight_allow_network_manager: NotRequired[bool]
    preflight_allow_collisions: NotRequired[list[str]]
    preflight_artifact_wait: NotRequired[int]
    preflight_node: NotRequired[PreflightNode]
    preflight_lock_minutes: NotRequired[int]


class SysctlVariables(TypedDict):
    """Role sysctl: Kernel settings of a router, live and at boot."""

    sysctl_ip_forward: NotRequired[bool]
    sysctl_tcp_l3mdev_accept: NotRequired[int]
    sysctl_udp_l3mdev_accept: NotRequired[int]
    sysctl_rp_filter: NotRequired[int]
    sysctl_hears_routers: NotRequired[list[str]]
    sysctl_multipath_hash_policy: NotRequired[int]
    sysctl_default_qdisc: NotRequired[str]
    sysctl_tcp_congestion_control: NotRequired[str]
    sysctl_settings: NotRequired[dict[str, Any]]
    sysctl_adopt: NotRequired[bool]


class VerifyReach(TypedDict):
    """One of verify_reach."""

    destination: str
    source: NotRequired[str]
    vrf: NotRequired[str]
    mtu: NotRequired[int]


class VerifyRoute(TypedDict):
    """One of verify_routes."""

    prefix: str
    vrf: NotRequired[str]
    protocol: NotRequired[str]
    direct: NotRequired[bool]


class VerifyLearned(TypedDict):
    """One of verify_learned."""

    prefixes: list[str]
    vrf: NotRequired[str]
    interfaces: NotRequired[list[str]]
    reserves: NotRequired[list[str]]
    next_hops: NotRequired[list[str]]


class VerifyOtherRoute(TypedDict):
    """One of verify_other_routes."""

    prefixes: list[str]
    vrf: NotRequired[str]
    parts: NotRequired[bool]
    protocols: NotRequired[list[str]]
    interfaces: NotRequired[list[str]]
    next_hops: NotRequired[list[str]]
    reason: NotRequired[str]


class VerifyNeighbor(TypedDict):
    """One of verify_neighbors."""

    neighbor: str
    vrf: NotRequired[str]
    relation: NotRequired[str]
    silent: NotRequired[bool]
    optional: NotRequired[bool]


class VerifyVariables(TypedDict):
    """Role verify: Compare the live state of a host with its variables."""

    verify_roles: NotRequired[list[str]]
    verify_reach: NotRequired[list[VerifyReach]]
    verify_routes: NotRequired[list[VerifyRoute]]
    verify_learned: NotRequired[list[VerifyLearned]]
    verify_other_routes: NotRequired[list[VerifyOtherRoute]]
    verify_neighbors: NotRequired[list[VerifyNeighbor]]
    verify_retired: NotRequired[str]
    verify_site: NotRequired[str]
    verify_reserves: NotRequired[list[str]]
    verify_overrides: NotRequired[list[str]]
    verify_handshake_max_age: NotRequired[int]
    verify_wait: NotRequired[int]
    verify_frr_config: NotRequired[bool]
    verify_boot_plot: NotRequired[bool]


class VrfVrf(TypedDict):
    """One of vrf_vrfs."""

    name: str
    table: int
    fwmark: NotRequired[int]


class VrfInterface(TypedDict):
    """One of vrf_interfaces."""

    name: str
    kind: NotRequired[str]
    parent: NotRequired[str]
    vlan: NotRequired[int]
    vrf: NotRequired[str]
    bridge: NotRequired[str]
    mtu: NotRequired[int]
    mac: NotRequired[str]
    hears_routers: NotRequired[bool]
    asks_dhcp: NotRequired[bool]
    unit: NotRequired[str]
    dynamic: NotRequired[bool]


class VrfDefaultRoute(TypedDict):
    """One of vrf_default_routes."""

    gateway: str
    interface: str
    vrf: NotRequired[str]
    onlink: NotRequired[bool]


class VrfVariables(TypedDict):
    """Role vrf: VRFs, their member interfaces, and the one-shot interface.service."""

    vrf_vrfs: NotRequired[list[VrfVrf]]
    vrf_interfaces: NotRequired[list[VrfInterface]]
    vrf_default_routes: NotRequired[list[VrfDefaultRoute]]
    vrf_adopt: NotRequired[bool]
    vrf_drain_seconds: NotRequired[int]
    vrf_remove_all: NotRequired[bool]


class VxlanInterface(TypedDict):
    """One of vxlan_interfaces."""

    name: str
    vni: int
    local: str
    remotes: list[str]
    port: NotRequired[int]
    mtu: NotRequired[int]
    mac: NotRequired[str]
    arp: NotRequired[bool]
    underlay_vrf: NotRequired[str]


class VxlanVariables(TypedDict):
    """Role vxlan: VXLAN between given ends, in a VRF or in a bridge."""

    vxlan_interfaces: NotRequired[list[VxlanInterface]]


class WireguardInterfacePeer(TypedDict):
    """One of wireguard_interfaces[].peers."""

    name: str
    interface: NotRequired[str]
    public_key: NotRequired[str]
    preshared_key: NotRequired[str]
    endpoint: NotRequired[str]
    allowed_ips: NotRequired[list[str]]
    persistent_keepalive: NotRequired[int]


class WireguardInterface(TypedDict):
    """One of wireguard_interfaces."""

    name: str
    listen_port: NotRequired[int]
    mtu: NotRequired[int]
    fwmark: NotRequired[int]
    peers: NotRequired[list[WireguardInterfacePeer]]


class WireguardVariables(TypedDict):
    """Role wireguard: WireGuard interfaces, one per link, without addresses."""

    wireguard_interfaces: NotRequired[list[WireguardInterface]]
    wireguard_key_registry: NotRequired[str]
    wireguard_remove_unlisted: NotRequired[bool]
    wireguard_install_method: NotRequired[str]
    wireguard_artifact: NotRequired[str]
    wireguard_adopt: NotRequired[bool]
    wireguard_remove_all: NotRequired[bool]
    wireguard_drain_seconds: NotRequired[int]


class HostVariables(
    DnsAnycastVariables,
    DockerMacvlanVariables,
    FailoverTestVariables,
    FirewallVariables,
    FrrVariables,
    FrrBuildVariables,
    GobgpVariables,
    GreVariables,
    L2tpIpsecVariables,
    OpenvpnVariables,
    PreflightVariables,
    SysctlVariables,
    VerifyVariables,
    VrfVariables,
    VxlanVariables,
    WireguardVariables,
):
    """All that the roles take from one host."""
