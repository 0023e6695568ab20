#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_image_tar
short_description: An image from an archive, loaded or imported as the archive's content asks for
version_added: 0.1.0
description:
  - Tells by content what the archive is - the output of C(docker save), an OCI layout, or a plain root file system such as C(docker export) or
    C(mmdebstrap) make - and whether it is compressed (gzip, xz, bzip2, zstd), and loads or imports it.
  - The whole archive is read and checked first; a truncated or damaged one, or one without an image, is an error that says so.
  - Idempotent. A saved image is known by its id, an imported one by a label with the archive's SHA-256.
author: xuegao.net maintainers (@xuegao)
options:
  name:
    description: Name of the image, with or without tag.
    type: str
    required: true
  src:
    description: The archive on this host.
    type: path
    required: true
  changes:
    description: Dockerfile instructions for an image made from a root file system, which has no settings of its own.
    type: list
    elements: str
    default: ['CMD ["/sbin/init"]', "ENV container=docker"]
  record:
    description: File in which the archive's SHA-256 and the image's id are recorded, for module C(docker_differences).
    type: path
    default: /var/lib/xgn/docker-images.json
extends_documentation_fragment:
  - xuegao.net.attributes.no_diff
"""

EXAMPLES = r"""
- name: The router's image
  xuegao.net.docker_image_tar:
    name: router:1
    src: /var/lib/xgn/router.tar.zst
"""

RETURN = r"""
kind:
  description: What the archive is - V(save), V(oci) or V(rootfs).
  returned: always
  type: str
action:
  description: What was done (or would be) - V(load), V(import), V(tag) or V(none).
  returned: always
  type: str
image:
  description: Id of the image; empty where check mode cannot know it.
  returned: always
  type: str
sha256:
  description: SHA-256 of the archive.
  returned: always
  type: str
"""

import json

from ansible_collections.xuegao.net.plugins.module_utils.docker_api import Docker, DockerError, full_name, loaded_images
from ansible_collections.xuegao.net.plugins.module_utils.files import write_atomically
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.image_archive import ArchiveError, Contents, plain_tar, read_archive

LABEL = "net.xuegao.archive"


def action_for(docker: Docker, name: str, contents: Contents) -> tuple[str, str]:
    """What is to be done so that the name means the archive's image, and the image's id where it is known."""
    found = docker.get("/images/%s/json" % name)
    if contents.kind == "rootfs":
        labels = ((found or {}).get("Config") or {}).get("Labels") or {}
        return ("none", found["Id"]) if found and labels.get(LABEL) == contents.sha256 else ("import", "")
    wanted = str(contents.image)
    if found and found["Id"] == wanted:
        return "none", wanted
    return ("tag" if docker.get("/images/%s/json" % wanted) else "load"), wanted


def perform(docker: Docker, action: str, name: str, src: str, contents: Contents, changes: list[str]) -> str:
    """Do it; returns the id of the image that the name means now."""
    repository, _colon, tag = name.rpartition(":")
    if action == "import":
        query = {"fromSrc": "-", "repo": repository, "tag": tag}
        instructions = [*changes, "LABEL %s=%s" % (LABEL, contents.sha256)]
        docker.post("/images/create", plain_tar(src, contents), changes=instructions, **query)
    else:
        if action == "load":
            docker.post("/images/load", plain_tar(src, contents), quiet="1")
        docker.post("/images/%s/tag" % contents.image, repo=repository, tag=tag)
    found = docker.get("/images/%s/json" % name)
    if found is None:
        raise DockerError("Docker took the archive, and has no such image afterwards")
    return str(found["Id"])


def main() -> None:
    module = host_module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "src": {"type": "path", "required": True},
            "changes": {
                "type": "list",
                "elements": "str",
                "default": ['CMD ["/sbin/init"]', "ENV container=docker"],
            },
            "record": {"type": "path", "default": "/var/lib/xgn/docker-images.json"},
        },
        supports_check_mode=True,
    )
    name, src, path = full_name(module.params["name"]), module.params["src"], module.params["record"]
    docker = Docker()
    try:
        contents = read_archive(src)
        action, image = action_for(docker, name, contents)
        if action != "none" and not module.check_mode:
            image = perform(docker, action, name, src, contents, module.params["changes"])
    except ArchiveError as error:
        module.fail_json(msg="%s is no archive of image %s: %s. Nothing was loaded. Remedy: make the archive anew." % (src, name, error))
    except OSError as error:
        module.fail_json(msg="%s cannot be read: %s. Nothing was loaded." % (src, error.strerror))
    except DockerError as error:
        module.fail_json(msg="image %s could not be made from %s: %s" % (name, src, error))
    record = loaded_images(path)
    entry = {"sha256": contents.sha256, "id": image}
    changed = action != "none" or record.get(name) != entry
    if changed and not module.check_mode:
        write_atomically(path, json.dumps({**record, name: entry}, indent=1, sort_keys=True) + "\n", 0o644)
    module.exit_json(changed=changed, kind=contents.kind, action=action, image=image, sha256=contents.sha256)


if __name__ == "__main__":
    main()
