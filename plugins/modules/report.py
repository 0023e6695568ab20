#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Documentation of the action plugin of this name.
from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the report of the checks of all hosts, and fail if one failed
version_added: 0.1.0
description:
  - Reads what M(xuegao.net.verify_checks) left for each host and writes C(report.html), C(report.json) and C(junit.xml), into a directory of their
    own, to which C(current) then is the link. The last five reports stay.
  - Prints a table of all checks, those that failed last.
  - A host without a result counts as one failed check. Runs on the controller only.
author: xuegao.net maintainers (@xuegao)
options:
  dest:
    description:
      - Directory on the controller; made if it does not exist.
      - C(build/report) and the path of the inventory below the working directory when not given, so that two inventories do not share one.
    type: path
  hosts:
    description: The hosts of the report, in order.
    type: list
    elements: str
    required: true
  title:
    description: Title of the report.
    type: str
    default: Network verification
  calls:
    description: Remote calls by host, if they were counted.
    type: dict
    default: {}
  fail:
    description: Fail, after the report is written, when a check failed.
    type: bool
    default: true
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Report on all hosts
  xuegao.net.report:
    hosts: "{{ groups['all'] }}"
"""

RETURN = r"""
counts:
  description: Number of checks by status.
  returned: always
  type: dict
  sample: {passed: 54, failed: 0, skipped: 1}
paths:
  description: Paths of the files, by kind.
  returned: always
  type: dict
  sample:
    html: /srv/net/build/report/inventories/hybrid/current/report.html
    json: /srv/net/build/report/inventories/hybrid/current/report.json
    xml: /srv/net/build/report/inventories/hybrid/current/junit.xml
"""
