# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every module that writes files in the name of a record says of files that are somebody else's, said once."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible's entry point."""

    DOCUMENTATION = r"""
options:
  adopt:
    description:
      - Take over files that somebody else has made, which are those that no record has, that have no mark of this collection in them or in their name, and
        that are not as a package of the distribution has brought them. What they hold is kept below C(/var/lib/xgn/before), and a warning says where.
      - Otherwise the module fails before it changes anything, in check mode, too, and names them all.
    type: bool
    default: false
"""
