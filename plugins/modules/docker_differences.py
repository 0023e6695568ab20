#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_differences
short_description: Which images, networks and containers are not as declared, in one call
version_added: 0.1.0
description:
  - Compares all of them at once, so that only what differs is handed to the modules of community.docker, which take one object a call.
  - Whether a network or container was made from the present declaration tells a label with the hash of that declaration.
  - Changes nothing. In check mode on a host without Docker, everything differs.
author: xuegao.net maintainers (@xuegao)
options:
  images:
    description: Images that come from archives.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name and tag.
        type: str
        required: true
      sha256:
        description: Hash of the archive, in hexadecimal digits.
        type: str
        required: true
  networks:
    description: The networks.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      hash:
        description: Hash of its declaration.
        type: str
        required: true
  containers:
    description: The containers.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      hash:
        description: Hash of its declaration.
        type: str
        required: true
      image:
        description: Name of its image; another image behind the name is a difference.
        type: str
        required: true
      interfaces:
        description: How many interfaces it has beside lo. They vanish from a running container when their parent does.
        type: int
        default: 1
  label:
    description: Label that holds the hash.
    type: str
    default: net.xuegao.declared
  record:
    description: File in which module C(docker_image_tar) records which archive an image came from.
    type: path
    default: /var/lib/xgn/docker-images.json
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: Compare
  xuegao.net.docker_differences:
    networks:
      - {name: apps, hash: 5f3a}
    containers:
      - {name: igp, hash: 9c1e, image: "router:latest"}
  register: differences
"""

RETURN = r"""
images:
  description: Images to load.
  returned: always
  type: list
  elements: str
networks:
  description: Networks to make, or to make again.
  returned: always
  type: list
  elements: str
create:
  description: Containers to make, or to make again.
  returned: always
  type: list
  elements: str
start:
  description: Containers that are as declared and do not run.
  returned: always
  type: list
  elements: str
restart:
  description: Containers that run and have lost their interface.
  returned: always
  type: list
  elements: str
unlisted_containers:
  description: Containers with the label that are not declared.
  returned: always
  type: list
  elements: str
unlisted_networks:
  description: Networks with the label that are not declared.
  returned: always
  type: list
  elements: str
reasons:
  description: One sentence for each difference.
  returned: always
  type: list
  elements: str
engine:
  description: Whether Docker answers.
  returned: always
  type: bool
