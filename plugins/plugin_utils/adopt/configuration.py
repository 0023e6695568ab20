# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""FRR's running configuration as sections of lines, from which each reader takes what it understands."""

from __future__ import annotations

import re

Section = tuple[str, ...]
TOP: Section = ()
# What opens a section even where nothing is in it, and older versions of FRR do not say that it ends.
_ALWAYS = re.compile(r"(?:interface|vrf|router|route-map) \S|line vty")
_END = re.compile(r"exit(?:-\S+)?|end|!")
# FRR before 8 names the VRF of an interface, too.
_INTERFACE = re.compile(r"(interface \S+) vrf \S+")


class Configuration:
    """The lines by what opens the sections around them, outermost first. FRR indents each section by one space more.

    Parameters:
        text: what ``show running-config`` prints.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[Section, list[str]] = {TOP: []}
        around: list[str] = []
        for raw in text.splitlines():
            line = raw.strip()
            depth = len(raw) - len(raw.lstrip(" "))
            if not line:
                continue
            if _END.fullmatch(line):
                # What ends here is a section, whether anything was in it or not. The other two stand between any lines, and at the end of all.
                if line.startswith("exit") and depth < len(around):
                    self._open(tuple(around[: depth + 1]))
                continue
            match = _INTERFACE.fullmatch(line)
            line = match[1] if match else line
            del around[depth:]
            self._open(tuple(around))
            if depth == 0 and _ALWAYS.match(line):
                self._open((line,))
            else:
                self._lines[tuple(around)].append(line)
            around.append(line)

    def _open(self, section: Section) -> None:
        """Know a section, and that what opens it, which was read last, is no line of the one around it."""
        around = self._lines.get(section[:-1])
        if section and around and around[-1] == section[-1]:
            around.pop()
        self._lines.setdefault(section, [])

    def sections(self, *openings: str) -> list[tuple[Section, list[re.Match[str]]]]:
        """Return the sections whose openings match patterns, one for each depth, with the matches, in their order."""
        found = []
        for section in self._lines:
            matches = [re.fullmatch(pattern, opening) for pattern, opening in zip(openings, section)]
            if len(section) == len(openings) and all(matches):
                found.append((section, [match for match in matches if match]))
        return found

    def below(self, section: Section) -> list[Section]:
        """Return a section and those in it."""
        return [known for known in self._lines if known[: len(section)] == section]

    def knows(self, section: Section) -> bool:
        """Tell whether there is such a section."""
        return section in self._lines

    def find(self, section: Section, pattern: str) -> list[re.Match[str]]:
        """Return the matches of the lines of a section that match, and leave them there."""
        return [match for line in self._lines.get(section, ()) if (match := re.fullmatch(pattern, line))]

    def has(self, section: Section, line: str) -> bool:
        """Tell whether a line is still there."""
        return line in self._lines.get(section, ())

    def take(self, section: Section, pattern: str) -> list[re.Match[str]]:
        """Take the lines of a section that match, and return the matches."""
        found, kept = [], []
        for line in self._lines.get(section, ()):
            match = re.fullmatch(pattern, line)
            if match:
                found.append(match)
            else:
                kept.append(line)
        if found:
            self._lines[section] = kept
        return found

    def take_one(self, section: Section, pattern: str) -> re.Match[str] | None:
        """Take a line of which there is one at most. Of several, which no reader knows what to do with, none is taken."""
        return self.take(section, pattern)[0] if len(self.find(section, pattern)) == 1 else None

    def take_line(self, section: Section, line: str) -> bool:
        """Take a line; returns whether it was there."""
        return bool(self.take(section, re.escape(line)))

    def rest(self) -> list[tuple[Section, list[str]]]:
        """Return what nobody has taken."""
        return [(section, lines) for section, lines in self._lines.items() if lines]
