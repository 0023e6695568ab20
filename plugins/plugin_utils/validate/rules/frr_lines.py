# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for own lines of frr.conf: they keep to their section, say what no other option says, hide their secrets, and are as FRR prints them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible_collections.xuegao.net.plugins.module_utils.frr import SECRETS
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import OPENING, PLACEHOLDER
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import SECRET, Place, Problem, show, unknown, vrf_text
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import DEFAULT_VRF, Host
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.values import View, line_problems, twice

_MOST_SECTIONS = 4
_SECRET_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
# What is no configuration, or ends a section.
_COMMANDS = frozenset(
    "configure conf copy do end exit quit show write exit-address-family exit-vrf exit-vni exit-vnc exit-link-params".split()
)
# Lines that open a section, by the one they stand in: FRR takes what follows for a part of it.
_OPENING: tuple[tuple[str, str], ...] = (
    (
        "",
        r"(router|interface|vrf|route-map|pbr-map|nexthop-group|pseudowire|l2vpn|key chain) \S|(bfd|rpki|segment-routing|mpls ldp|line vty)\Z",
    ),
    (r"router bgp ", r"address-family |vnc |vrf-policy |bmp targets |rpki\Z|segment-routing srv6\Z"),
    (r"address-family l2vpn evpn\Z", r"vni \d"),
    (r"bfd\Z", r"(profile|peer) "),
    (r"key chain ", r"key "),
    (r"interface ", r"link-params\Z"),
    (r"mpls ldp\Z", r"address-family "),
)
_BGP, _FAMILY, _OSPF, _TOP = r"router bgp ", r"address-family ipv[46] unicast\Z", r"router ospf6?( vrf \S+)?\Z", r"\Z"


class Modelled(NamedTuple):
    """Lines that an option of role frr says. section, line: patterns of the innermost section and of what the line begins with."""

    section: str
    line: str
    option: str


