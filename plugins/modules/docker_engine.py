#!/usr/bin/python
# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine
short_description: The Docker engine with its configuration, reloaded where a restart is not needed
version_added: 0.1.0
description:
  - Writes C(daemon.json) and a drop-in for C(docker.service), and brings the running daemon in line with them.
  - Called before the engine is installed, it only writes the files, so that the package does not start a daemon with Docker's defaults, which
    would change packet filter and interfaces.
  - The new configuration is checked by C(dockerd --validate) where that exists (23.0 and later). A daemon that does not start with it gets the
    old one back.
  - A data directory that holds images, containers or volumes is moved only when O(move_data) says so.
author: xuegao.net maintainers (@xuegao)
options:
  config:
    description: What C(daemon.json) holds. It names C(data-root).
    type: dict
    required: true
  dropin:
    description: Text of the drop-in for C(docker.service).
    type: str
    required: true
  move_data:
    description: Move the data of another data directory. Docker is stopped for it, and with it every container.
    type: bool
    default: false
extends_documentation_fragment:
  - xuegao.net.attributes
  - xuegao.net.way_back
  - xuegao.net.adopt
"""

EXAMPLES = r"""
- name: Docker that leaves the network alone
  xuegao.net.docker_engine:
    config: {iptables: false, bridge: none, data-root: /data/docker, live-restore: true}
    dropin: |
      [Unit]
      After=interface.service
"""

RETURN = r"""
installed:
  description: Whether the engine is installed.
  returned: always
  type: bool
actions:
  description: What was done (or would be) to the service, in order.
  returned: always
  type: list
  elements: str
  sample: [reload]
cgroup_version:
  description: Version of the control groups the daemon uses; 2 as long as it does not run.
  returned: always
  type: str
version:
  description: Version of the daemon; empty as long as it does not run.
  returned: always
  type: str
