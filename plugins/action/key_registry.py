# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action xuegao.net.key_registry: records and looks up public keys on the controller, without a remote call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.utils.vars import load_extra_vars
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import UNKNOWN_KEY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, failing
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import (
    KINDS,
    ChangedKeysError,
    in_use,
    keys_of,
    record_keys,
    registry_file,
    resolve_peers,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import own_role_specs


def _accepted(loader: Any) -> list[str]:
    """Return the hosts whose keys somebody has accepted. On the command line only: a host itself may have a say in any other variable of its."""
    given = load_extra_vars(loader).get("xgn_accept_keys") or []
    return given.replace(",", " ").split() if isinstance(given, str) else [str(name) for name in given]


class ActionModule(ControllerAction):
    """Either records the keys of a host or gives the peers of its interfaces their keys."""

    OPTIONS: ClassVar[Options] = {
        "path": {"type": "path", "required": True},
        "kind": {"type": "str", "choices": list(KINDS), "required": True},
        "host": {"type": "str"},
        "record": {"type": "dict"},
        "accept": {"type": "bool", "default": False},
        "resolve": {"type": "list", "elements": "dict"},
        "must_resolve": {"type": "bool", "default": False},
    }
    TOGETHER: ClassVar[Mapping[str, Any]] = {
        "mutually_exclusive": [("record", "resolve")],
        "required_one_of": [("record", "resolve")],
        "required_by": {"record": ["host"]},
    }
    VARIABLES = own_role_specs().options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Return C(changed) and C(diff) when recording; C(public_keys), C(accepted) and C(missing) when resolving."""
        registry = Path(options["path"]).expanduser()
        warnings: list[str] = []
        former = partial(former_name, variables=known)
        work = self._resolve if options["record"] is None else self._record
        with failing(f"The registry of public keys {registry} cannot be used", ValueError):
            try:
                return {**work(registry, options, warnings, former), "warnings": warnings}
            except ChangedKeysError as error:
                raise AnsibleActionFail(str(error)) from error

    def _record(self, registry: Path, options: dict[str, Any], warnings: list[str], former: Callable[[str], str]) -> dict[str, Any]:
        host = options["host"]
        told = {name: keys_of(written) for name, written in options["record"].items() if written}
        before, after = record_keys(
            registry,
            host,
            told,
            options["kind"],
            warnings.append,
            accepted=options["accept"] or host in _accepted(self._loader),
            write=not self.check_mode,
            former=former(host),
        )
        path = str(registry_file(registry, host))
        return {
            "changed": before != after,
            "diff": {"before_header": path, "after_header": path, "before": before, "after": after},
        }

    def _resolve(self, registry: Path, options: dict[str, Any], warnings: list[str], former: Callable[[str], str]) -> dict[str, Any]:
        known, missing = resolve_peers(registry, options["resolve"], options["kind"], warnings.append, former)
        if missing and self.check_mode:
            # Before the first run there is no key anywhere; a prediction can go on without it.
            for item in missing:
                known[item["interface"]][item["peer"]] = [UNKNOWN_KEY]
        elif missing and options["must_resolve"]:
            lines = [f"- peer {item['peer']}, interface {item['remote_interface']}" for item in missing]
            raise AnsibleActionFail(
                "No public key is known for:\n"
                + "\n".join(lines)
                + f"\nNot in the registry {registry}, and the host itself did not tell. Remedy: run "
                "this role once on the peer (it records its key), or write the key of a peer that Ansible does not manage into the variables of "
                "this host. No interface was changed." + "".join(f"\n{warning}" for warning in dict.fromkeys(warnings))
            )
        public_keys = {interface: in_use(accepted) for interface, accepted in known.items()}
        return {"changed": False, "public_keys": public_keys, "accepted": known, "missing": missing}
