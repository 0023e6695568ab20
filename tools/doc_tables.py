"""Tables of the documentation that come from the code: every check of verify, every rule on intent and variables, every type of link.

The checks are those of the golden networks, made with no live state, with the names of hosts, interfaces and so on replaced by placeholders. A
check in the code that none of these networks has is an error here. The rules are read from the source, since each needs a mistake of its own.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import yaml

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT / ".collections") not in sys.path:
    sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.xuegao.net.plugins.plugin_utils.common.encapsulation import fit  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import ETHERNET_MTU  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, LinkType  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.fixed import FIXED, Hold  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Check, Ledger, Status  # noqa: E402

UTILS = ROOT / "plugins" / "plugin_utils"
PLUGINS = "ansible_collections.xuegao.net.plugins"
PACKAGE = f"{PLUGINS}.plugin_utils"
CHECKS = UTILS / "verify" / "checks"
# What no golden network has: a ping's name and command are known only with a live state, or stand outside of a plan.
EXTRA: tuple[dict[str, Any], ...] = (
    {
        "dns_anycast_ssh_listen": [{"address": "192.0.2.1"}],
        "vxlan_interfaces": [{"name": "vxlan9", "vni": 9, "local": "192.0.2.1", "remotes": ["192.0.2.2"], "mac": "02:00:00:00:00:09"}],
        "wireguard_interfaces": [{"name": "wg9", "fwmark": 1, "peers": []}],
        "frr_interfaces": [{"name": "eth9", "addresses": []}],
        "frr_ospf6": [{"router_id": "192.0.2.1", "interfaces": [{"name": "eth9", "area": "0.0.0.0"}]}],
        "frr_rpki": {"caches": [{"host": "192.0.2.9", "port": 323, "preference": 1}]},
        "frr_lines": [{"section": ["router isis 9"], "lines": ["is-type level-1"]}],
        "firewall_own_chains": [{"chain": "input", "rules": ["accept"]}],
        "preflight_allow_network_manager": True,
    },
)
NETWORK_STATE: dict[str, Any] = {"pings": {"data": []}}


@dataclasses.dataclass(frozen=True)
class Row:
    """A check of a module, as the table shows it."""

    module: str
    name: str
    command: str


class Recorder(Ledger):
    """Notes which line of which module makes which check."""

    rows: ClassVar[list[tuple[str, int, str, str]]] = []

    def judge(self, name: str, command: str, parts: str, test: Any) -> None:
        """Note a check, and make none."""
        self._note(name, command)

    def add(self, name: str, status: Status, command: str, detail: str) -> None:
        """Note a check, and make none."""
        self._note(name, command)

    def _note(self, name: str, command: str) -> None:
        frame = sys._getframe(2)
        self.rows.append((Path(frame.f_code.co_filename).stem, frame.f_lineno, name, command))


def placeholders(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of this host and what stands for each in the table."""
    found: dict[str, str] = {}
    lists = {
        "vrf_vrfs": "VRF",
        "frr_interfaces": "INTERFACE",
        **{kind.variable: "INTERFACE" for kind in LINK_TYPES.values()},
        "frr_bfd_profiles": "PROFILE",
        "docker_macvlan_networks": "NETWORK",
        "docker_macvlan_containers": "CONTAINER",
    }
    for name, word in lists.items():
        found.update({item["name"]: word for item in variables.get(name, []) if item["name"] not in found or word == "VRF"})
    for item in variables.get("docker_macvlan_networks", []):
        found[item["parent"]] = "INTERFACE"
    for name in ("trusted", "strict", "loose"):
        found.update(dict.fromkeys(variables.get(f"firewall_{name}_interfaces", []), "INTERFACE"))
    if variables.get("dns_anycast_interface"):
        found[variables["dns_anycast_interface"]] = "INTERFACE"
    return found