"""

import json
import os
import shutil
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.docker_api import Docker, DockerError
from ansible_collections.xuegao.net.plugins.module_utils.files import is_as_declared, mode_and_owner, read_text
from ansible_collections.xuegao.net.plugins.module_utils.host_change import HostChange
from ansible_collections.xuegao.net.plugins.module_utils.host_module import host_module
from ansible_collections.xuegao.net.plugins.module_utils.loaded import digest_of_text, record_of
from ansible_collections.xuegao.net.plugins.module_utils.owners import OPTIONS as OWNERS
from ansible_collections.xuegao.net.plugins.module_utils.removal import shown, unit_before
from ansible_collections.xuegao.net.plugins.module_utils.systemd import Systemd
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until
from ansible_collections.xuegao.net.plugins.module_utils.way_back import OPTIONS as WAY_BACK

CONFIG = "/etc/docker/daemon.json"
DROPIN = "/etc/systemd/system/docker.service.d/90-xgn.conf"
DEFAULT_ROOT = "/var/lib/docker"
UNIT = "docker.service"
SOCKET = "docker.socket"
MODE = 0o644
START_LIMIT_S = 90
POLL_S = 0.5
# What dockerd takes over on SIGHUP: dockerd(8), "Miscellaneous options", and its own log line on reload.
RELOADABLE = frozenset(
    {
        "authorization-plugins",
        "debug",
        "default-runtime",
        "features",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    }
)


def holds_data(root: str) -> list[str]:
    """What of images, containers and volumes a data directory holds."""
    found = []
    if any(os.scandir(os.path.join(root, "containers")) if os.path.isdir(os.path.join(root, "containers")) else []):
        found.append("containers")
    images = os.path.join(root, "image")
    for driver in os.listdir(images) if os.path.isdir(images) else []:
        if any(json.loads(read_text(os.path.join(images, driver, "repositories.json")) or "{}").get("Repositories") or {}):
            found.append("images")
            break
    volumes = os.path.join(root, "volumes")
    if os.path.isdir(volumes) and any(entry.is_dir() for entry in os.scandir(volumes)):
        found.append("volumes")
    return found


def data_to_move(module: AnsibleModule, old_root: str, new_root: str) -> list[str]:
    """What would be lost to the daemon with another data directory; fails unless it may be moved, and can be."""
    data = holds_data(old_root) if old_root != new_root else []
    if data and not module.params["move_data"]:
        module.fail_json(
            msg="%s holds %s, and data-root is to become %s. Nothing was changed. Remedy: set docker_macvlan_move_data: true to have it moved "
            "(Docker and its containers stop for that long), or docker_macvlan_data_root: %s."
            % (old_root, ", ".join(data), new_root, old_root)
        )
    if data and os.path.isdir(new_root) and holds_data(new_root):
        module.fail_json(
            msg="%s and %s both hold %s. Nothing was changed. Remedy: move one of the two away." % (old_root, new_root, ", ".join(data))
        )
    return data


class Engine:
    """The daemon of this host, and what was or would be done to it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.config: dict[str, Any] = module.params["config"]
        self.text = json.dumps(self.config, indent=2, sort_keys=True) + "\n"
        self.old_text = read_text(CONFIG)
        # Before it is written; the owner's may hold secrets.
        self.old_mode_and_owner = mode_and_owner(CONFIG, MODE)
        self.old_shown = shown(CONFIG)
        self.dropin: str = module.params["dropin"]
        self.old_dropin = read_text(DROPIN)
        self.dockerd = module.get_bin_path("dockerd")
        self.systemd = Systemd(module.run_command)
        self.change = HostChange(module, "docker_macvlan")
        self.actions: list[str] = []

    def old_config(self) -> dict[str, Any]:
        """The present daemon.json; fails on one that is no JSON object, since it may be somebody's work. One of ours that was torn is as good as none."""
        try:
            old = json.loads(self.old_text or "{}")
            reason = None if isinstance(old, dict) else "is no JSON object"
        except ValueError as error:
            reason = "is not JSON: %s" % error
        if reason is None:
            return dict(old)
        if not self.change.owns_file(CONFIG):
            self.module.fail_json(msg="%s %s. Nothing was changed. Remedy: repair the file, or move it away." % (CONFIG, reason))
        # Nothing to go back to.
        self.old_text = ""
        return {}

    def info(self) -> dict[str, Any]:
        """What the running daemon says of itself; empty when it does not answer."""
        try:
            docker = Docker(timeout=20)
            info = dict(docker.get("/info"))
            info["bridge"] = docker.get("/networks/bridge") is not None
        except DockerError:
            return {}
        return info

    def validate(self) -> None:
        """Let dockerd check the new configuration, where it can."""
        if self.dockerd is None or self.text == self.old_text:
            return
        status, out, err = self.module.run_command([self.dockerd, "--help"])
        if "--validate" not in out:
            return
        with trial_file(os.path.basename(CONFIG), self.text) as path:
            status, out, err = self.module.run_command([self.dockerd, "--validate", "--config-file", path])
        if status != 0:
            answer = (err or out).strip().replace(path, CONFIG)
            self.module.fail_json(msg="dockerd refuses the new %s, and nothing was changed: %s" % (CONFIG, answer))

    def needed(self, info: dict[str, Any], running: bool) -> str | None:
        """What the service needs: start, reload (also to learn what it has read), restart or nothing."""
        if not running:
            return "start"
        old, new, loaded = self.old_config(), self.config, record_of(UNIT).get(CONFIG)
        changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        if loaded == digest_of_text(self.text):
            # Somebody edited the file, and the daemon has not read that.
            changed = set()
        elif loaded not in (None, digest_of_text(self.old_text)):
            # It runs with a third configuration: a run was killed before it restarted the daemon.
            return "restart"
        live_differs = info and (
            info.get("DockerRootDir") != new.get("data-root", DEFAULT_ROOT) or (new.get("bridge") == "none" and info["bridge"])
        )
        if changed - RELOADABLE or live_differs:
            return "restart"
        if changed or loaded is None or (info and info.get("LiveRestoreEnabled") != new.get("live-restore", False)):
            return "reload"
        return None

    def record(self) -> None:
        """Record service and files, also where nothing of them changes: an older version may have made them, which kept no record."""
        self.change.own("unit", UNIT, partial(unit_before, self.module, UNIT))
        self.change.own_file(CONFIG, self.text)
        self.change.own_file(DROPIN, self.dropin)
        self.change.save()

    def write(self) -> None:
        """Write both files where they are not as they should be."""
        for path, text in self.differing():
            self.change.write(path, text, MODE)

    def differing(self) -> list[tuple[str, str]]:
        """The files that are not as they should be, by content or mode: path and text."""
        return [(path, text) for path, text in ((CONFIG, self.text), (DROPIN, self.dropin)) if not is_as_declared(path, text, MODE)]

    def move(self, old_root: str, new_root: str) -> None:
        """Stop the daemon and move its data."""
        for unit in (SOCKET, UNIT):
            self.systemd.attempt("stop", unit)
        if os.path.isdir(new_root) and not os.listdir(new_root):
            os.rmdir(new_root)
        os.makedirs(os.path.dirname(new_root), exist_ok=True)
        shutil.move(old_root, new_root)

    def apply(self, need: str | None) -> dict[str, Any]:
        """Write the files, bring the service in line; give the old configuration back to a daemon that does not start with the new one."""
        self.write()
        if self.dropin != self.old_dropin:
            self.systemd.attempt("daemon-reload")
        if "enable" in self.actions:
            self.systemd.attempt("enable", UNIT)
        if need is None:
            return self.info()
        if need == "restart":
            # So that it takes live-restore over first, where it is new: containers outlive the restart then.
            self.systemd.attempt("reload", UNIT)
        status, answer = self.systemd.attempt(need, UNIT)
        info = self.wait() if status == 0 else {}
        if not info:
            log = self.systemd.journal(UNIT, 15)
            restored = self.restore()
            self.module.fail_json(
                msg="`systemctl %s docker.service` failed: %s. %s The journal ends with:\n%s"
                % (need, answer or "dockerd does not answer", restored, log)
            )
        return info

    def wait(self) -> dict[str, Any]:
        """Wait until the daemon answers with the data directory that is declared."""
        root = self.config.get("data-root", DEFAULT_ROOT)
        info = wait_until(self.info, lambda found: found.get("DockerRootDir") == root, START_LIMIT_S, POLL_S)
        return info if info.get("DockerRootDir") == root else {}

    def restore(self) -> str:
        """Put the old configuration back, if there was one, and start the daemon with it."""
        if not self.old_text or self.old_text == self.text:
            return "There is no former %s to go back to." % CONFIG
        self.change.write(CONFIG, self.old_text, *self.old_mode_and_owner)
        self.systemd.attempt("reset-failed", UNIT)
        status, answer = self.systemd.attempt("restart", UNIT)
        return "The former %s was put back, and %s." % (
            CONFIG,
            "Docker runs with it" if status == 0 else "Docker does not start with it either: %s" % answer,
        )


