# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.key_registry: records and looks up public keys on the controller, without a remote call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import UNKNOWN_KEY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import WireguardInterface
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import record_keys, registry_file, resolve_peers


class ActionModule(ActionBase):
    """Either records the keys of a host or gives the peers of its interfaces their keys."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return C(changed) and C(diff) when recording, C(public_keys) and C(missing) when resolving."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        validation, arguments = self.validate_argument_spec(
            {
                "path": {"type": "path", "required": True},
                "host": {"type": "str"},
                "record": {"type": "dict"},
                "resolve": {"type": "list", "elements": "dict"},
                "must_resolve": {"type": "bool", "default": False},
            },
            mutually_exclusive=[("record", "resolve")],
            required_one_of=[("record", "resolve")],
            required_by={"record": ["host"]},
        )
        registry = Path(arguments["path"]).expanduser()
        try:
            if arguments["record"] is not None:
                result.update(self._record(registry, arguments["host"], arguments["record"]))
            else:
                result.update(self._resolve(registry, arguments["resolve"], arguments["must_resolve"]))
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"The registry of public keys {registry} cannot be used: {error}") from error
        return result

    def _record(self, registry: Path, host: str, keys: dict[str, str | None]) -> dict[str, Any]:
        known = {name: key for name, key in keys.items() if key}
        before, after = record_keys(registry, host, known, write=not self._task.check_mode)
        path = str(registry_file(registry, host))
        return {
            "changed": before != after,
            "diff": {"before_header": path, "after_header": path, "before": before, "after": after},
        }

    def _resolve(self, registry: Path, interfaces: list[dict[str, Any]], must_resolve: bool) -> dict[str, Any]:
        known, missing = resolve_peers(registry, cast(list[WireguardInterface], interfaces))
        if missing and self._task.check_mode:
            # Before the first run there is no key anywhere; a prediction can go on without it.
            for item in missing:
                known[item["interface"]][item["peer"]] = UNKNOWN_KEY
        elif missing and must_resolve:
            lines = [f"- peer {item['peer']}, interface {item['remote_interface']}" for item in missing]
            raise AnsibleActionFail(
                "No public key is known for:\n"
                + "\n".join(lines)
                + f"\nNot in the registry {registry}, and the host itself did not tell. Remedy: run "
                "this role once on the peer (it records its key), or write the key of a peer that Ansible does not manage into the variables of "
                "this host. No interface was changed."
            )
        return {"changed": False, "public_keys": known, "missing": missing}
