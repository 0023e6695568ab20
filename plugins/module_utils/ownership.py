# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the collection made on this host, and what was there before: one record for each role, or part of a role, below /var/lib/xgn.

An object stands in the record before it is made, and until it is gone; so a run that is killed anywhere leaves nothing that nobody knows of.
The record holds no secret: of a file it has a digest, keyed with a key that stays on the host.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import hmac
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text, sync_directory, write_atomically

ROOT = "/var/lib/xgn"
VERSION = 1
DROP_INS = "/etc/systemd/system/"
# Beside each record, of the same content: whichever of the two is whole counts.
COPY = ".copy"
# What a text of ours has in its first lines.
MARK = "(xuegao.net."
MARKED_LINES = 5
# In this order an object goes when all of a record go: what uses another one before it.
KINDS = ("unit", "route", "interface", "table", "sysctl", "file")

# The modules of xgn-interface, unchanged and so without the mark.
PROGRAM = "/usr/local/lib/xgn-interface/"

_OUR_NAME = re.compile(r"/(?:\d\d-)?xgn(?:[-./]|$)|/\d\d-xgn")
# Where files are named like interfaces.
_NAMED_BY_PEOPLE = ("/etc/wireguard/", "/etc/openvpn/")

Warn = Callable[[str], None]
Keep = Callable[[str], None]
Key = tuple[str, str]

