# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each host last applied: one record a host, kept beside the inventory like the registry of public keys, so that a plan is compared offline.

A record holds the roles' variables of the host as they were, with a keyed digest in place of every secret: that one changed can be told, what it is
cannot be guessed without the key, which stays on this controller. The host keeps the digests of both (module ``host_leave``).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.applied import is_same
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.placeholders import ANY, OPENING, placeholder
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, now, operator, shown_inventory

_ABOUT = "What this host last applied, recorded by Ansible (xuegao.net). Keep it with the inventory; a digest stands for each secret."
_REMEDY = "Remedy: bring it back from version control, or remove it; the next run that comes to its end there writes it anew."
_IGNORE = """\
# The key of the digests that stand for secrets: whoever has both can guess weak passwords. And what a run left that was killed while it wrote.
.key*
.*.txt.*
"""
# Of hosts that are in the inventory no more.
_LEFT = ".left"
_KEY_FILE = ".key"
_KEY_BYTES = 32
_DIGEST_LENGTH = 16
_SEALED = re.compile(rf"{re.escape(ANY)}|{re.escape(OPENING)}[0-9a-f]+>")


class Seal:
    """Puts keyed digests in place of secrets.

    Attributes:
        id: tells keys apart and says nothing of them; empty without a key, when a word stands for every secret alike.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self.id = hashlib.sha256(b"id " + key).hexdigest()[:_DIGEST_LENGTH] if key else ""

    def secret(self, host: str, value: object) -> str:
        """Return what stands for a secret of a host. Equal passwords of two hosts do not show as such."""
        if self._key is None:
            return ANY
        if is_sealed(value):
            return str(value)
        # A text is taken as it is; of anything else the order of its keys does not count.
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        digest = hmac.new(self._key, f"{host} {text}".encode(errors="backslashreplace"), hashlib.sha256).hexdigest()
        return placeholder(digest[:_DIGEST_LENGTH])

    def all(self, host: str, value: Any) -> Any:
        """Return a secret that consists of several: their names stay, as those of environment variables do."""
        if isinstance(value, Mapping):
            return {key: self.all(host, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.all(host, item) for item in value]
        return self.secret(host, value)

    def variables(self, host: str, variables: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables of a host without their secrets.

        Parameters:
            host: inventory name.
            variables: resolved, as `host_values.simple` gives them.
            options: the roles' options, as in their ``meta/argument_specs.yml``; what is ``no_log`` there is a secret. So is what is not there at all:
                nobody knows what stands in a misspelt name.
        """
        return {
            name: self._value(host, value, options[name]) if name in options else self.all(host, value) for name, value in variables.items()
        }

    def _value(self, host: str, value: Any, spec: Mapping[str, Any]) -> Any:
        if spec.get("no_log"):
            return self.all(host, value)
        inner = spec.get("options")
        if inner and isinstance(value, Mapping):
            return self.variables(host, value, inner)
        if inner and isinstance(value, list):
            return [self._value(host, item, {"options": inner}) for item in value]
        return value


def is_sealed(value: object) -> bool:
    """Tell whether a value stands for a secret."""
    return isinstance(value, str) and _SEALED.fullmatch(value) is not None


def unsealed(value: Any) -> Any:
    """Return a copy in which one word stands for every secret alike: for digests that were made with two keys, and for a digest that needs none."""
    if isinstance(value, Mapping):
        return {key: unsealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unsealed(item) for item in value]
    return ANY if is_sealed(value) else value


@dataclass(frozen=True)
class Moment:
    """When something was applied.

    Attributes:
        at: as `this_run.TIME`.
        run, by, inventory: name of the run, who ran it, and with which inventory.
    """

    at: str
    run: str
    by: str
    inventory: str


def this_moment(variables: Mapping[str, Any]) -> Moment:
    """Return now, in this run. variables: of any host of the run."""
    return Moment(now(), RUN.run, operator(variables), shown_inventory(variables))


@dataclass(frozen=True)
class Record:
    """What is known of a host.

    Attributes:
        applied: when it last applied all of its variables; None when it never did, as far as is known here.
        key: id of the `Seal` that the secrets were sealed with.
        variables: what it applied.
        later: a run after that which changed the host and did not get to the end of it; None when there was none.
        what: what that run did, the words after "a run".
    """

    applied: Moment | None = None
    key: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    later: Moment | None = None
    what: str = ""