_NEIGHBOR = r"(no )?neighbor \S+ "
MODELLED = (
    Modelled(_TOP, r"hostname ", "frr_hostname"),
    Modelled(_TOP, r"log syslog", "frr_log_level"),
    Modelled(_TOP, r"(no )?(ip|ipv6) forwarding", "frr_forwarding"),
    Modelled(_TOP, r"(frr defaults|frr version|service integrated-vtysh-config)", "no option, as it is the same everywhere"),
    Modelled(r"(\Z|vrf )", r"(no )?(ip|ipv6) route ", "frr_static_routes"),
    Modelled(r"(\Z|vrf )", r"(no )?(ip|ipv6) protocol ospf6? ", "frr_ospf[].install_route_map"),
    Modelled(_TOP, r"(no )?(ip|ipv6) prefix-list ", "frr_prefix_lists"),
    Modelled(_TOP, r"(no )?bgp as-path access-list ", "frr_as_path_lists"),
    Modelled(_TOP, r"(no )?bgp (large-)?community-list ", "frr_community_lists"),
    Modelled(r"rpki\Z", r"(no )?rpki (polling_period|expire_interval|retry_interval|cache) ", "frr_rpki"),
    Modelled(r"route-map ", r"match (ip|ipv6) address prefix-list ", "frr_route_maps[].entries[].match"),
    Modelled(r"route-map ", r"description ", "frr_route_maps[].entries[].description"),
    Modelled(r"interface ", r"description ", "frr_interfaces[].description"),
    Modelled(r"interface ", r"(no )?(ip|ipv6) address ", "frr_interfaces[].addresses"),
    Modelled(r"interface ", r"(no )?link-detect", "frr_interfaces[].link_detect"),
    Modelled(
        r"interface ",
        r"(no )?(ip ospf|ipv6 ospf6) (area|authentication (message-digest|key-id)|message-digest-key|bfd|cost|dead-interval|hello-interval|network|passive)\b",
        "frr_ospf[].interfaces, frr_ospf6[].interfaces",
    ),
    Modelled(_BGP, r"bgp router-id ", "frr_bgp[].router_id"),
    Modelled(_BGP, r"(no )?bgp default ipv4-unicast", "no option, as it is the same everywhere"),
    Modelled(_BGP, r"(no )?bgp network import-check", "frr_bgp[].network_import_check"),
    Modelled(_BGP, r"(no )?bgp graceful-restart\Z", "frr_bgp[].graceful_restart"),
    Modelled(
        _BGP,
        _NEIGHBOR
        + r"(interface|remote-as|description|bfd|local-role|password|passive|ebgp-multihop|ttl-security|timers \d|update-source)\b",
        "frr_bgp[].neighbors",
    ),
    Modelled(_BGP, r"no neighbor \S+\Z", "frr_bgp[].neighbors"),
    Modelled(_FAMILY, r"(no )?network ", "frr_bgp[].networks"),
    Modelled(_FAMILY, r"(no )?redistribute (connected|kernel|ospf|ospf6|static)\b", "frr_bgp[].redistribute"),
    Modelled(_FAMILY, r"(no )?maximum-paths ", "frr_bgp[].maximum_paths"),
    Modelled(_FAMILY, r"(no )?aggregate-address \S+( as-set)?( summary-only)?( route-map \S+)?\Z", "frr_bgp[].aggregates"),
    Modelled(_FAMILY, r"(no )?import vrf ", "frr_bgp[].imports"),
    Modelled(
        _FAMILY,
        _NEIGHBOR + r"((activate|route-map|next-hop-self|route-reflector-client|default-originate|maximum-prefix)\b|remove-private-AS\Z)",
        "frr_bgp[].neighbors[].families",
    ),
    Modelled(_OSPF, r"(ospf|ospf6) router-id ", "frr_ospf[].router_id, frr_ospf6[].router_id"),
    Modelled(_OSPF, r"auto-cost reference-bandwidth ", "frr_ospf[].reference_bandwidth, frr_ospf6[].reference_bandwidth"),
    Modelled(_OSPF, r"(no )?redistribute (bgp|connected|kernel|static)\b", "frr_ospf[].redistribute, frr_ospf6[].redistribute"),
    Modelled(r"profile ", r"(detect-multiplier|transmit-interval|receive-interval) ", "frr_bfd_profiles"),
)
# FRR numbers these itself and prints the number.
_UNNUMBERED = re.compile(
    r"((ip|ipv6|mac) )?access-list \S+ (permit|deny)\b|bgp extcommunity-list (standard |expanded )?\S+ (permit|deny)\b"
)
_DAEMONS: Mapping[str, str] = {
    "router bgp": "bgpd",
    "router ospf": "ospfd",
    "router ospf6": "ospf6d",
    "router isis": "isisd",
    "router rip": "ripd",
    "router ripng": "ripngd",
    "router eigrp": "eigrpd",
    "router babel": "babeld",
    "router openfabric": "fabricd",
    "router pim": "pimd",
    "router pim6": "pim6d",
    "mpls ldp": "ldpd",
    "bfd": "bfdd",
    "segment-routing": "pathd",
    "ip pim": "pimd",
    "ip igmp": "pimd",
    "ipv6 pim": "pim6d",
    "ipv6 mld": "pim6d",
    "ip nhrp": "nhrpd",
    "ip router isis": "isisd",
    "ipv6 router isis": "isisd",
    "vrrp": "vrrpd",
}
# The variables that make one of them run in any case.
_RUNS: Mapping[str, str] = {"bgpd": "frr_bgp", "ospfd": "frr_ospf", "ospf6d": "frr_ospf6", "bfdd": "frr_bfd_profiles"}
_INSTANCE = re.compile(r"router bgp (\d+)(?: vrf (\S+))?\Z")


