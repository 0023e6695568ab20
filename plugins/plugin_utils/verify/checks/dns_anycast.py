# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of anycast DNS: each address answers and is set, one exactly when the other, zones are served as declared, sshd is not on the addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.loaded import digest_of_text
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import DnsAnycastZone
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.dns_anycast import probe_address, socket_text, zone_files
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.zone_records import Wanted, wanted_answers

QUESTION = "anycast.xgn.invalid TXT"
WILDCARDS = ("0.0.0.0", "*", "[::]")
# Of what is wrong in a zone, so much is told.
_TOLD = 3


def zones_asked(variables: Variables) -> dict[str, Any] | None:
    """Return what module ``live_state`` is asked of zones; nothing where there is none."""
    if not is_declared("dns_anycast", variables) or not variables.get("dns_anycast_zones"):
        return None
    vrf, zones = variables.get("dns_anycast_vrf"), variables["dns_anycast_zones"]
    wanted = [answer for zone in zones for answer in wanted_answers(zone["name"], zone["records"])]
    return {
        "server": probe_address(vrf),
        "vrf": vrf,
        "files": {zone["name"]: file["path"] for zone, file in zip(zones, zone_files(variables), strict=True)},
        "questions": [{"name": answer.name, "type": answer.kind} for answer in wanted],
    }


def check_dns(ledger: Ledger, variables: Variables) -> None:
    """Check the anycast addresses of a host that has some, and sshd's addresses."""
    vrf = variables.get("dns_anycast_vrf")
    prefix = f"ip vrf exec {vrf} " if vrf else ""
    for address in variables.get("dns_anycast_addresses") or []:
        bare = address.partition("/")[0]
        ledger.judge(f"DNS {bare} answers", f"{prefix}dig @{bare} {QUESTION}", "anycast", lambda live, a=address: answers(a, live))
        show = f"ip address show dev {variables.get('dns_anycast_interface', 'lo')}"
        ledger.judge(f"DNS {bare} set while it answers", show, "anycast", lambda live, a=address: follows(a, live))
    port = variables.get("dns_anycast_ssh_port", 22)
    wanted = [(item["address"], item.get("vrf")) for item in variables.get("dns_anycast_ssh_listen") or []]
    for address, where in wanted:
        text = socket_text(address, port, where)
        ledger.judge(
            f"SSH listens on {text}",
            "ss -ltn",
            "listening",
            lambda live, t=text: (t in live, "listening" if t in live else f"found {t} nowhere"),
        )
    if any(where is None for _address, where in wanted):
        ledger.judge("SSH not on the wildcard", "ss -ltn", "listening", lambda live: no_wildcard(live, port))


def check_zones(ledger: Ledger, variables: Variables) -> None:
    """Check that unbound has read each zone as it is declared, and answers what is in it."""
    if not is_declared("dns_anycast", variables):
        return
    vrf = variables.get("dns_anycast_vrf")
    server, prefix, first = probe_address(vrf), f"ip vrf exec {vrf} " if vrf else "", 0
    zones: list[DnsAnycastZone] = variables.get("dns_anycast_zones") or []
    for zone, file in zip(zones, zone_files(variables), strict=True):
        name, path, digest = zone["name"], file["path"], digest_of_text(file["content"])
        ledger.judge(
            f"DNS zone {name} loaded as declared",
            f"cat {path}; grep {path} /run/xgn-loaded/unbound.service",
            "dns_zones",
            lambda live, n=name, d=digest: loaded_as_declared(d, live.get(n, {})),
        )
        wanted = wanted_answers(name, zone["records"])
        ledger.judge(
            f"DNS zone {name} answers its records",
            f"{prefix}dig +tcp @{server} {name} SOA",
            "dns_answers",
            lambda live, w=wanted, at=first: as_wanted(w, live[at : at + len(w)]),
        )
        first += len(wanted)


def loaded_as_declared(digest: str, live: Mapping[str, str | None]) -> Verdict:
    """Test that a zone's file is what is declared, and that unbound has read that."""
    if live.get("file") != digest:
        return False, "the file is another" if live.get("file") else "there is no file"
    if live.get("loaded") != digest:
        return False, "unbound has read another file: one run of site has it read this one"
    return True, "read"


def as_wanted(wanted: list[Wanted], live: list[Mapping[str, Any]]) -> Verdict:
    """Test that each question is answered, and with the values that the zone has."""
    wrong = []
    for question, answer in zip(wanted, live, strict=True):
        if not answer["values"] or (question.values and question.values != answer["values"]):
            found = ", ".join(answer["values"]) or answer["said"]
            wrong.append(f"{question.name} {question.kind}: found {found}, expected {', '.join(question.values) or 'a record'}")
    if wrong:
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        return False, "; ".join(wrong[:_TOLD]) + more
    return True, f"answered {len(wanted)} questions"


def answers(address: str, live: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Test that the resolver answered."""
    found = live.get(address)
    if found is None:
        return False, "the guard does not know this address"
    if not found["set"]:
        return bool(found["answered"]), f"withdrawn; the resolver {'answers' if found['answered'] else 'does not answer'} otherwise"
    return bool(found["answered"]), "answered" if found["answered"] else "no answer"


def follows(address: str, live: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Test that an address is set exactly when it is answered."""
    found = live.get(address, {"set": False, "answered": False})
    words = f"{'set' if found['set'] else 'not set'}, {'answered' if found['answered'] else 'not answered'}"
    return found["set"] == found["answered"], words


def no_wildcard(live: list[str], port: int) -> Verdict:
    """Test that nothing listens on SSH's port in the default VRF for every address, the anycast one among them."""
    found = [text for text in live if text in {f"{word}:{port}" for word in WILDCARDS}]
    return not found, f"found {', '.join(found)}" if found else "none"