@dataclass(frozen=True)
class Digests:
    """What a host keeps of what it applied.

    Attributes:
        variables: digest of the variables, of secrets only that there are some.
        secrets: digest with those of the secrets.
        key: id of the `Seal`.
    """

    variables: str
    secrets: str
    key: str

    def same_as(self, kept: Mapping[str, Any]) -> bool:
        """Tell whether a host that keeps these applied the same; secrets sealed with another key cannot be compared and count as the same."""
        return is_same(kept, asdict(self))


def digests(variables: Mapping[str, Any], key: str) -> Digests:
    """Return the digests of sealed variables. Parameters: as in `Record`."""
    return Digests(_digest(unsealed(variables)), _digest(variables), key)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def record_file(directory: Path, host: str) -> Path:
    """Return the file of a host. Not ``.json``: beside an inventory Ansible would read it as a part of the inventory."""
    return directory / f"{host}.txt"


def recorded_hosts(directory: Path) -> list[str]:
    """Return the hosts that have a record, sorted."""
    return sorted(path.stem for path in directory.glob("*.txt") if path.is_file() and not path.name.startswith("."))


def read_record(directory: Path, host: str) -> Record | None:
    """Return what is recorded of a host, or None. One that has been put away counts as long as there is no other.

    Raises:
        ValueError: the file is no record, such as one that was half written.
        OSError: it cannot be read.
    """
    path = record_file(directory, host)
    if not path.exists():
        path = record_file(directory / _LEFT, host)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise ValueError(f"{path} is no record of what a host applied. {_REMEDY}") from None
    try:
        applied, later = (Moment(**found[name]) if found[name] else None for name in ("applied", "later"))
        record = Record(applied, str(found["key"]), dict(found["variables"]), later, str(found["what"]))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} is no record of what a host applied. {_REMEDY}") from None
    return record


def write_record(directory: Path, host: str, record: Record) -> None:
    """Record what a host applied, in one step: another process may read it at the same moment.

    Raises:
        OSError: it cannot be written.
    """
    _prepare(directory)
    # Like public keys and plans readable by whoever works with this inventory: a digest stands for each secret.
    write_atomically(str(record_file(directory, host)), json.dumps({"about": _ABOUT, **asdict(record)}, indent=1) + "\n", 0o644)
    record_file(directory / _LEFT, host).unlink(missing_ok=True)


def note_later(directory: Path, host: str, moment: Moment, what: str) -> None:
    """Note that a run has begun to change a host, which it may not finish. What was applied before stays. Parameters: as in `Record`.

    Raises:
        ValueError: there is something that is no record; it stays as it is.
        OSError: it cannot be read or written.
    """
    write_record(directory, host, replace(read_record(directory, host) or Record(), later=moment, what=what))


def put_away(directory: Path, host: str) -> None:
    """Put the record of a host that is in the inventory no more out of the way. When the host comes back, its record does.

    Raises:
        OSError: it cannot be moved.
    """
    (directory / _LEFT).mkdir(exist_ok=True)
    record_file(directory, host).replace(record_file(directory / _LEFT, host))


def known_record(directory: Path, host: str) -> Record:
    """Return what is recorded of a host; an empty record where there is none, or one that cannot be read."""
    try:
        return read_record(directory, host) or Record()
    except (OSError, ValueError):
        return Record()


def seal_of(directory: Path, make: bool) -> Seal:
    """Return the seal of the records in a directory.

    Parameters:
        directory: that of the records; the key lies in it, and is kept out of version control.
        make: make a key where there is none, or one that was emptied.

    Raises:
        OSError: the key cannot be written.
    """
    path = directory / _KEY_FILE
    if make and _is_empty(path):
        _prepare(directory)
        with _alone(directory):
            # Another process may have made one meanwhile.
            if _is_empty(path):
                write_atomically(str(path), secrets.token_hex(_KEY_BYTES), 0o600)
    try:
        return Seal(path.read_bytes() or None)
    except OSError:
        # None, or another user's. Secrets cannot be compared then.
        return Seal(None)


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process of this controller at a time in here; where the file system knows no locks, as some that are shared, the last one counts."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        write_atomically(str(ignore), _IGNORE, 0o644)
