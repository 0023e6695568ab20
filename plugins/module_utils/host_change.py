# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a module changes on a host: every file it writes or removes goes through one object, so that no change is made beside the record and the way back."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.files import sync_directory, write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.way_back import WayBack


class HostChange:
    """The changes of one module call. module: the module that makes them; only what it does outside of check mode comes here."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.way_back = WayBack.of(module)

    def about_to(self, *notes: dict[str, Any]) -> None:
        """Say what is about to be changed live, before it is: the way back is armed, and notes tell it how the former state is made live again."""
        self.way_back.note(*notes)

    def write(self, path: str, text: str, mode: int, uid: int = -1, gid: int = -1) -> None:
        """Replace path by text in one step; parameters as of `files.write_atomically`."""
        self.way_back.keep(path)
        write_atomically(path, text, mode, uid, gid)

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
        if os.path.lexists(path):
            self.way_back.keep(path)
            os.unlink(path)
            sync_directory(os.path.dirname(path))

    def give(self, path: str, mode: int, uid: int = -1, gid: int = -1) -> None:
        """Set mode and owner of a file whose content stays. mode: permission bits; uid, gid: -1 leaves what is."""
        self.way_back.keep(path)
        os.chmod(path, mode)
        os.chown(path, uid, gid)