def main() -> None:
    module = host_module(
        argument_spec={
            "config": {"type": "dict", "required": True},
            "dropin": {"type": "str", "required": True},
            "move_data": {"type": "bool", "default": False},
            **OWNERS,
            **WAY_BACK,
        },
        supports_check_mode=True,
    )
    engine = Engine(module)
    engine.change.refuse_owners({CONFIG: engine.text, DROPIN: engine.dropin})
    new_root = engine.config.get("data-root", DEFAULT_ROOT)
    if engine.dockerd is not None:
        # The service needs the socket.
        engine.actions += engine.systemd.settled([UNIT, SOCKET], False, module.check_mode)[1]
    running = engine.dockerd is not None and engine.systemd.is_active(UNIT)
    info = engine.info() if running else {}
    old_root = info.get("DockerRootDir", engine.old_config().get("data-root", DEFAULT_ROOT))
    data = data_to_move(module, old_root, new_root)
    engine.validate()
    need = engine.needed(info, running) if engine.dockerd is not None else None
    if engine.dockerd is not None and not engine.systemd.is_enabled(UNIT):
        engine.actions.append("enable")
    if data:
        engine.actions.append("move %s to %s" % (old_root, new_root))
        need = "start"
    engine.actions += [need] if need else []
    changed = bool(engine.actions or engine.differing())
    if not module.check_mode:
        engine.record()
        if data:
            engine.move(old_root, new_root)
        if engine.dockerd is None:
            engine.write()
        elif changed:
            info = engine.apply(need)
    module.exit_json(
        changed=changed,
        installed=engine.dockerd is not None,
        actions=engine.actions,
        cgroup_version=info.get("CgroupVersion", "2"),
        version=info.get("ServerVersion", ""),
        diff=[
            {"before_header": CONFIG, "after_header": CONFIG, "before": engine.old_shown, "after": engine.text},
            {"before_header": DROPIN, "after_header": DROPIN, "before": engine.old_dropin, "after": engine.dropin},
            {"prepared": "".join("docker.service: %s\n" % action for action in engine.actions)},
        ],
    )


if __name__ == "__main__":
    main()
