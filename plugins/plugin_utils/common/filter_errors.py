# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one place where pure functions become filters: imported when they are used, and with Ansible's errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from ansible.errors import AnsibleFilterError

P = ParamSpec("P")
R = TypeVar("R")


def as_filter(name: str, function: Callable[P, R]) -> Callable[P, R]:
    """Return a function as a filter whose mistakes begin with its name.

    Parameters:
        name: short name of the filter.
        function: raises ValueError, RuntimeError or TypeError for what it cannot take, and KeyError for what it misses.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (ValueError, RuntimeError, TypeError) as error:
            raise AnsibleFilterError(f"xuegao.net.{name}: {error}") from error
        except KeyError as error:
            # Ansible would show the key once more as its cause.
            raise AnsibleFilterError(f"xuegao.net.{name}: {error.args[0]} is required") from None

    return call


def late_filter(name: str, room: str) -> Callable[..., Any]:
    """Return a function of plugin_utils as a filter of the same name. Its module is imported when the filter is used.

    Ansible loads every filter of a collection in each process that uses one of them, which is each task on each host, and keeps no byte code of what
    they import: all of it would be compiled anew each time.

    Parameters:
        name: short name of the filter, and of the function, whose errors are as `as_filter` says.
        room: the function's module below plugin_utils, such as render.values.frr.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(f"ansible_collections.xuegao.net.plugins.plugin_utils.{room}"), name)(*args, **kwargs)

    return as_filter(name, function)
