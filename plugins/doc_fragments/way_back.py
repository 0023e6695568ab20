# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What every module that changes a host says of the way back, said once."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible's entry point."""

    DOCUMENTATION = r"""
options:
  way_back_seconds:
    description:
      - Before the first change, the host keeps what was there before, files and live state, and restores it by itself that many seconds after
        the last module call of the run, unless module P(xuegao.net.way_back#module) confirms. 0 arms nothing; what is armed already
        is kept to in any case.
      - Set it for all modules of the collection with C(module_defaults) and the action group C(group/xuegao.net.host), as playbook C(site) does.
      - Where it is armed, the result has the fact C(xgn_way_back).
    type: int
    default: 0
  way_back_run:
    description: The fact C(xgn_way_back.run), where there is one. A host that has restored by itself in the middle of a run takes nothing more of it.
    type: str
    default: ""
  lock_run:
    description:
      - Name of the run that has taken the host, RV(xuegao.net.run_begin#module:run). Its note there is renewed, so that it expires only when nothing is
        heard of the run any more. Nothing is renewed where the host is not that run's.
    type: str
    default: ""
"""
