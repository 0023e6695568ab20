"""Tables of the documentation that come from the code: every check of verify, every rule on intent and variables, every type of link.

The checks are those of the golden networks, made with no live state, with the names of hosts, interfaces and so on replaced by placeholders. A
check in the code that none of these networks has is an error here. The rules are read from the source, since each needs a mistake of its own.
"""

from __future__ import annotations

import ast
import dataclasses
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
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import ETHERNET_MTU  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import LINK_TYPES, LinkType  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan  # noqa: E402
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Check, Ledger, Status  # noqa: E402

UTILS = ROOT / "plugins" / "plugin_utils"
PACKAGE = "ansible_collections.xuegao.net.plugins.plugin_utils"
CHECKS = UTILS / "verify" / "checks"
# What no golden network has: a ping's name and command are known only with a live state, or stand outside of a plan.
EXTRA: tuple[dict[str, Any], ...] = (
    {
        "dns_anycast_ssh_listen": [{"address": "192.0.2.1"}],
        "vxlan_interfaces": [{"name": "vxlan9", "vni": 9, "local": "192.0.2.1", "remotes": ["192.0.2.2"], "mac": "02:00:00:00:00:09"}],
        "wireguard_interfaces": [{"name": "wg9", "fwmark": 1, "peers": []}],
        "frr_interfaces": [{"name": "eth9", "addresses": []}],
        "frr_ospf6": [{"router_id": "192.0.2.1", "interfaces": [{"name": "eth9", "area": "0.0.0.0"}]}],
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
    found.update(dict.fromkeys(variables.get("firewall_public_interfaces", []), "INTERFACE"))
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


def words(node: ast.expr | None, known: Mapping[str, ast.expr]) -> str:
    """Return a message as it stands in the source, with … for what is put in; empty when it is made elsewhere."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return words(node.left, known) + words(node.right, known)
    if isinstance(node, ast.IfExp):
        return " / ".join(filter(None, (words(node.body, known), words(node.orelse, known))))
    if isinstance(node, ast.Name) and node.id in known:
        return words(known[node.id], {name: value for name, value in known.items() if name != node.id})
    return ""


def key_of(node: ast.expr) -> str:
    """Return the key that the path of a problem ends in, where the source names it."""
    found = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    whole = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "of"  # Place.of: a path from the top
    last = ".".join(found) if whole else found[-1].strip(".[]'") if found else ""
    return last if re.fullmatch(r"[a-z0-9_.-]+", last) else ""


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
    return ("…" if low is None else str(low)), ("…" if high is None else str(high))


def rules(path: Path) -> list[tuple[str, str, str]]:
    """Return key, mistake and remedy of every rule of a file, in order, each once."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = vars(importlib.import_module(".".join((PACKAGE, *path.relative_to(UTILS).with_suffix("").parts))))
    found: list[tuple[str, str, str]] = []
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        local = {t.id: n.value for n in ast.walk(function) if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and node.args]
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
            name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""
            key = key_of(call.args[0])
            if name in ("Problem", "problem", "unknown") and len(call.args) > 1:
                given = next((word.value for word in call.keywords if word.arg == "hint"), None)
                position = 2 if name == "problem" else 3
                hint = given or (call.args[position] if len(call.args) > position and name != "unknown" else None)
                found.append((key, words(call.args[1], local), words(hint, local)))
            elif name == "in_range":
                low, high = bounds_of(call.args[1:], names)
                unit = call.args[2 if isinstance(call.args[1], ast.Starred) else 3 :]
                found.append((key, "is out of range", f"valid: {low} to {high}{words(unit[0] if unit else None, local)}"))
            elif name == "twice" and len(call.args) > 1:
                found.append(("", f"is given twice: the same {words(call.args[1], local)}", ""))
    return list(dict.fromkeys(row for row in found if row[1]))


def rule_tables(files: str) -> str:
    """The tables of one part of docs/validation-rules.md: those of the files that a pattern names."""
    lines: list[str] = []
    for path in sorted(UTILS.glob(files)):
        found = rules(path)
        if found:
            lines += [f"### {path.stem}", "", cell(title(path)), "", "| key | mistake | remedy |", "|---|---|---|"]
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
    print(rule_tables("common/limits.py"))
    print(rule_tables("plan/rules/*.py"))
    print(rule_tables("validate/rules/*.py"))
    print(filter_examples())