def own_line_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of own lines."""
    entries = host.root.views("frr_lines")
    yield from twice(
        ((entry.path, " / ".join(text for _path, text in entry.texts("section")) or "no section") for entry in entries), "section"
    )
    yield from twice(host.root.texts("frr_daemons"), "daemon")
    secrets = host.root.data.get("frr_secrets")
    known = {str(name) for name in secrets} if isinstance(secrets, Mapping) else set()
    used: set[str] = set()
    for entry in entries:
        yield from _section(host, entry)
        section = [text for _path, text in entry.texts("section")]
        lines = entry.texts("lines")
        yield from twice(lines if not any(OPENING in text for _path, text in lines) else (), "line")
        for path, text in lines:
            used.update(PLACEHOLDER.findall(text))
            yield from _secret(path, text, known)
            # Whatever else is said of a line shows it.
            if not SECRETS.match(text) or PLACEHOLDER.search(text):
                yield from _line(host, path, text, section)
        if entry.data.get("lines") in ([], ()):
            yield Problem(entry.at("lines"), "is empty", hint="give it a line, or remove the entry")
    for name in sorted(known):
        yield from _named_secret(host, name, used, secrets)


def _section(host: Host, entry: View) -> Iterator[Problem]:
    openings = entry.texts("section")
    if len(openings) > _MOST_SECTIONS:
        yield Problem(entry.at("section"), f"has {len(openings)} parts", hint=f"FRR's sections are at most {_MOST_SECTIONS} deep")
    for path, text in openings:
        yield from line_problems(path, text)
        if text.split(" ")[0] in {"no", *_COMMANDS} or text.startswith("!"):
            yield Problem(path, "opens no section", show(text), "write what opens one, for example router bgp 65503 vrf CORE")
    if openings:
        yield from _daemon(host, *openings[0])
        found = _INSTANCE.match(openings[0][1])
        if found:
            yield from _instance(host, openings[0][0], found)


def _instance(host: Host, path: Place, found: re.Match[str]) -> Iterator[Problem]:
    """Report an instance of BGP that is another one than is declared for its VRF."""
    vrf = found[2] or DEFAULT_VRF
    for instance in host.root.views("frr_bgp"):
        asn = instance.number("asn")
        if (instance.text("vrf") or DEFAULT_VRF) == vrf and asn is not None and str(asn) != found[1]:
            yield Problem(
                path, f"is not the BGP instance of {vrf_text(vrf)}", show(found[0]), f"that has AS {asn}; see {instance.at('asn')}"
            )


def _line(host: Host, path: Place, text: str, section: list[str]) -> Iterator[Problem]:
    yield from line_problems(path, text)
    plain = " ".join(text.split())
    if plain.partition(" ")[0] in _COMMANDS or plain.startswith(("!", "#")):
        yield Problem(path, "is no line of a configuration", show(text), "sections are opened and ended by frr_lines[].section")
        return
    inner = section[-1] if section else ""
    for opened_in, opening in _OPENING:
        if not (re.match(opened_in, inner) if opened_in else not section):
            continue
        if re.match(opening, plain):
            yield Problem(path, "opens a section", show(text), "name it in the key section of an entry of its own")
        # FRR would take all of it from the running configuration before anybody could see that the file says something else.
        elif re.match(opening, plain.removeprefix("no ")):
            yield Problem(path, "takes a whole section away", show(text), "take it from what declares it; own lines add")
    for modelled in MODELLED:
        if re.match(modelled.section, inner) and re.match(modelled.line, plain):
            yield Problem(path, "is said by another option", show(text), f"write it there: {modelled.option}")
    if _UNNUMBERED.match(plain):
        yield Problem(path, "has no number", show(text), "FRR gives it one and prints it: write seq and a number before permit or deny")
    yield from _daemon(host, path, plain)


def _daemon(host: Host, path: Place, text: str) -> Iterator[Problem]:
    """Report what needs a daemon that does not run."""
    words = text.split(" ")
    for length in (3, 2, 1):
        daemon = _DAEMONS.get(" ".join(words[:length]))
        if daemon is None:
            continue
        asked = {name for _path, name in host.root.texts("frr_daemons")}
        if daemon not in asked and not host.root.views(_RUNS.get(daemon, "")):
            yield Problem(path, f"needs {daemon}, which does not run", show(text), f"add {daemon} to frr_daemons")
        return


def _secret(path: Place, text: str, known: set[str]) -> Iterator[Problem]:
    """Report a secret that is written out, and a placeholder that stands for none."""
    found = SECRETS.match(text)
    hint = f"write {OPENING}NAME> in its place, and the secret under that name in frr_secrets"
    if found and not PLACEHOLDER.fullmatch(found["secret"]):
        yield Problem(path, "holds a secret", SECRET, hint)
    elif PLACEHOLDER.search(text) and not found:
        yield Problem(
            path,
            "has a secret where FRR keeps none that is known here",
            show(text),
            "so it would show in diffs; FRR's key chains hide theirs",
        )
    for name in PLACEHOLDER.findall(text):
        if name not in known:
            yield unknown(path, f"secret {show(name)} is not defined", name, sorted(known), "defined in frr_secrets")


def _named_secret(host: Host, name: str, used: set[str], secrets: object) -> Iterator[Problem]:
    place = host.root.at("frr_secrets").at(name)
    if not _SECRET_NAME.match(name):
        yield Problem(host.root.at("frr_secrets"), "is no name of a secret", show(name), "it must be one word of A-Z a-z 0-9 _ . -")
    elif name not in used:
        yield Problem(place, "is used by no line of frr_lines", hint=f"a line refers to it by {OPENING}{name}>")
    value = secrets.get(name) if isinstance(secrets, Mapping) else None
    if not isinstance(value, str) or not value or not value.isprintable():
        yield Problem(place, "is not one line of text", SECRET, "FRR takes a secret to the end of its line")