# What is left of one network, after its names. Common words that happen to be names are replaced in their place only.
NUMBERS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^(BGP|BFD|OSPF|OSPFv3|Route) default\b", r"\1 VRF"),
    (r"\b(vrf|in VRF) default\b", r"\1 VRF"),
    (r"(?<= peer )(?!ADDRESS)[\w.-]+(?= (key|allowed|keepalive|preshared|handshake|fingerprint))|(?<=L2TP to )\S+", "PEER"),
    (r"\b\d+(\.\d+){3}/\d+\b|(?<![\w:])[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*/\d+", "PREFIX"),
    (r"\b\d+(\.\d+){3}\b|(?<![\w:])[0-9a-f]+:[0-9a-f:]*:[0-9a-f]*\b", "ADDRESS"),
    (r"\btable \d+", "table TABLE"),
    (r"\b(ipv|IPv)[46]\b", "FAMILY"),
    (r"\bip -6 ", "ip "),
    (r"\b\d+ bytes\b", "BYTES bytes"),
    (r"FAMILY \d+ in", "FAMILY BYTES in"),
    (r"\bVLAN \d+", "VLAN NUMBER"),
    (r"(?<=VLAN NUMBER on )\S+", "INTERFACE"),
    (r"^Interface VRF\b|(?<=^ip address show dev )VRF\b", lambda found: found[0].replace("VRF", "INTERFACE")),
    (r"^SSH listens on \S+", "SSH listens on ADDRESS:PORT"),
    (r"(?<=^FRR own lines in ).*", "SECTION"),
    (r"\bown_\w+", "CHAIN"),
    (r"\bby (bgp|ospf6?|static|connected)$", "by PROTOCOL"),
    (r"(?<=^Kernel )\S+|(?<=^sysctl )\S+", "KEY"),
    (r"(?<=Unit )(?!NetworkManager)\S+(?= enabled)|(?<=status )\S+\.service|(?<=Boot order )\S+|(?<=After )\S+", "UNIT"),
    (r"(?<=UNIT before )\S+", "UNIT"),
    (r"(?<=--man=no ).*|(?<=NRestarts ).*", "UNIT …"),
    (r"/(server|client)/", "/ROLE/"),
    (r"-(server|client)@", "-ROLE@"),
)


def generic(text: str, names: Mapping[str, str]) -> str:
    """Return a name or command with placeholders in place of what belongs to one network."""
    for name in sorted(names, key=len, reverse=True):
        if names[name] == "CONTAINER" and not text.lower().startswith("docker"):
            continue
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])(?!\.(?!service|pem|conf)\w)", names[name], text)
    for pattern, word in NUMBERS:
        text = re.sub(pattern, word, text)
    return text


def checks() -> list[Row]:
    """Return every check of every module, once.

    Raises ValueError when the code makes one that no network here has.
    """
    module = importlib.import_module(f"{PACKAGE}.verify.host_checks")
    rows: dict[tuple[str, str], Row] = {}
    reached: set[tuple[str, int]] = set()
    networks = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "tests" / "golden").glob("*/intent.yml"))]
    cases: list[tuple[str, Mapping[str, Any]]] = [
        (host, variables) for plan in map(make_plan, networks) for host, variables in plan.hosts.items()
    ]
    cases += [("router", variables) for variables in EXTRA]
    with mock.patch.object(module, "Ledger", Recorder):
        for host, variables in cases:
            Recorder.rows = []
            module.host_checks(host, variables, NETWORK_STATE)
            names = placeholders(variables)
            for stem, line, name, command in Recorder.rows:
                reached.add((stem, line))
                if (CHECKS / f"{stem}.py").exists():
                    row = Row(stem, generic(name, names), generic(command, names))
                    rows.setdefault((row.module, row.name), row)
    missing = [f"{stem}.py:{line}" for stem, line, end in sites() if not any((stem, at) in reached for at in range(line, end + 1))]
    if missing:
        raise ValueError(f"no golden network and no entry of EXTRA in tools/doc_tables.py has the checks of {', '.join(missing)}")
    return list(rows.values())


