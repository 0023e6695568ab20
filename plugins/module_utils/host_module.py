# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A module whose commands are found, and speak as they are read, whoever came in and however: by C(su), by C(doas), in another language."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# Where programs of distributions are. A user's own path, which su(1) hands on, has those for administrators not.
SEARCH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Every distribution has it, and it needs no package. Messages of programs are read.
LOCALE = "C.UTF-8"


def host_module(**given: Any) -> AnsibleModule:
    """Make a module of Ansible. given: as AnsibleModule takes them."""
    found = [place for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    os.environ["PATH"] = os.pathsep.join(found + [place for place in SEARCH if place not in found])
    os.environ["LC_ALL"] = LOCALE
    # gettext(3) asks it before the others.
    os.environ.pop("LANGUAGE", None)
    return AnsibleModule(**given)
