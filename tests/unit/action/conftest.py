"""Action plugins in this process: what Ansible hands them is made up, and nothing is a remote call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest


def _act(
    plugin: type[Any],
    arguments: Mapping[str, Any],
    variables: Mapping[str, Any] | None = None,
    check: bool = False,
    answer: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    def execute(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        assert answer is not None, f"{module_name} was sent to a host"
        return answer(module_name, module_args)

    task = SimpleNamespace(args=dict(arguments), action="an action", check_mode=check, diff=True, async_val=0)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
    templar = SimpleNamespace(template=lambda value: value)
    action = plugin(task, connection, SimpleNamespace(), SimpleNamespace(), templar)
    action._execute_module = execute
    result: dict[str, Any] = action.run(task_vars=dict(variables or {}))
    return result


@pytest.fixture
def act() -> Callable[..., dict[str, Any]]:
    """Run an action plugin; returns its result.

    It takes the plugin's class, its arguments, the variables of the host, whether it is check mode, and what answers for the module that the plugin
    sends to the host: it gets name and arguments.
    """
    return _act