def sites() -> Iterator[tuple[str, int, int]]:
    """Yield module, first and last line of every place that makes a check, but those that judge one by the live state alone."""
    for path in sorted(CHECKS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "judge":
                yield path.stem, node.lineno, node.end_lineno or node.lineno


def title(path: Path) -> str:
    """Return the first sentence of a module's docstring as one line."""
    return " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split())


def cell(text: str) -> str:
    """Return text that may stand in a table."""
    return text.replace("|", "\\|")


def check_tables() -> str:
    """The tables of docs/verify.md."""
    rows = checks()
    lines: list[str] = []
    for path in sorted(CHECKS.glob("*.py")):
        mine = [row for row in rows if row.module == path.stem]
        if mine:
            lines += [f"### {path.stem}", "", cell(title(path)), "", "| check | shows the same on its host |", "|---|---|"]
            lines += [f"| {cell(row.name)} | `{cell(row.command)}` |" for row in mine]
            lines += [""]
    # One check for each cut, made by playbook failover_test after its measurement.
    failover = Check("", "Failover INTERFACE METHOD", "passed", "", "")
    lines += ["### failover_test", "", cell(title(CHECKS / "failover_test.py")), "", "| check | shows the same on its host |", "|---|---|"]
    lines += [f"| {failover.name} | the run of playbook `failover_test` |", ""]
    return "\n".join(lines)


# ---- rules -----------------------------------------------------------------------------------------------------------


# Where rules stand, by the part of the page. Every file of the plugins that makes a mistake is in one of them, or `rule_files` says so.
RULES: Mapping[str, tuple[str, ...]] = {
    "both": (
        "plugin_utils/common/limits.py",
        "plugin_utils/common/schema.py",
        "plugin_utils/common/addresses.py",
        "plugin_utils/common/interface_names.py",
    ),
    "intent": (
        "plugin_utils/intent/*.py",
        "plugin_utils/plan/*.py",
        "plugin_utils/plan/rules/*.py",
        "plugin_utils/plan/variables/*.py",
        "action/plan.py",
    ),
    "variables": ("plugin_utils/validate/*.py", "plugin_utils/validate/rules/*.py", "action/validate.py"),
    "hosts": ("plugin_utils/common/host_answers.py", "plugin_utils/common/key_registry.py", "plugin_utils/report/form.py"),
}
# What makes a mistake: by name, the places of the message, of the remedy, and of the keyword that is the remedy instead.
MAKERS: Mapping[str, tuple[int, int]] = {"Problem": (1, 3), "problem": (1, 2), "unknown": (1, 4), "_mismatch": (3, 4)}
# Those whose words stand in another function, which this page names with the arguments.
OTHERS = ("in_range", "twice", "unknown_key")
# Functions that pass on the words of others.
PASSING = ("problem", "unknown", "_mismatch")
# Errors whose text becomes a mistake, `Problem(path, str(error))`. Their words stand where they are raised.
ERRORS = ("AddressError", "PoolExhaustedError", "SubnetExhaustedError", "PrefixLengthError", "InterfaceNameError")
ELLIPSIS = "…"
# So many wordings of one sentence are listed.
WORDINGS = 6


@dataclasses.dataclass(frozen=True)
class Scope:
    """What names stand for at one place of a source.

    Attributes:
        names: those of the module.
        functions: of the file, by name.
        function: the one around the place.
        blocks: the lists of statements around it, from the inside, each with the number of the statement that leads to the place.
    """

    names: Mapping[str, Any]
    functions: Mapping[str, ast.FunctionDef]
    function: ast.FunctionDef
    blocks: tuple[tuple[Sequence[ast.stmt], int], ...]

    def values(self, name: str) -> list[tuple[ast.expr, Scope]]:
        """Return what may have been assigned to a local name last, each with the place where that is so."""
        found: list[tuple[ast.expr, Scope]] = []
        for depth, (block, index) in enumerate(self.blocks):
            for number in range(index - 1, -1, -1):
                here = dataclasses.replace(self, blocks=((block, number), *self.blocks[depth + 1 :]))
                values = [(value, here) for value in assigned(block[number], name)]
                found += values
                if values and isinstance(block[number], ast.Assign):
                    return found
        return found


def assigned(statement: ast.stmt, name: str) -> Iterator[ast.expr]:
    """Yield what a statement, or one in it, assigns to a name."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from (value for one, value in zip(target.elts, node.value.elts) if isinstance(one, ast.Name) and one.id == name)


def wordings(node: ast.expr | None, scope: Scope) -> list[str]:
    """Return the texts that an expression may be, as they stand in the source, with … for what is put in."""
    if node is None:
        return [""]
    found: list[str] = []
    if isinstance(node, ast.Constant):
        found = [node.value if isinstance(node.value, str) else ELLIPSIS]
    elif isinstance(node, ast.JoinedStr):
        found = [""]
        for part in node.values:
            more = [str(part.value)] if isinstance(part, ast.Constant) else put_in(part, scope)
            found = [before + after for before in found for after in more]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found = [one + two for one in wordings(node.left, scope) for two in wordings(node.right, scope)]
    elif isinstance(node, ast.IfExp):
        found = [*wordings(node.body, scope), *wordings(node.orelse, scope)]
    elif isinstance(node, ast.Name) and node.id.lstrip("_").isupper() and isinstance(scope.names.get(node.id), (str, int, tuple)):
        found = [str(scope.names[node.id])]
    elif isinstance(node, ast.Name):
        found = [text for value, there in scope.values(node.id) for text in wordings(value, there)]
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = shared(node, scope)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == "pattern_text":
        found = [f"{ELLIPSIS}, as the data model says"]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in scope.functions:
        called = scope.functions[node.func.id]
        for place, inside in statements(called, scope.names, scope.functions):
            if isinstance(place, ast.Return):
                found += [text for text in wordings(place.value, inside) if text]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and len(node.args) == 2:
        found = wordings(node.args[1], scope)
    # Two spaces: what is put in is empty there, and so never printed.
    plain = (text.replace(2 * ELLIPSIS, ELLIPSIS) for text in found if "  " not in text)
    return list(dict.fromkeys(plain))[:WORDINGS] or [ELLIPSIS]


def put_in(part: ast.expr, scope: Scope) -> list[str]:
    """Return what stands for a value in a text: the value of a constant, a text made before, or …."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    return wordings(value, scope) if isinstance(value, ast.Name) else [ELLIPSIS]


def shared(node: ast.Attribute, scope: Scope) -> list[str]:
    """Return what an attribute of a parameter is in any of the module's constants of its type."""
    name = node.value.id if isinstance(node.value, ast.Name) else ""
    kinds = [argument.annotation for argument in scope.function.args.args if argument.arg == name]
    kind = scope.names.get(kinds[0].id) if kinds and isinstance(kinds[0], ast.Name) else None
    if not isinstance(kind, type):
        return []
    return [str(getattr(value, node.attr)) for value in scope.names.values() if isinstance(value, kind) and hasattr(value, node.attr)]


def statements(
    function: ast.FunctionDef, names: Mapping[str, Any], functions: Mapping[str, ast.FunctionDef]
) -> Iterator[tuple[ast.stmt, Scope]]:
    """Yield every statement of a function, with the scope at it, in order."""

    def walk(block: Sequence[ast.stmt], around: tuple[tuple[Sequence[ast.stmt], int], ...]) -> Iterator[tuple[ast.stmt, Scope]]:
        for index, statement in enumerate(block):
            here = ((block, index), *around)
            yield statement, Scope(names, functions, function, here)
            if isinstance(statement, ast.FunctionDef):
                continue
            for inner in ("body", "orelse", "finalbody"):
                yield from walk(getattr(statement, inner, []), here)
            for handler in getattr(statement, "handlers", []):
                yield from walk(handler.body, here)

    yield from walk(function.body, ())


def own_calls(statement: ast.stmt) -> list[ast.Call]:
    """Return the calls of a statement, without those of the statements in it, in order."""
    found: list[ast.Call] = []

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.stmt, ast.ExceptHandler)):
                continue
            if isinstance(child, ast.Call):
                found.append(child)
            walk(child)

    walk(statement)
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


