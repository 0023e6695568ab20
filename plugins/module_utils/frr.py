# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""FRR's configuration text on a host: secrets, which are placeholders on the controller, and what FRR prints in another way."""

from __future__ import annotations

import re

PLACEHOLDER = re.compile(r"<secret ([^>\n]+)>")

# In what a daemon says with --version; as everywhere in configure, the last one counts.
MULTIPATH_OPTION = re.compile(r"--enable-multipath=(\d+)")

# Where FRR prints a secret. The first group stays, the rest of the line goes.
SECRET_LINE = re.compile(
    r"^(\s*(?:no )?(?:neighbor \S+ password"
    r"|(?:enable )?password(?: 8)?"
    r"|ip ospf authentication-key"
    r"|ip ospf message-digest-key \d+ md5"
    r"|area \S+ virtual-link \S+ (?:authentication-key|message-digest-key \d+ md5)"
    r"|key-string"
    r")) .*$",
    re.MULTILINE,
)


def put_in(text: str, secrets: dict[str, str]) -> str:
    """Text with every placeholder C(<secret NAME>) replaced by its value. Raises KeyError naming one without a value."""
    return PLACEHOLDER.sub(lambda match: secrets[match.group(1)], text)


def take_out(text: str, secrets: dict[str, str]) -> str:
    """The reverse of put_in, for output: known values become their placeholders, unknown ones C(<former secret>)."""

    def cover(match: re.Match[str]) -> str:
        value = match.group(0)[len(match.group(1)) + 1 :]
        names = [name for name, secret in secrets.items() if secret == value]
        # Several neighbors may share one password: take the name that the line itself mentions.
        named = [name for name in names if name.split()[-1] in match.group(1).split()] or names
        return "%s <%s>" % (match.group(1), "secret " + named[0] if named else "former secret")

    return SECRET_LINE.sub(cover, text)


def as_shown(text: str, version: str, system_name: str) -> str:
    """Text as the running configuration of one host shows it; otherwise reload would try for ever to make them the same.

    A C(maximum-paths) of the number that FRR was built for is a default, which is never shown. The daemons take the system's name; a
    C(hostname) in frr.conf reaches none of them.

    Parameters:
        text: the configuration.
        version: what a daemon prints with C(--version).
        system_name: the host's own name.
    """
    text = re.sub(r"^hostname .*$", lambda _: "hostname " + system_name, text, flags=re.MULTILINE)
    built_for = MULTIPATH_OPTION.findall(version)
    if not built_for:
        return text
    return re.sub(r"^ *maximum-paths (?:ibgp )?%s\n" % built_for[-1], "", text, flags=re.MULTILINE)
