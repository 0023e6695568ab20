# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather how a host is configured, whoever did it. No secret leaves the host: a name stands for each, the same for the same value."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import frr, wireguard
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer, part
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import placeholder

DAEMONS = ["vtysh", "-c", "show daemons"]
TABLES = ["nft", "list", "tables"]
_TABLE = re.compile(r"table (\S+ \S+)")
# What is read of wg-quick's files. Whatever else stands there is nobody's business: the private key, which the role finds on the host, commands that
# may hold more secrets, and remarks but for one word, the name of a peer.
_READ = re.compile(
    "Address|AllowedIPs|DNS|Endpoint|FwMark|ListenPort|MTU|PersistentKeepalive|PresharedKey|PublicKey|SaveConfig|Table", re.IGNORECASE
)
_NAME = re.compile(r"#\s*[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_HEADING = re.compile(r"\[\w+\]")
_SETTING = re.compile(r"([A-Za-z]+)\s*=")
_PRESHARED = re.compile(r"^\s*PresharedKey\s*=\s*(?P<secret>\S+)", re.MULTILINE | re.IGNORECASE)


class Names:
    """Names for secrets."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def cover(self, text: str, where: re.Pattern[str]) -> str:
        """Put names in place of the secrets of a text. where: finds them, its group C(secret)."""

        def named(match: re.Match[str]) -> str:
            begin, end = match.start("secret") - match.start(), match.end("secret") - match.start()
            name = self._known.setdefault(match["secret"], "adopted_%d" % (len(self._known) + 1))
            return match[0][:begin] + placeholder(name) + match[0][end:]

        return where.sub(named, text)


def gather_configuration(gatherer: Gatherer, directory: str = wireguard.DIRECTORY) -> dict[str, dict[str, Any]]:
    """Give parts ``frr_configuration``, ``wireguard_configuration`` and ``tables``.

    ``frr_configuration`` is ``running`` (text) and ``daemons``, None where there is no FRR; ``wireguard_configuration`` ``files`` (text by interface)
    and ``keys`` (interfaces with a file of their private key); ``tables`` those of nft, as ``family name``. directory: of WireGuard.
    """
    names = Names()
    found = {"wireguard_configuration": _wireguard(names, directory), "frr_configuration": _frr(gatherer, names)}
    found["tables"] = gatherer.read(TABLES, lambda text: [match[1] for match in map(_TABLE.fullmatch, text.splitlines()) if match])
    if "is not installed" in (found["tables"]["error"] or ""):
        found["tables"] = part("nft list tables", data=[])
    return found


def _frr(gatherer: Gatherer, names: Names) -> dict[str, Any]:
    running = gatherer.running_config(lambda text: names.cover(text, frr.SECRETS))
    if running["error"] is not None:
        # A host without it has nothing to describe; one whose FRR does not answer has, and nobody knows what.
        absent = "is not installed" in running["error"]
        return part(running["command"], error=None if absent else running["error"])
    daemons = gatherer.read(DAEMONS, str.split)
    return part(running["command"], data={"running": running["data"], "daemons": daemons["data"] or []}, error=daemons["error"])


def _wireguard(names: Names, directory: str) -> dict[str, Any]:
    files = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(directory), "*.conf"))):
        files[os.path.basename(path)[: -len(".conf")]] = names.cover("\n".join(_told(read_text(path))), _PRESHARED)
    keys = [os.path.basename(path)[: -len(".key")] for path in sorted(glob.glob(os.path.join(glob.escape(directory), "*.key")))]
    return part("cat /etc/wireguard/*.conf", data={"files": files, "keys": keys})


def _told(text: str) -> Iterator[str]:
    """Give the lines of a file of wg-quick that may be told."""
    for raw in text.splitlines():
        line = raw.strip()
        bare = line.partition("#")[0].strip()
        setting = _SETTING.match(bare)
        if _NAME.fullmatch(line) or _HEADING.fullmatch(bare):
            yield line if line.startswith("#") else bare
        elif setting:
            yield bare if _READ.fullmatch(setting[1]) else setting[1] + " = (stays here)"