def called(call: ast.Call) -> str:
    """Return the name of what a call calls."""
    return call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""


def key_of(node: ast.expr) -> str:
    """Return the key that the path of a problem ends in, where the source names it."""
    found = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    whole = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "of"  # Place.of: a path from the top
    last = ".".join(found) if whole else found[-1].strip(".[]'") if found else ""
    return last if re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", last) else ""


def value_of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return what an expression of a rule's file is, with the names of that file; None when it depends on what is looked at."""
    try:
        return eval(compile(ast.Expression(node), "rule", "eval"), dict(names))  # our own source
    except NameError:
        return None


def bounds_of(nodes: Sequence[ast.expr], names: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first and last number of a range as text, … for one that depends. The range is two expressions, or one with a star."""
    if isinstance(nodes[0], ast.Starred):
        low, high = value_of(nodes[0].value, names) or (None, None)
    else:
        low, high = (value_of(node, names) for node in nodes[:2])
    return (ELLIPSIS if low is None else str(low)), (ELLIPSIS if high is None else str(high))


Rule = tuple[str, str, str]


def told_by(call: ast.Call, scope: Scope) -> list[Rule] | None:
    """Return key, mistake and remedy of what a call makes, in all its wordings; None when it makes no mistake, or passes on the words of others."""
    name = called(call)
    if name in MAKERS and len(call.args) > MAKERS[name][0]:
        at, position = MAKERS[name]
        message = call.args[at]
        if scope.function.name in PASSING and isinstance(message, ast.Name) and message.id in {one.arg for one in scope.function.args.args}:
            return None
        if isinstance(message, ast.Call) and called(message) == "str":
            return None  # of one of ERRORS
        hint = next((word.value for word in call.keywords if word.arg == "hint"), None) or (
            call.args[position] if len(call.args) > position else None
        )
        remedy = " / ".join(text for text in wordings(hint, scope) if text)
        if name == "unknown":
            remedy = f"{remedy}: {ELLIPSIS}"
        key = key_of(call.args[0]) if name != "_mismatch" else ""
        return [(key, text, remedy) for text in wordings(message, scope) if text.strip(f"{ELLIPSIS} ,:")]
    if name == "in_range" and len(call.args) > 1:
        low, high = bounds_of(call.args[1:], scope.names)
        unit = call.args[2 if isinstance(call.args[1], ast.Starred) else 3 :]
        return [(key_of(call.args[0]), "is out of range", f"valid: {low} to {high}{wordings(unit[0] if unit else None, scope)[0]}")]
    if name == "twice" and len(call.args) > 1:
        return [("", f"is given twice: the same {wordings(call.args[1], scope)[0]}", "")]
    if name == "unknown_key":
        return [("", "unknown key", f"valid keys: {ELLIPSIS}")]
    if name in ERRORS and call.args:
        return [("", text, "") for text in wordings(call.args[0], scope) if text.strip(ELLIPSIS)] or None
    return None


def makes_mistake(call: ast.Call, function: str) -> bool:
    """Tell whether a call makes a mistake in words of its own, so that the page has to have it."""
    name = called(call)
    message = call.args[MAKERS[name][0]] if name in MAKERS and len(call.args) > MAKERS[name][0] else None
    if message is None:
        return name in OTHERS and bool(call.args) and function not in OTHERS
    # What passes on the words of others, and errors whose words stand where they are raised.
    return not (function in PASSING and isinstance(message, ast.Name)) and not (isinstance(message, ast.Call) and called(message) == "str")


def calls_of(path: Path) -> Iterator[tuple[ast.Call, Scope]]:
    """Yield every call in the functions and methods of a file, with the scope at it, in order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = vars(importlib.import_module(".".join((PLUGINS, *path.relative_to(ROOT / "plugins").with_suffix("").parts))))
    every = sorted((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), key=lambda node: node.lineno)
    functions = {node.name: node for node in every}
    for function in every:
        for statement, scope in statements(function, names, functions):
            for call in own_calls(statement):
                yield call, scope


def rules(path: Path) -> list[Rule]:
    """Return key, mistake and remedy of every rule of a file, in order, each once.

    Raises ValueError when a mistake is made there whose words are found nowhere.
    """
    found: list[Rule] = []
    for call, scope in calls_of(path):
        told = told_by(call, scope)
        if not told and makes_mistake(call, scope.function.name):
            raise ValueError(f"tools/doc_tables.py finds no words for the mistake of {path.name}:{call.lineno}")
        found += told or []
    return list(dict.fromkeys(found))


def rule_files(part: str) -> list[Path]:
    """Return the files with the rules of one part of the page, in order."""
    return [path for pattern in RULES[part] for path in sorted((ROOT / "plugins").glob(pattern))]


def files_with_rules() -> list[Path]:
    """Return every file of the plugins that makes a mistake; the page has to have them all."""
    listed = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "common.problems import" not in text and "import View" not in text:
            continue
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        if any(makes_mistake(call, one.name) for one in functions for call in ast.walk(one) if isinstance(call, ast.Call)):
            listed.append(path)
    return listed


def rule_tables(part: str) -> str:
    """The tables of one part of docs/validation-rules.md. Raises ValueError as `rules` does."""
    lines: list[str] = []
    for path in rule_files(part):
        found = rules(path)
        if found:
            name = path.relative_to(ROOT / "plugins").as_posix().removeprefix("plugin_utils/")
            lines += [f"### {name}", "", cell(title(path)), "", "| key | mistake | remedy |", "|---|---|---|"]
            lines += [f"| {f'`{key}`' if key else ''} | {cell(mistake)} | {cell(remedy)} |" for key, mistake, remedy in found]
            lines += [""]
    return "\n".join(lines)


# ---- types of links --------------------------------------------------------------------------------------------------


def link_types() -> str:
    """The table of docs/planner.md: what the plan makes of a link of each type."""
    head = ("type", "interface", "outer packets", "MTU over IPv4", "over IPv6", "role")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for kind in LINK_TYPES.values():
        name = (
            f"`{kind.prefix}` and {_number(kind)}"
            if kind.prefix
            else "that of its device" + (" with `.` and the VLAN id" if kind.tagged else "")
        )
        row = (f"`{kind.name}`", name, _outer(kind), *(_sizes(kind, family) for family in ("ipv4", "ipv6")), f"`{kind.role}`")
        lines.append(f"| {' | '.join(map(cell, row))} |")
    return "\n".join(lines)


def _number(kind: LinkType) -> str:
    return f"`{kind.number_option}`, else the id" if kind.number_option else "the id"


def _outer(kind: LinkType) -> str:
    """Say which packets travel over the underlay, as the packet filter accepts them."""
    ports = kind.ports
    protocol = ports.protocol.upper()
    if kind.port_settings:
        chosen = f" (`{ports.protocol_option}`)" if ports.protocol_option else ""
        where = " at the server of the two" if ports.listener == "server" else ""
        return f"{protocol}{chosen}, port `{kind.port_settings}.port_base` + id of the other node{where}"
    parts = [f"{name.upper()} {number}" if number else name.upper() for name, number in ports.fixed]
    parts += [f"{protocol} {ports.number} (`{ports.number_option}`)"] if ports.number_option else []
    return ", ".join(parts)


def _sizes(kind: LinkType, family: str) -> str:
    """Say what is left of an uplink of 1500 bytes, by variant."""
    if not kind.tunnel:
        return "that of its device"
    sizes = {variant: fit(ETHERNET_MTU, layer, family).mtu for variant, layer in kind.layers.items()}
    unasked = {fit(ETHERNET_MTU, layer).mtu for layer in kind.layers.values()}
    if kind.roams and unasked != set(sizes.values()):
        return f"{', '.join(map(str, unasked))}; {', '.join(map(str, sizes.values()))} with `family: {family}`"
    return ", ".join(f"{size} (`{variant}`)" if variant else str(size) for variant, size in sizes.items())


# ---- overrides -------------------------------------------------------------------------------------------------------

# What stands in the table for what `fixed.option_of` finds in an intent.
FIXED_WORDS = {
    "link": "xgn_links[]",
    "end": "xgn_links[].ends[]",
    "ends": "xgn_links[].ends",
    "node": "xgn_nodes.NODE",
    "peer": "xgn_nodes.NEIGHBOR",
    "site": "xgn_sites.SITE",
    "steering": "xgn_services.steering.NODE",
    "docker": "xgn_services.docker.NAME",
    "of_vrf": "xgn_vrfs.NAME",
    "name": "NAME",
    "address": "xgn_links[].ends[].ipv4, xgn_nodes.NODE.networks.NAME, xgn_nodes.NODE.loopback",
    "kind": "xgn_nodes.NODE.networks.NAME.kind",
    "parent": "xgn_nodes.NODE.networks.NAME.parent, xgn_links[].ends[].device",
    "vlan": "xgn_nodes.NODE.networks.NAME.vlan, xgn_links[].vlan",
    "mtu": "xgn_nodes.NODE.uplink.mtu, xgn_nodes.NODE.networks.NAME.mtu, xgn_links[].mtu",
    "vrf": "xgn_nodes.NODE.uplink.vrf, xgn_nodes.NODE.networks.NAME.vrf, xgn_links[].vrf",
}


def override_keys() -> str:
    """The first table of docs/overrides.md: what tells the entries of each list apart."""
    lines = ["| list | an entry is told from the others by |", "|---|---|"]
    for path, spec in _lists(load_role_specs(ROOT / "roles").options, ""):
        name = path.rpartition(".")[2]
        known = [f"`{key}`" for key in ENTRIES[name].keys if key in spec["options"]]
        lines.append(f"| `{path}` | {', '.join(known)} |")
    return "\n".join(lines)


def _lists(options: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, spec in options.items():
        if spec.get("type") == "list" and spec.get("elements") == "dict":
            yield f"{prefix}{name}", spec
            yield from _lists(spec["options"], f"{prefix}{name}[].")


def fixed_options() -> str:
    """The second table of docs/overrides.md: what the intent decides, and by which key."""
    specs: Mapping[str, Any] = {"options": load_role_specs(ROOT / "roles").options}
    lines = ["| of the plan | stays | change in its place |", "|---|---|---|"]
    for path, fixed in FIXED.items():
        spec = functools.reduce(lambda found, key: found["options"][key], path, specs)
        what = "what is planned; more may be added" if spec["type"] == "list" else "as planned"
        what = {Hold.CLOSED: "what is planned, and no more", Hold.KEPT: "one of them; it may be another"}.get(fixed.hold, what)
        option = ", ".join(f"`{text}`" for text in fixed.option.format(**FIXED_WORDS).split(", "))
        lines.append(f"| `{'.'.join(path)}` | {what} | {option} |")
    return "\n".join(lines)


# ---- filters ---------------------------------------------------------------------------------------------------------


def filter_examples() -> str:
    """The part of docs/filters.md that shows every filter in use, with its result."""
    lines: list[str] = []
    for path in sorted((ROOT / "plugins" / "filter").glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        documentation = content["DOCUMENTATION"]
        about = documentation["description"]
        text = re.sub(r"\b[BCEFIMOPV]\(([^()]*)\)", r"`\1`", " ".join(about) if isinstance(about, list) else about)
        lines += [f"## {path.stem}", "", f"{documentation['short_description']}. {text}", ""]
        lines += ["```yaml+jinja", content["EXAMPLES"].rstrip(), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(check_tables())
    for part_of_page in RULES:
        print(rule_tables(part_of_page))
    print(filter_examples())