# What versions of the collection made that kept no record: record, pattern of a file, and what goes with each such file; {stem} is the file's name
# without its ending. Taken into the record where there is none yet.
MADE_BEFORE: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("sysctl", "/etc/sysctl.d/90-xgn.conf", ()),
    ("wireguard", "/etc/wireguard/*.conf", (("unit", "wg-quick@{stem}.service"), ("interface", "{stem}"))),
    ("wireguard.unit", "/etc/systemd/system/wg-quick@.service.d/90-xgn.conf", ()),
    ("openvpn", "/etc/openvpn/server/*.conf", (("unit", "openvpn-server@{stem}.service"), ("interface", "{stem}"))),
    ("openvpn", "/etc/openvpn/client/*.conf", (("unit", "openvpn-client@{stem}.service"), ("interface", "{stem}"))),
    ("openvpn", "/etc/systemd/system/openvpn-*@*.service.d/80-xgn-openvpn.conf", ()),
    ("l2tp_ipsec", "/etc/swanctl/conf.d/xgn-l2tp.conf", (("unit", "strongswan.service"),)),
    ("l2tp_ipsec", "/etc/systemd/system/strongswan.service.d/90-xgn.conf", ()),
    ("l2tp_ipsec", "/usr/local/sbin/xgn-l2tp-watch", ()),
    ("l2tp_ipsec", "/etc/systemd/system/xgn-l2tp-watch.service", (("unit", "xgn-l2tp-watch.service"),)),
    ("l2tp_ipsec", "/etc/xl2tpd/xl2tpd.conf", ()),
    ("l2tp_ipsec.table", "/etc/xl2tpd/xgn.nft", (("table", "inet xgn_l2tp"),)),
    ("l2tp_ipsec", "/etc/systemd/system/xl2tpd.service", (("unit", "xl2tpd.service"),)),
    ("l2tp_ipsec", "/etc/ppp/*.d/xgn-l2tp", ()),
    ("l2tp_ipsec", "/etc/ppp/xgn-*", ()),
    ("vrf", "/etc/systemd/system/interface.service", (("unit", "interface.service"),)),
    ("vrf", "/etc/systemd/system/*.service.d/90-xgn-interface.conf", ()),
    ("vrf", "/usr/local/sbin/xgn-interface", ()),
    ("vrf", PROGRAM + "ansible_collections/xuegao/net/plugins/module_utils/*.py", ()),
    ("vrf.layer", "/etc/xgn/interface.json", ()),
    ("vrf.layer", "/etc/systemd/networkd.conf.d/90-xgn.conf", ()),
    ("vrf.layer", "/etc/systemd/network/05-xgn.network", ()),
    ("vrf.layer", "/etc/systemd/network/*.network.d/90-xgn-master.conf", ()),
    ("vrf.layer", "/etc/NetworkManager/conf.d/90-xgn.conf", ()),
    ("vrf.layer", "/etc/NetworkManager/conf.d/90-xgn-members.conf", ()),
    ("vrf.layer", "/etc/NetworkManager/dispatcher.d/90-xgn-interface", ()),
    ("vrf.layer", "/etc/network/if-up.d/xgn-interface", ()),
    ("firewall", "/etc/systemd/system/xgn-firewall.service", (("unit", "xgn-firewall.service"),)),
    ("firewall.table", "/etc/xgn/firewall.nft", (("table", "inet xgn"),)),
    ("docker_macvlan", "/etc/systemd/system/docker.service.d/90-xgn.conf", (("unit", "docker.service"),)),
    ("dns_anycast", "/etc/unbound/*.d/xgn*.conf", ()),
    ("dns_anycast", "/etc/systemd/system/unbound.service", (("unit", "unbound.service"),)),
    ("dns_anycast", "/etc/systemd/system/xgn-anycast.socket", (("unit", "xgn-anycast.socket"),)),
    ("dns_anycast", "/etc/systemd/system/xgn-anycast.service", (("unit", "xgn-anycast.service"),)),
    ("dns_anycast", "/usr/local/sbin/xgn-anycast", ()),
    ("dns_anycast", "/etc/xgn/anycast.json", ()),
    ("dns_anycast.zones", "/etc/unbound/xgn-*.zone", ()),
    ("dns_anycast.zones", "/etc/unbound/*.d/xgn-*.zone", ()),
    ("dns_anycast.sysctl", "/etc/sysctl.d/90-xgn-anycast.conf", ()),
    ("dns_anycast.bind", "/etc/sysctl.d/90-xgn-ssh.conf", ()),
    ("dns_anycast.ssh", "/etc/ssh/sshd_config.d/10-xgn.conf", ()),
    ("dns_anycast.ssh", "/etc/systemd/system/xgn-ssh-*.socket", (("unit", "{stem}.socket"),)),
    ("dns_anycast.ssh", "/etc/systemd/system/xgn-ssh-*@.service", ()),
    ("gobgp", "/etc/systemd/system/gobgpd.service", (("unit", "gobgpd.service"),)),
    ("gobgp", "/etc/systemd/system/xgn-steering-health.service", (("unit", "xgn-steering-health.service"),)),
    ("gobgp", "/usr/local/sbin/xgn-steering", ()),
    ("gobgp", "/usr/local/sbin/xgn-steering-health", ()),
    ("gobgp", "/etc/sysusers.d/xgn-gobgp.conf", ()),
    ("gobgp", "/etc/xgn/steering.json", ()),
    ("gobgp.daemon", "/etc/gobgpd.conf", ()),
    ("frr", "/etc/systemd/system/frr.service", (("unit", "frr.service"),)),
    ("frr", "/usr/local/sbin/xgn-frr-policy", ()),
)


# Units of it that are the package's, with but a file of ours beside them, and that the owner may have had before: nobody knows, so they stay as those
# versions left them, enabled and running.
MAYBE_BEFORE = ("strongswan.service",)


class RecordError(Exception):
    """A record cannot be kept, so nothing may be changed; the text says why."""


def role_of(record: str) -> str:
    """Return the role a record belongs to; behind a dot stands a part of it."""
    return record.partition(".")[0]


def is_ours(path: str) -> bool:
    """Say whether a file is one that the collection wrote: its path has our name, or its first lines say so."""
    return bool(_OUR_NAME.search(path) and not path.startswith(_NAMED_BY_PEOPLE)) or _is_marked(path)


