# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""FRR's configuration text on a host: where it holds secrets, and what FRR prints in another way."""

from __future__ import annotations

import re

# The configuration of all daemons. The program of the way back, which lies on hosts by itself, has it once more.
FRR_CONF = "/etc/frr/frr.conf"

# In what a daemon says with --version; as everywhere in configure, the last one counts.
MULTIPATH_OPTION = re.compile(r"--enable-multipath=(\d+)")

# What bgpd says of its version first.
_MAJOR = re.compile(r"^bgpd version (\d+)", re.MULTILINE)
# Since FRR 10 a line of a cache says how it is reached.
_CACHE = re.compile(r"^( *rpki cache )tcp ", re.MULTILINE)
# Options of bgpd in FRR's file daemons by which it has RPKI.
RPKI_MODULE = ("-M", "rpki")

# Where FRR prints a secret, in a line of configuration or in a message that quotes one. It is the rest of the line: a password may hold spaces.
SECRETS = re.compile(
    r"^(?!\s*(?:neighbor \S+ )?description ).*?\b(?:neighbor \S+ password"
    r"|password(?: (?:8|md5|clear))?"
    r"|authentication-key"
    r"|message-digest-key \d+ md5"
    r"|hash-algo \S+ key"
    r"|key-string"
    r") (?P<secret>.+)$",
    re.MULTILINE,
)

_INTERFACE = re.compile(r"^(no )?interface (\S+(?: vrf \S+)?)$")


def interfaces_losing(changes: list[str]) -> list[str]:
    """Give the interfaces that a reload takes something from, as FRR names them: C(NAME), or C(NAME vrf VRF) in older versions.

    changes: what C(frr-reload.py --test) prints, with its indentation.
    """
    found: dict[str, None] = {}
    section = None
    for line in changes:
        heading = _INTERFACE.match(line)
        if line.startswith("Lines To Add"):
            break
        if heading and heading.group(1):
            found[heading.group(2)] = None
        elif not line.startswith(" "):
            section = heading.group(2) if heading else None
        elif section:
            found[section] = None
    return list(found)


def interfaces_deleted(changes: list[str]) -> list[str]:
    """Give those of C(interfaces_losing) that a reload wants to delete whole."""
    return [heading.group(2) for heading in map(_INTERFACE.match, changes) if heading and heading.group(1)]


def as_shown(text: str, version: str, system_name: str) -> str:
    """Text as the running configuration of one host shows it; otherwise reload would try for ever to make them the same.

    FRR 8 has no word for the way to an RPKI cache. A C(maximum-paths) of the number that FRR was built for is a default, which is never shown. The daemons take the system's name; a
    C(hostname) in frr.conf reaches none of them.

    Parameters:
        text: the configuration.
        version: what a daemon prints with C(--version).
        system_name: the host's own name.
    """
    text = re.sub(r"^hostname .*$", lambda _: "hostname " + system_name, text, flags=re.MULTILINE)
    if is_old(version):
        text = _CACHE.sub(r"\g<1>", text)
    built_for = MULTIPATH_OPTION.findall(version)
    if not built_for:
        return text
    return re.sub(r"^ *maximum-paths (?:ibgp )?%s\n" % built_for[-1], "", text, flags=re.MULTILINE)


def is_old(version: str) -> bool:
    """Say whether this is an FRR before 10. version: what bgpd prints with C(--version); what is no such text is a new one."""
    found = _MAJOR.search(version)
    return found is not None and int(found.group(1)) < 10


def rpki_section(text: str) -> list[str] | None:
    """Give the lines of section C(rpki) of a configuration, sorted; None where it has no such section."""
    lines = text.splitlines()
    if "rpki" not in lines:
        return None
    begin = lines.index("rpki") + 1
    end = next((number for number in range(begin, len(lines)) if not lines[number].startswith(" ")), len(lines))
    return sorted(line.strip() for line in lines[begin:end])
