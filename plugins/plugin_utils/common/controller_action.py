# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the collection's actions do alike. An action says as data what it takes, and `perform` returns what it found.

A task fails in one of two forms. What an action has judged and does not accept is a result, made by `refused` or `mistakes`: everything at once, a line each.
What keeps it from its work, such as a file that cannot be written, is raised (`failing`).
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import (
    checked_facts,
    refuse_facts_as_variables,
    with_clock_offset,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import counted

Options = Mapping[str, Mapping[str, Any]]
"""A task's options by name, each as in an argument spec."""
WRONG_FORM = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What may be raised where something that a host said is taken for what its module returns; `another_form` tells it."""


class ControllerAction(ActionBase):
    """An action that works on the controller alone: no connection is opened for it. It works in check mode, too, and never asynchronously.

    Attributes:
        OPTIONS: the task's options. None leaves them to a module, which checks them itself.
        TOGETHER: which options belong together or exclude each other: further arguments of Ansible's `ArgumentSpecValidator`.
        VARIABLES: names that no fact of the host may have, as the action reads the variables of these names or writes on the controller. The names of the
            intent's variables never may. None: the action looks at its host's facts itself.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    OPTIONS: ClassVar[Options | None]
    TOGETHER: ClassVar[Mapping[str, Any]] = {}
    VARIABLES: ClassVar[Container[str] | None] = ()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check options and facts, and return the task's result: what `perform` returns, unchanged unless it says so, each warning once.

        Raises:
            AnsibleActionFail: an option is wrong; all of them are named.
            HostAnswerError: a fact of the host has the name of a variable.
        """
        known = task_vars or {}
        begun: dict[str, Any] = super().run(tmp, known)
        options = self._task.args if self.OPTIONS is None else self._checked(self.OPTIONS)
        if self.VARIABLES is not None:
            refuse_facts_as_variables(known, self.VARIABLES)
        # What a module is asked for unread is handed on unread.
        unchanged = {} if self.OPTIONS is None else {"changed": False}
        result = {**begun, **unchanged, **self.perform(options, known)}
        warnings = list(dict.fromkeys(result.pop("warnings", ())))
        return {**result, **({"warnings": warnings} if warnings else {})}

    @abstractmethod
    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Do the task, and return what is said of it.

        Parameters:
            options: all options by name, of their types and with their defaults.
            known: all variables of the host, not templated.
        """

    def _checked(self, options: Options) -> dict[str, Any]:
        """Return the task's options by name. Ansible's own `validate_argument_spec` names the first mistake alone."""
        found = ArgumentSpecValidator(dict(options), **self.TOGETHER).validate(self._task.args)
        wrong = [
            f"Unsupported parameters for ({self._task.action}) module: {error}" if isinstance(error, UnsupportedError) else str(error)
            for error in found.errors.errors
        ]
        if wrong:
            raise AnsibleActionFail("; ".join(wrong))
        return {**self._task.args, **found.validated_parameters}

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be written."""
        return bool(self._task.check_mode)

    def templated(self, names: Iterable[str], known: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the named variables that the host has, templated, as plain values."""
        return {name: plain(self._templar.template(known[name])) for name in names if name in known}


class HostAction(ControllerAction):
    """An action that has a module of the collection run on its host, and goes on with the answer on the controller."""

    _requires_connection = True

    def call(self, module: str, arguments: Mapping[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Make a remote call and return the module's answer.

        Parameters:
            module: its name, without the collection's.
            arguments: its options.
            known: all variables of the host.

        Raises:
            AnsibleError: the call could not be made.
        """
        answer: dict[str, Any] = self._execute_module(module_name=f"xuegao.net.{module}", module_args=dict(arguments), task_vars=known)
        return answer

    def look_at_host(self, arguments: Mapping[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Call module host_facts. The facts of its answer are checked, and have the offset of the host's clock.

        Parameters:
            arguments: options of the module.
            known: all variables of the host.

        Raises:
            AnsibleError: the call could not be made.
            HostAnswerError: the facts have not their form.
        """
        asked = time.time()
        answer = self.call("host_facts", arguments, known)
        facts = checked_facts(host_name(known), answer.get("ansible_facts"))
        offset = with_clock_offset(facts, asked, time.time())
        return {**answer, **({"ansible_facts": offset} if "ansible_facts" in answer else {})}

    def live_state(self, arguments: Mapping[str, Any], known: dict[str, Any], unreachable: str, unread: str) -> tuple[dict[str, Any], str]:
        """Call module live_state. Returns the state, or nothing and why.

        Parameters:
            arguments: options of the module.
            known: all variables of the host.
            unreachable: how the reason begins when no connection can be opened.
            unread: how it begins when the module failed.
        """
        try:
            answer = self.call("live_state", arguments, known)
        except AnsibleConnectionFailure as error:
            return {}, f"{unreachable}: {error.message}"
        except AnsibleError as error:
            return {}, f"{unread}: {error.message}"
        if answer.get("unreachable"):
            return {}, f"{unreachable}: {answer.get('msg')}"
        if answer.get("failed") or not isinstance(answer.get("state"), dict):
            return {}, f"{unread}: {answer.get('msg') or answer.get('module_stderr')}"
        return dict(answer["state"]), ""


def host_name(known: Mapping[str, Any]) -> str:
    """Return the inventory name of the host at hand. known: its variables."""
    return str(known["inventory_hostname"])


def another_form(host: str, error: Exception) -> str:
    """Return what is said of a live state that is not what its module returns. error: one of `WRONG_FORM`."""
    return f"{host} answers with a live state of another form than it must have: {type(error).__name__} {error}"


def refused(sentence: str, things: Iterable[str] = (), /, **more: object) -> dict[str, Any]:
    """Return the result of a task that does not accept what it has judged.

    Parameters:
        sentence: what that means.
        things: all that is not accepted, a line each below the sentence.
        more: what else the result holds.
    """
    return {**more, "failed": True, "msg": "\n".join([sentence, *(f"- {thing}" for thing in things)])}


def mistakes(found: Iterable[str], where: str) -> dict[str, Any]:
    """Return the result of a task that found mistakes. They stand in ``problems`` alone, so that they are printed once. where: they are."""
    problems = [f"{line}\n" for line in found]
    return {"failed": True, "msg": counted(len(problems), where), "problems": problems}


@contextmanager
def failing(sentence: str, *errors: type[Exception]) -> Iterator[None]:
    """Let the task fail with a sentence and the reason when the body raises.

    Parameters:
        sentence: what could not be done; it names the file.
        errors: what is told like this, beside what the operating system says.

    Raises:
        AnsibleActionFail: in place of the error.
    """
    caught: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except caught as error:
        raise AnsibleActionFail(f"{sentence}: {_reason(error, sentence)}") from None


def _reason(error: Exception, sentence: str) -> str:
    """Return the words of an error, without its number, and without a file that the sentence names."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return error.strerror if error.filename is None or str(error.filename) in sentence else f"{error.filename}: {error.strerror}"
