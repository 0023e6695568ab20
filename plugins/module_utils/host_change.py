# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a module changes on a host: every file it writes or removes goes through one object, so that no change is made beside the record and the way back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import owners
from ansible_collections.xuegao.net.plugins.module_utils.files import sync_directory, write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Key, Record, RecordError, role_of
from ansible_collections.xuegao.net.plugins.module_utils.way_back import WayBack

# What a person can do about a file that the kernel does not let anybody change, by its reason.
REMEDIES = {
    errno.EPERM: "it, or its directory, is immutable: `lsattr -d` shows it, and `chattr -i` takes it back",
    errno.EROFS: "its file system is read-only: `findmnt --target` names it, and `dmesg` may say why",
    errno.ENOSPC: "make room there: `df` shows blocks, `df --inodes` files",
    errno.EDQUOT: "make room there, or raise the quota",
}


class HostChange:
    """The changes of one module call.

    Parameters:
        module: the module that makes them; only what it does outside of check mode comes here.
        record: name of the record in which they are kept; None for none.
    """

    def __init__(self, module: AnsibleModule, record: str | None = None) -> None:
        self.module = module
        self.way_back = WayBack.of(module)
        # Its files are kept like those that it speaks of, so that after a restoring it says what is there.
        self.record = Record(record, module.warn, self.way_back.keep) if record else None
        self._owned: set[str] = set()

    @property
    def recorded(self) -> dict[Key, dict[str, Any]]:
        """What is recorded, by kind and name; empty without a record."""
        return self.record.objects if self.record is not None else {}

    def recorded_names(self, kind: str) -> list[str]:
        """Give the names of what is recorded of a kind, in the order in which it was recorded."""
        return self.record.names(kind) if self.record is not None else []

    def refuse_owners(self, files: Mapping[str, str | None], nothing: str = "Nothing was changed.", interfaces: Iterable[str] = ()) -> None:
        """Fail where files and interfaces are somebody else's, unless option C(adopt) says that they are to be taken over; then say where a copy is.

        It comes before the module changes anything, in check mode, too. Without a record nothing is ours, so nothing is looked at.

        Parameters:
            files: each with the text that is to be written; None where that is somebody else's business.
            nothing: what the refusal ends with.
            interfaces: those that the module has found to be somebody else's.
        """
        if self.record is None:
            return
        found = owners.owners_files(self.module, files, self.recorded)
        items = [*("file " + path for path in found), *("interface " + name for name in interfaces)]
        if items and not self.module.params.get("adopt"):
            refusal = owners.refusal(role_of(self.record.name), items)
            self.module.fail_json(msg="%s %s" % (refusal, nothing))
        for path in found:
            # Of a link the record has where it leads, and no copy is needed.
            kept = self.record.path if os.path.islink(path) else self.record.copy_of(path)
            self.module.warn(owners.taken_over(path, kept, self.module.check_mode))

    def about_to(self, *notes: dict[str, Any]) -> None:
        """Say what is about to be changed live, before it is: the way back is armed, and notes tell it how the former state is made live again."""
        self.way_back.note(*notes)

    def write(self, path: str, text: str, mode: int, uid: int = -1, gid: int = -1) -> None:
        """Replace path by text in one step; parameters as of `files.write_atomically`."""
        self.way_back.keep(path)
        if path not in self._owned:
            self.own_file(path, text)
        self.save()
        with self._named(path, "written"):
            write_atomically(path, text, mode, uid, gid)

    def remove(self, path: str) -> None:
        """Remove a file, and put back what was there before it was ours; one that is not there is no error."""
        if self.record is not None:
            self.way_back.keep(path)
            with self._named(path, "removed"):
                self.record.put_back(path)
            self.disown("file", path)
        elif os.path.lexists(path):
            self.way_back.keep(path)
            with self._named(path, "removed"):
                os.unlink(path)
                sync_directory(os.path.dirname(path))

    def owns_file(self, path: str) -> bool:
        """Say whether a file is recorded. One that is not any more may be the owner's again, put back by a run that was killed then."""
        return ("file", path) in self.recorded

    def give(self, path: str, mode: int, uid: int = -1, gid: int = -1) -> None:
        """Set mode and owner of a file whose content stays. mode: permission bits; uid, gid: -1 leaves what is."""
        self.way_back.keep(path)
        with self._named(path, "given its mode and owner"):
            os.chmod(path, mode)
            os.chown(path, uid, gid)

    def own_file(self, path: str, text: str | None) -> None:
        """Take a file into the record; parameters as of `ownership.Record.note_file`. `save` writes it. What is said here counts for `write`, too."""
        self._owned.add(path)
        if self.record is not None:
            if not self.module.params.get("adopt"):
                # The module has asked before; here nothing gets past it.
                self.refuse_owners({path: text}, "What was changed before it is recorded.")
            try:
                self.record.note_file(path, text)
            except OSError as error:
                self.module.fail_json(msg="what is in %s now cannot be kept, so it is not replaced: %s" % (path, error))

    def own(self, kind: str, name: str, before: Callable[[], Any] | None = None, asked: str | None = None) -> None:
        """Take an object that is no file into the record, before it is made; parameters as of `ownership.Record.note`. `save` writes it."""
        if self.record is not None:
            self.record.note(kind, name, before, asked)

    def disown(self, kind: str, name: str) -> None:
        """Strike an object out that is gone."""
        if self.record is not None:
            try:
                self.record.forget(kind, name)
            except RecordError as error:
                self.module.fail_json(msg=str(error))

    def save(self) -> None:
        """Write the record. Fails the module when that is not possible: nothing is made that nobody would know of."""
        if self.record is not None:
            try:
                self.record.save()
            except RecordError as error:
                self.module.fail_json(msg=str(error))

    @contextmanager
    def _named(self, path: str, what: str) -> Iterator[None]:
        """Fail the module with the path, the reason and a remedy where the kernel refuses what is done to a file meanwhile."""
        try:
            yield
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0)
            self.module.fail_json(
                msg="%s cannot be %s: %s.%s" % (path, what, error.strerror or error, " Remedy: %s." % remedy if remedy else "")
            )
