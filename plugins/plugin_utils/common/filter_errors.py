# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one place where the errors of pure functions become Ansible's."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

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
