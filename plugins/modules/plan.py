# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Compute the whole network from the intent
version_added: 0.1.0
description:
  - Reads the intent, the variables C(xgn_…) described in the data model, from the variables of the host at hand. Keep it in
    C(group_vars/all), so that every host, a run with C(--limit) and an inventory reduced to a slice of the hosts yield the same plan.
  - Lays the overrides of each host over it, the variables C(xgn_overrides) and C(xgn_overrides_NAME) of all hosts of the inventory.
  - Reports every mistake of both at once, each with its path, the value, and the valid values or the arithmetic.
  - Writes a directory with the variables of the roles for every host, the files the roles will write there, VyOS commands, tables of the
    links, and the drawing. C(HOST/variables.yml) is for M(ansible.builtin.include_vars). All files of one directory are of one plan, and it is never
    changed again; C(current) is a link to the latest.
  - With C(--diff) it tells what changes on each host, compared with what the host last applied (M(xuegao.net.run_end)), and when that was.
  - No secret is read. The intent names the variables that hold them, and the plan refers to those.
  - Runs on the controller and opens no connection. Run it with C(run_once), since the plan is the same for all hosts.
options:
  directory:
    description:
      - Where to write, relative to the working directory. Each plan has a directory of its own there, below C(runs); old ones are removed.
      - C(build/plan) and the path of the inventory below the working directory when not given, so that two inventories do not share one.
    type: path
  rendered:
    description: Write the files of each host too, below C(HOST/files).
    type: bool
    default: true
  vyos:
    description: Write each node as VyOS commands too, as C(HOST/vyos.txt).
    type: bool
    default: true
  drawing:
    description: Draw the topology, where Graphviz is installed and the network is small enough to be read.
    type: bool
    default: true
  key_registry:
    description: >-
      Directory with the WireGuard public keys the hosts told, see role P(xuegao.net.wireguard#role). C(wireguard_keys) beside the inventory
      when not given.
    type: path
  applied:
    description: Directory with the records of what the hosts applied. C(.applied) beside the inventory when not given.
    type: path
  needs_secrets:
    description:
      - Refuse an intent that names a variable which no host has, such as a misspelt C(password_variable). Otherwise that is a warning, since a plan
        holds the name only.
    type: bool
    default: false
  purpose:
    description:
      - What the plan is for, which decides what is refused. Compared is with what the hosts last applied, see O(applied).
      - V(plan) to be shown. A node that is gone without a word, an id that is another one, and a change that interrupts what need not be interrupted are
        refused, with the steps that do it.
      - V(apply) to be applied. As well refused are nodes that are retired and whose hosts have yet to be drained and cleaned (C(xuegao.net.retire)), and
        changes of which this run would make one half, such as another AS number with C(--limit).
      - V(retire) to be applied by the run that retires those nodes.
      - V(look) to compare with what lives. Nothing is refused; all of it is a warning.
    type: str
    choices: [plan, apply, retire, look]
    default: plan
  interrupt:
    description: Somebody says yes to changes that interrupt what need not be interrupted.
    type: bool
    default: false
  rollout:
    description:
      - What C(xgn_rollout) says (C(docs/rollout.md)). The hosts of the play are divided into batches, in RV(rollout). An empty text,
        V(false) or nothing stands for none.
    type: raw
extends_documentation_fragment:
  - xuegao.net.attributes
author:
  - xuegao.net maintainers (@xuegao)
"""

EXAMPLES = r"""
- name: Plan the network and hand every host its variables
  hosts: all
  gather_facts: false
  tasks:
    - name: Compute the plan
      xuegao.net.plan:
      run_once: true
      register: plan

    - name: Take the variables of this host
      ansible.builtin.include_vars:
        file: "{{ plan.directory }}/{{ inventory_hostname }}/variables.yml"
"""

RETURN = r"""
msg:
  description: Size of the plan and where it is, or that check mode did not write it; the number of mistakes when there are any.
  returned: always
  type: str
  sample: 4 hosts, 5 links; written to /srv/net/build/plan/inventories/hybrid/current
problems:
  description: The mistakes of the intent, one sentence each.
  returned: when the intent has mistakes
  type: list
  elements: str
  sample:
    - "xgn_links[1].ends[0]: 'hq-cor' is no node of xgn_nodes; did you mean 'hq-core'? Valid nodes: hq-core, cloud-edge"
directory:
  description: Where this plan is, and stays while runs read it, whatever other runs plan.
  returned: success
  type: str
  sample: /srv/net/build/plan/inventories/hybrid/runs/20261129T031205.120417Z-3f9ac01b22de
current:
  description: The link to the latest plan.
  returned: success
  type: str
  sample: /srv/net/build/plan/inventories/hybrid/current
hosts:
  description: The hosts that have variables.
  returned: success
  type: list
  elements: str
  sample: [hq-core, cloud-edge]
peers:
  description: The nodes that are not managed; their side of the configuration is in C(NODE/README.md).
  returned: success
  type: list
  elements: str
  sample: [partner]
tcp_mss:
  description: The largest TCP MSS in bytes that passes every link, by family.
  returned: success
  type: dict
  sample: {ipv4: 1372}
identity:
  description: What changes the identity of nodes, links and VRFs, in sentences - AS number, table, loopback, addresses of links, type of a link, site, name.
  returned: success
  type: list
  elements: str
  sample: ["cloud-edge: AS number 65502 becomes 65510 (xgn_sites.cloud.asn). All its BGP sessions end, those with hq-core, and begin anew with the new number."]
together:
  description: Hosts that have to make a change in one run, by the change; those that a run does not take, or that cannot be reached, follow later.
  returned: success
  type: dict
  sample: {"cloud-edge: AS number 65502 becomes 65510": [cloud-edge, hq-core]}
retired:
  description: Nodes that leave the network, and routers in containers on them, each with what is still to be done about its host; empty when nothing is.
  returned: success
  type: dict
  sample: {branch: ""}
retirement:
  description: For nodes whose retirement is to be brought to its end, whether Ansible manages it, which nodes meet it, and what is lost, in sentences.
  returned: success
  type: dict
  sample: {branch: {managed: true, peers: [hq-core], lines: ["branch (id 5) leaves the network."]}}
farewell:
  description: All that is said in RV(retirement), then what changes on the hosts that stay.
  returned: success
  type: list
  elements: str
rollout:
  description:
    - C(batches), in order, each with C(hosts) and the routers in C(containers) that they carry; C(neighbors), which are looked at before and after a batch,
      divided among its hosts; and C(settle_seconds), from the last change of a batch until then.
  returned: when O(rollout) says something
  type: dict
  sample: {batches: [{hosts: [edge1], containers: []}], neighbors: {edge1: [core1, core2]}, settle_seconds: 10}
overrides:
  description: What people have written over the plan of each host (C(xgn_overrides)), in sentences, each with the variable that says it.
  returned: success
  type: dict
  sample: {hq-core: ["BGP in CORE, neighbor 10.255.0.2, holdtime: 15 added (xgn_overrides)"]}
changes:
  description: What changes on each host since it last applied its variables, in sentences. One that comes of an override says so in parentheses.
  returned: in diff mode, and when a node is retired
  type: dict
  sample: {hq-core: ["WireGuard interface wg3: added"]}
"""
