# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FRR's OSPF and OSPFv3 as variables. Their interfaces say themselves in which area they are; in which instance, their VRF says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.placeholders import PLACEHOLDER
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.configuration import TOP, Configuration, Section
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description

_NUMBERS = (("hello-interval", "hello_interval"), ("dead-interval", "dead_interval"), ("cost", "cost"))


def ospf_instances(configuration: Configuration, word: str, vrf_of: Mapping[str, str], found: Description) -> list[dict[str, Any]]:
    """Return the instances.

    Parameters:
        configuration: of FRR.
        word: ``ospf`` or ``ospf6``.
        vrf_of: VRF by interface, of those in one.
        found: gets the secrets.
    """
    instances: dict[str, dict[str, Any]] = {}
    for section, (opening,) in configuration.sections(rf"router {word}(?: vrf (\S+))?"):
        instance: dict[str, Any] = {"vrf": opening[1]} if opening[1] else {}
        if router_id := configuration.take_one(section, rf"{word} router-id (\S+)"):
            instance["router_id"] = router_id[1]
        if bandwidth := configuration.take_one(section, r"auto-cost reference-bandwidth (\d+)"):
            instance["reference_bandwidth"] = int(bandwidth[1])
        if sources := configuration.take(section, r"redistribute (bgp|connected|kernel|static) route-map (\S+)"):
            instance["redistribute"] = [{"source": source[1], "route_map": source[2]} for source in sources]
        around: Section = (f"vrf {opening[1]}",) if opening[1] else TOP
        protocol = "ip protocol ospf" if word == "ospf" else "ipv6 protocol ospf6"
        if install := configuration.take_one(around, rf"{protocol} route-map (\S+)"):
            instance["install_route_map"] = install[1]
        instance["interfaces"] = []
        instances[opening[1] or ""] = instance
    words = "ip ospf" if word == "ospf" else "ipv6 ospf6"
    for section, (opening,) in configuration.sections(r"interface (\S+)"):
        name = opening[1]
        known = instances.get(vrf_of.get(name, ""))
        area = configuration.take_one(section, rf"{words} area (\S+)") if known else None
        if known and area:
            known["interfaces"].append({"name": name, "area": area[1], **_settings(configuration, section, words, found)})
    return list(instances.values())


def _settings(configuration: Configuration, section: Section, words: str, found: Description) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if configuration.take_line(section, f"{words} passive"):
        settings["passive"] = True
    if network := configuration.take_one(section, rf"{words} network (broadcast|non-broadcast|point-to-multipoint|point-to-point)"):
        settings["network"] = network[1]
    for key, option in _NUMBERS:
        if number := configuration.take_one(section, rf"{words} {key} (\d+)"):
            settings[option] = int(number[1])
    if configuration.has(section, f"{words} bfd") and (profile := configuration.take_one(section, rf"{words} bfd profile (\S+)")):
        configuration.take_line(section, f"{words} bfd")
        settings["bfd_profile"] = profile[1]
    digest, first = f"{words} authentication message-digest", rf"{words} message-digest-key 1 md5 {PLACEHOLDER.pattern}"
    # One key, the first: what options can say.
    if configuration.has(section, digest) and (secret := configuration.take_one(section, first)):
        configuration.take_line(section, digest)
        settings["password"] = found.secret(secret[1], f"OSPF's key on {section[0].removeprefix('interface ')}")
    trailer = rf"{words} authentication key-id 1 hash-algo hmac-sha-256 key {PLACEHOLDER.pattern}"
    if words == "ipv6 ospf6" and (secret := configuration.take_one(section, trailer)):
        settings["password"] = found.secret(secret[1], f"OSPFv3's key on {section[0].removeprefix('interface ')}")
    return settings