def is_made_by(pattern: str, path: str) -> bool:
    """Say whether a file is one that the collection wrote under a pattern of `MADE_BEFORE`.

    Where files get their names from variables, the owner's may begin like ours: there it must say so itself, unless nobody else has the directory.
    """
    if not fnmatch.fnmatch(path, pattern):
        return False
    return _is_marked(path) if "*" in os.path.basename(pattern) and not pattern.startswith(PROGRAM) else is_ours(path)


def _is_marked(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return any(MARK in line for line, _number in zip(stream, range(MARKED_LINES)))
    except OSError:
        return False


def was_there(before: dict[str, Any] | None) -> bool:
    """Say whether an interface was somebody's before it was ours, as the record says: a NIC, or one that was found. It is not ours to delete."""
    return bool(before and (before.get("nic") or before.get("found")))


def directory() -> str:
    """Return where the records are."""
    return os.path.join(ROOT, "record")


def _make_private(path: str) -> None:
    """Make a directory below ROOT that only root can enter."""
    os.makedirs(ROOT, mode=0o755, exist_ok=True)
    os.makedirs(path, mode=0o700, exist_ok=True)
    if os.stat(path).st_mode & 0o077:
        os.chmod(path, 0o700)


def _copy(source: str, path: str, mode: int, uid: int, gid: int) -> None:
    """Copy a file of any content in one step, so that it outlives a power cut. Parameters as of `files.write_atomically`."""
    partial = os.path.join(os.path.dirname(path), ".%s.xgn" % os.path.basename(path))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(source, "rb") as before, open(partial, "wb") as after:
        os.chmod(partial, mode)
        os.chown(partial, uid, gid)
        shutil.copyfileobj(before, after)
        after.flush()
        os.fsync(after.fileno())
    os.replace(partial, path)
    sync_directory(os.path.dirname(path))


def _key(make: bool) -> bytes:
    """Return the key of the digests; empty where there is none yet and none is to be made."""
    path = os.path.join(directory(), "digest-key")
    text = read_text(path).strip()
    if len(text) == 64 or not make:
        return text.encode()
    _make_private(directory())
    text = os.urandom(32).hex()
    write_atomically(path, text + "\n", 0o600)
    return text.encode()


def digest(text: str, make: bool = False) -> str:
    """Return the digest of a text. A file may hold a short password, which a plain one would give away to whoever guesses. make: make the key."""
    return hmac.new(_key(make), text.encode(), hashlib.sha256).hexdigest()


class Record:
    """The record of one role or part of a role.

    Parameters:
        name: role, or role, dot and part.
        warn: is told what was wrong with the record and where its content comes from now.
        keep: is told each file below `ROOT` before it is written or removed, so that a way back has the record as it was, too.
    """

    def __init__(self, name: str, warn: Warn, keep: Keep = lambda _path: None) -> None:
        self.name = name
        self._tell = keep
        self.path = os.path.join(directory(), name + ".json")
        self.objects: dict[Key, dict[str, Any]] = {}
        self._unsaved = False
        self._load(warn)

    def names(self, kind: str) -> list[str]:
        """Return the names of the recorded objects of a kind, in the order in which they were recorded."""
        return [name for found, name in self.objects if found == kind]

    def note(self, kind: str, name: str, before: Callable[[], Any] | None = None, asked: str | None = None) -> None:
        """Take an object in that is about to be made. `save` has to follow before it is.

        Parameters:
            kind, name: the object.
            before: tells what was there before; asked only the first time.
            asked: digest or value of what is made.
        """
        known = self.objects.get((kind, name))
        if known is None:
            self.objects[kind, name] = {"asked": asked, "before": before() if before else None}
            self._unsaved = True
        elif asked is not None and known["asked"] != asked:
            known["asked"] = asked
            self._unsaved = True

    def rename(self, kind: str, name: str, new: str) -> None:
        """Know an object by another name; `save` has to follow."""
        if new != name and (kind, new) not in self.objects:
            self.objects[kind, new] = self.objects.pop((kind, name))
            self._unsaved = True

    def drop(self, kind: str, name: str) -> None:
        """Know nothing of an object any more, which stays as it is; `save` has to follow."""
        self._unsaved = self.objects.pop((kind, name), None) is not None or self._unsaved

    def note_file(self, path: str, text: str | None) -> None:
        """Take a file in; what is there and not ours is kept. text: None for one whose content is somebody else's business."""
        self.note("file", path, lambda: self._keep(path, text), digest(text, make=True) if text is not None else None)

    def forget(self, kind: str, name: str) -> None:
        """Strike an object out that is gone, or that is as it was before."""
        known = self.objects.pop((kind, name), None)
        if known is not None:
            self._unsaved = True
            self.save()
            if kind == "file" and known["before"] and known["before"].get("copy"):
                copy = os.path.join(ROOT, known["before"]["copy"])
                if os.path.exists(copy):
                    self._tell(copy)
                    os.unlink(copy)

    def save(self) -> None:
        """Write what is not written yet; afterwards a power cut loses none of it.

        Raises:
            RecordError: it cannot be written.
        """
        if not self._unsaved:
            return
        objects = [{"kind": kind, "name": name, **known} for (kind, name), known in self.objects.items()]
        text = json.dumps({"version": VERSION, "objects": objects}, indent=1, sort_keys=True) + "\n"
        try:
            _make_private(directory())
            for path in (self.path, self.path + COPY):
                self._tell(path)
                write_atomically(path, text, 0o600)
        except OSError as error:
            raise RecordError(
                "the record of what this role makes cannot be written: %s: %s. Nothing that is not recorded is made."
                % (self.path, error.strerror)
            ) from error
        self._unsaved = False

    def put_back(self, path: str) -> None:
        """Give a file back what was there before it was ours, or remove it, with the directories that were made for it. A missing one is no error."""
        before = self.objects.get(("file", path), {}).get("before") or {}
        if before.get("link") is not None:
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink(before["link"], path)
            sync_directory(os.path.dirname(path))
        elif before.get("copy") and os.path.exists(os.path.join(ROOT, before["copy"])):
            _copy(os.path.join(ROOT, before["copy"]), path, before["mode"], before["uid"], before["gid"])
        elif os.path.lexists(path):
            os.unlink(path)
            sync_directory(os.path.dirname(path))
        place, last = os.path.dirname(path), before.get("made")
        if place.startswith(DROP_INS) and place.endswith(".d"):
            # Several roles have files in one; the last goes with it.
            last = last or place
        while last and (place == last or place.startswith(last + "/")) and os.path.isdir(place) and not os.listdir(place):
            os.rmdir(place)
            place = os.path.dirname(place)

    def former(self, path: str) -> str | None:
        """Return what a file held before it was ours; None when it was not there, or its copy is gone."""
        before = self.objects.get(("file", path), {}).get("before") or {}
        path = os.path.join(ROOT, before.get("copy") or "")
        # Somebody may have cleaned up there.
        return read_text(path) if os.path.isfile(path) else None

    def copy_of(self, path: str) -> str:
        """Return where a copy of a file that was somebody's is kept."""
        name = "%s-%s" % (hashlib.sha256(path.encode()).hexdigest()[:12], os.path.basename(path))
        return os.path.join(ROOT, "before", self.name, name)

    def _keep(self, path: str, text: str | None) -> dict[str, Any] | None:
        """Return what is at path now, with a copy of a file that is somebody else's."""
        if os.path.islink(path):
            return {"link": os.readlink(path)}
        if not os.path.exists(path):
            place, made = os.path.dirname(path), None
            while not os.path.isdir(place):
                place, made = os.path.dirname(place), place
            return {"made": made} if made else None
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            if stream.read() == text or is_ours(path):
                # Of an older version, which kept nothing.
                return None
        place = self.copy_of(path)
        for parent in (os.path.join(ROOT, "before"), os.path.dirname(place)):
            _make_private(parent)
        self._tell(place)
        status = os.stat(path)
        _copy(path, place, status.st_mode & 0o7777, -1, -1)
        return {"copy": os.path.relpath(place, ROOT), "mode": status.st_mode & 0o7777, "uid": status.st_uid, "gid": status.st_gid}

    def _load(self, warn: Warn) -> None:
        """Read the record, else its copy, else what older versions made."""
        reasons = []
        for path in (self.path, self.path + COPY):
            if not os.path.exists(path):
                reasons.append("%s is missing" % path)
                continue
            try:
                with open(path, encoding="utf-8") as stream:
                    found = json.load(stream)
                self.objects = {
                    (str(item["kind"]), str(item["name"])): {"asked": item["asked"], "before": item["before"]} for item in found["objects"]
                }
            except (OSError, ValueError, KeyError, TypeError):
                reasons.append("%s is damaged" % path)
                continue
            # Without its copy it is written again, too.
            self._unsaved = bool(reasons) or not os.path.exists(self.path + COPY)
            if reasons:
                warn("%s; what is recorded comes from %s, and the next change writes both" % (", ".join(reasons), path))
            return
        for kind, item in made_before(self.name):
            before = {"enabled": True, "active": True} if kind == "unit" and item in MAYBE_BEFORE else None
            self.objects[kind, item] = {"asked": None, "before": before}
        self._unsaved = bool(self.objects)
        if any("damaged" in reason for reason in reasons):
            self._unsaved = True
            warn(
                "%s: what is recorded for %s is lost, and was taken anew from the files that carry our names; what was there before them is not known"
                % (", ".join(reasons), self.name)
            )


def made_before(name: str) -> Iterable[Key]:
    """Return what a version without a record has made, as far as it is still there."""
    for record, pattern, others in MADE_BEFORE:
        for path in sorted(glob.glob(pattern)) if record == name else ():
            if is_made_by(pattern, path):
                stem = os.path.splitext(os.path.basename(path))[0]
                yield "file", path
                yield from ((kind, text.format(stem=stem)) for kind, text in others)


def record_names() -> list[str]:
    """Return the names of the records there are, and of those that would be taken from what older versions made."""
    found = set()
    for path in glob.glob(os.path.join(glob.escape(directory()), "*.json*")):
        found.add(os.path.basename(path).partition(".json")[0])
    for record, pattern, _others in MADE_BEFORE:
        if record not in found and any(is_made_by(pattern, path) for path in glob.glob(pattern)):
            found.add(record)
    return sorted(found)


def interfaces_made(warn: Warn) -> set[str]:
    """Return the names of the interfaces that the collection made, as all records say."""
    objects = [item for name in record_names() for item in Record(name, warn).objects.items()]
    return {name for (kind, name), known in objects if kind == "interface" and not was_there(known["before"])}


def recorded(warn: Warn) -> dict[str, list[str]]:
    """Return what is recorded, as words of kind and name, by role. A role without anything is not in it."""
    found: dict[str, list[str]] = {}
    for name in record_names():
        for kind, item in Record(name, warn).objects:
            found.setdefault(role_of(name), []).append("%s %s" % (kind, item))
    return found


def needs_yes(objects: Iterable[str]) -> bool:
    """Say whether the last objects of a role, as words of kind and name, may only go with a plain yes: a file that nothing uses may go without."""
    return any(not words.startswith(("file ", "sysctl ")) for words in objects)


def refusal(role: str, objects: Iterable[str]) -> str:
    """Return why the last objects of a role stay, and how to say that they may go. objects: as words of kind and name."""
    return (
        "The variables list nothing for role %s any more, and all that it made on this host would go: %s. If that is meant, set %s_remove_all: true, "
        "or xgn_remove_all: [%s]; if not, a variable got lost." % (role, ", ".join(objects), role, role)
    )