"""

from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.docker_api import LABEL, Docker, DockerError, full_name, loaded_images
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module

GROUPS = ("images", "networks", "create", "start", "restart", "unlisted_containers", "unlisted_networks")


def interfaces_of(pid: int) -> int:
    """How many interfaces beside lo a process sees (proc(5): two lines of heading)."""
    lines = read_text("/proc/%d/net/dev" % pid).splitlines()[2:]
    return len([line for line in lines if line.split(":")[0].strip() != "lo"])


class Comparison:
    """Collects the differences by group, with their reasons."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.groups: dict[str, list[str]] = {group: [] for group in GROUPS}
        self.reasons: list[str] = []

    def add(self, group: str, name: str, reason: str) -> None:
        """Note one difference."""
        self.groups[group].append(name)
        self.reasons.append("%s: %s" % (name, reason))

    def images(self, declared: list[dict[str, Any]], live: dict[str, str], record: dict[str, Any]) -> None:
        """Compare the images that come from archives with what was recorded when they were loaded."""
        for item in declared:
            name = full_name(item["name"])
            known = record.get(name, {})
            if name not in live:
                self.add("images", item["name"], "image is not there")
            elif known.get("sha256") != item["sha256"]:
                self.add("images", item["name"], "image comes from another archive")
            elif known.get("id") != live[name]:
                self.add("images", item["name"], "image was replaced by another")

    def networks(self, declared: list[dict[str, Any]], live: list[dict[str, Any]]) -> None:
        """Compare the networks."""
        found = {item["Name"]: item for item in live}
        for item in declared:
            if item["name"] not in found:
                self.add("networks", item["name"], "network is not there")
            elif (found[item["name"]].get("Labels") or {}).get(self.label) != item["hash"]:
                self.add("networks", item["name"], "network is not as declared")
        names = {item["name"] for item in declared}
        for name, item in sorted(found.items()):
            if self.label in (item.get("Labels") or {}) and name not in names:
                self.add("unlisted_networks", name, "network is not declared any more")

    def containers(self, declared: list[dict[str, Any]], live: dict[str, dict[str, Any]], images: dict[str, str]) -> None:
        """Compare the containers. live: by name, as the API inspects them. A network or image that is made again takes its containers along."""
        again = set(self.groups["networks"])
        loaded = {full_name(name) for name in self.groups["images"]}
        for item in declared:
            name, found = item["name"], live.get(item["name"])
            if found is None:
                self.add("create", name, "container is not there")
            elif (found["Config"].get("Labels") or {}).get(self.label) != item["hash"]:
                self.add("create", name, "container is not as declared")
            elif full_name(item["image"]) in loaded or found["Image"] != images.get(full_name(item["image"]), found["Image"]):
                self.add("create", name, "container runs an older image")
            elif again & set(found["NetworkSettings"]["Networks"]):
                self.add("create", name, "container's network is made again")
            elif not found["State"]["Running"]:
                self.add("start", name, "container does not run (%s)" % (found["State"].get("Error") or found["State"]["Status"]))
            elif interfaces_of(found["State"]["Pid"]) < item["interfaces"]:
                self.add("restart", name, "container has lost its interface")
        names = {item["name"] for item in declared}
        for name, found in sorted(live.items()):
            if self.label in (found["Config"].get("Labels") or {}) and name not in names:
                self.add("unlisted_containers", name, "container is not declared any more")


def inspect_all(docker: Docker, label: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Every container that is declared or has the label, by name, as the API inspects it."""
    found = {}
    for item in docker.get("/containers/json", all="1"):
        name = item["Names"][0].lstrip("/") if item.get("Names") else ""
        if name in names or label in (item.get("Labels") or {}):
            details = docker.get("/containers/%s/json" % item["Id"])
            if details is not None:
                found[name] = details
    return found


def main() -> None:
    def items(**options: str) -> dict[str, Any]:
        fields: dict[str, Any] = {name: {"type": kind, "required": True} for name, kind in options.items()}
        return {"type": "list", "elements": "dict", "default": [], "options": fields}

    containers = items(name="str", hash="str", image="str")
    containers["options"]["interfaces"] = {"type": "int", "default": 1}
    module = host_module(
        argument_spec={
            "images": items(name="str", sha256="str"),
            "networks": items(name="str", hash="str"),
            "containers": containers,
            "label": {"type": "str", "default": LABEL},
            "record": {"type": "path", "default": "/var/lib/xgn/docker-images.json"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    docker = Docker()
    comparison = Comparison(asked["label"])
    engine = True
    try:
        images = docker.images()
        networks = docker.get("/networks")
        live = inspect_all(docker, asked["label"], [item["name"] for item in asked["containers"]])
    except DockerError as error:
        # With nothing declared it may be gone, and what it had with it.
        if not module.check_mode and any(asked[kind] for kind in ("images", "networks", "containers")):
            module.fail_json(msg="Docker cannot be asked what it has, and nothing was changed: %s" % error)
        engine, images, networks, live = False, {}, [], {}
    comparison.images(asked["images"], images, loaded_images(asked["record"]))
    comparison.networks(asked["networks"], networks)
    comparison.containers(asked["containers"], live, images)
    # Where Docker is still to be installed, nothing after this module can predict.
    changed = not engine and bool(comparison.reasons)
    module.exit_json(changed=changed, engine=engine, reasons=comparison.reasons, **comparison.groups)


if __name__ == "__main__":
    main()
