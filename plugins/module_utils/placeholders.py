# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Secrets in texts: placeholders stand for them on the controller, in diffs and in messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

OPENING = "<secret "
PLACEHOLDER = re.compile(OPENING + r"([^>\n]+)>")
# For a secret whose name is not known: one that was there before, and any.
FORMER = "<former secret>"
ANY = "<secret>"


def placeholder(name: str) -> str:
    """Give what stands for the secret of this name."""
    return "%s%s>" % (OPENING, name)


def put_in(text: str, secrets: Mapping[str, str], written: Callable[[str], str] = str) -> str:
    """Replace every placeholder C(<secret NAME>) by its value.

    Parameters:
        secrets: values by name.
        written: how the text's language writes a value.

    Raises:
        KeyError: a placeholder has no value; the error names it.
    """
    return PLACEHOLDER.sub(lambda match: written(secrets[match.group(1)]), text)


def take_out(
    text: str,
    where: re.Pattern[str],
    secrets: Mapping[str, str] | None = None,
    unknown: str = FORMER,
    written: Callable[[str], str] = str,
) -> str:
    """Replace every secret of a text that is to be shown: the reverse of put_in.

    Parameters:
        where: finds the secrets of the text's language; its group C(secret) is what goes.
        secrets: values by name. One of them becomes its placeholder.
        unknown: what any other becomes.
        written: how the text's language writes a value.
    """

    def cover(match: re.Match[str]) -> str:
        begin, end = match.span("secret")
        opening = match.string[match.string.rfind("\n", 0, begin) + 1 : begin].split()
        names = [name for name, value in (secrets or {}).items() if written(value) == match["secret"]]
        # Several neighbors may share one password: take the name that the line itself mentions.
        named = [name for name in names if name.split()[-1] in opening] or names
        shown = placeholder(named[0]) if named else unknown
        return match.string[match.start() : begin] + shown + match.string[end : match.end()]

    return where.sub(cover, text)


def cover_values(text: str, names: Mapping[str, str]) -> str:
    """Replace known secrets wherever they stand, in a text of no language: what programs have said. names: of each secret, by its value."""
    # The longest first, since one may begin another; all at once, since one may be part of a placeholder.
    values = sorted(filter(None, names), key=len, reverse=True)
    if not values:
        return text
    return re.sub("|".join(map(re.escape, values)), lambda match: placeholder(names[match[0]]), text)


def where_like(template: str) -> re.Pattern[str]:
    """Find the secrets of a former text by its successor: what follows an opening that has a placeholder in the template.

    For languages this collection does not know. template: the new text with its placeholders.
    """
    openings = [line.partition(OPENING)[0] for line in template.splitlines() if OPENING in line]
    if not openings:
        return re.compile(r"(?!)(?P<secret>)")
    # Nothing follows the last line's end.
    return re.compile(r"^(?:%s)(?!\Z)(?P<secret>.*)$" % "|".join(map(re.escape, openings)), re.MULTILINE)
