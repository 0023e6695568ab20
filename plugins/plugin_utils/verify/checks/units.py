# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of units, of whichever role, and of the order of the boot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.systemd import RUNNING
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS, LinkType
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of, is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.wireguard import SERVICE, TIMER, wireguard_values
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, roles_of

Units = Mapping[str, Mapping[str, Any]]
NETWORK_MANAGER = "NetworkManager.service"


def expected_units(variables: Variables) -> list[str]:
    """Return the units that must be enabled and active, in the order of the boot."""
    roles = roles_of(variables)
    units: list[str] = []
    for kind in TUNNELS:
        units += kind.units(_entries(kind, variables))
    if "wireguard" in roles:
        units += [unit["name"] for unit in wireguard_values(variables)["units"]]
    if "vrf" in roles:
        units += [item["unit"] for item in variables.get("vrf_interfaces", []) if item.get("unit")]
        units += ["interface.service"] if is_declared("vrf", variables) else []
    if "frr" in roles and is_declared("frr", variables):
        units.append("frr.service")
    if "gobgp" in roles and is_declared("gobgp", variables):
        units += ["gobgpd.service"] + (["xgn-steering-health.service"] if variables.get("gobgp_health") else [])
    if "docker_macvlan" in roles and is_declared("docker_macvlan", variables):
        units.append("docker.service")
    if "firewall" in roles and is_declared("firewall", variables):
        units.insert(0, "xgn-firewall.service")
    if "dns_anycast" in roles and is_declared("dns_anycast", variables):
        units += ["unbound.service", "xgn-anycast.service"]
    return list(dict.fromkeys(units))


def started_by_timers(units: list[str]) -> list[str]:
    """Return the services that the timers among some units start, which are neither enabled nor active by themselves."""
    return [SERVICE] if TIMER in units else []


def _entries(kind: LinkType, variables: Variables) -> list[dict[str, Any]]:
    return entries_of(variables, kind.variable) if kind.role in roles_of(variables) else []


def boot_pairs(variables: Variables) -> list[tuple[str, str]]:
    """Return the pairs of units of which the second must name the first in its ``After=``."""
    units = expected_units(variables)
    pairs = [pair for kind in TUNNELS for pair in kind.boot_order(_entries(kind, variables))]
    if "interface.service" in units:
        members = [item["unit"] for item in variables.get("vrf_interfaces", []) if item.get("unit")]
        pairs += [(unit, "interface.service") for unit in dict.fromkeys(members)]
    if "docker.service" in units:
        pairs += [(unit, "docker.service") for unit in variables.get("docker_macvlan_after_units", ["interface.service"]) if unit in units]
    if "frr.service" in units:
        pairs += [(unit, "frr.service") for unit in variables.get("frr_after_units", ["interface.service"]) if unit in units]
    if "gobgpd.service" in units:
        pairs += [(unit, "gobgpd.service") for unit in variables.get("gobgp_after_units", ["interface.service"]) if unit in units]
    if "unbound.service" in units:
        pairs += [(unit, "xgn-anycast.service") for unit in ("interface.service", "frr.service", "unbound.service") if unit in units]
    return pairs


def check_units(ledger: Ledger, variables: Variables) -> None:
    """Check that the units are enabled and active, in order, without a cycle, and that NetworkManager is not in charge of what is ours."""
    units = expected_units(variables)
    for unit in units:
        ledger.judge(f"Unit {unit} enabled and active", f"systemctl status {unit}", "units", lambda live, u=unit: running(u, live.get(u)))
    for unit in started_by_timers(units):
        ledger.judge(f"Unit {unit} ends well", f"systemctl status {unit}", "units", lambda live, u=unit: ends_well(u, live.get(u)))
    if variables.get("preflight_allow_network_manager"):
        names = {item["name"] for item in variables.get("vrf_vrfs", [])}
        names |= {item["name"] for item in variables.get("vrf_interfaces", []) if item.get("vrf") or item.get("bridge") or item.get("kind")}
        names |= {item["name"] for kind in TUNNELS for item in _entries(kind, variables)}
        command = "nmcli --terse --fields DEVICE,STATE device"
        ledger.judge(
            "NetworkManager leaves our interfaces alone",
            command,
            "units managed_by_nm",
            lambda live, managed: manager_leaves(live, managed, names),
        )
    else:
        ledger.judge("Unit NetworkManager.service not running", f"systemctl is-active {NETWORK_MANAGER}", "units", manager_off)
    for first, second in boot_pairs(variables):
        ledger.judge(
            f"Boot order {first} before {second}",
            f"systemctl show --property=After {second}",
            "units",
            lambda live, f=first, s=second: ordered(f, s, live),
        )
    if len(units) > 1:
        check_times(ledger, units, boot_pairs(variables))
    command = "journalctl --boot --identifier=systemd --grep='ordering cycle'"
    ledger.judge("Boot without an ordering cycle", command, "ordering_cycles", no_cycle)
    if units:
        ledger.judge(
            "Boot units verify clean",
            "systemd-analyze verify --man=no " + " ".join(units),
            "units_verify",
            lambda lines: clean(lines, units),
        )


def running(unit: str, found: Mapping[str, Any] | None) -> Verdict:
    """Test that a unit is loaded, enabled, active, and not older than its file."""
    if found is None or found.get("LoadState") == "not-found":
        return False, f"{unit} does not exist"
    problems = []
    if found.get("ActiveState") != "active":
        problems.append(f"{found.get('ActiveState')} ({found.get('Result')}), expected active")
    if found.get("UnitFileState") != "enabled":
        problems.append(f"{found.get('UnitFileState') or 'not enabled'}, expected enabled")
    if found.get("NeedDaemonReload"):
        problems.append("its file changed after systemd read it: systemctl daemon-reload")
    return not problems, "; ".join(problems) or f"enabled, {found.get('ActiveState')} ({found.get('SubState')})"


def ends_well(unit: str, found: Mapping[str, Any] | None) -> Verdict:
    """Test that what a timer starts is there, and that its latest run did not fail."""
    if found is None or found.get("LoadState") == "not-found":
        return False, f"{unit} does not exist"
    if found.get("Result") != "success":
        return False, f"its latest run ended with {found.get('Result')}, expected success: journalctl -u {unit}"
    return True, "its latest run did"


def manager_off(live: Units) -> Verdict:
    """Test that NetworkManager does not run; it would take the interfaces away from the other units."""
    state = live.get(NETWORK_MANAGER, {}).get("ActiveState", "inactive")
    if state in RUNNING:
        return False, f"found {state}, expected it off: it changes interfaces on its own"
    return True, str(state)


def manager_leaves(live: Units, managed: Mapping[str, str], names: set[str]) -> Verdict:
    """Test that a NetworkManager that may run manages none of the named interfaces. managed: state by device, as nmcli(1) prints it."""
    if live.get(NETWORK_MANAGER, {}).get("ActiveState", "inactive") not in RUNNING:
        return True, "it does not run"
    # It shows what somebody else has set up as `connected (externally)`, and leaves it until somebody activates a connection on it.
    taken = sorted(f"{name} ({managed[name]})" for name in names if managed.get(name, "unmanaged") != "unmanaged")
    if taken:
        return False, f"it manages {', '.join(taken)}, expected unmanaged: site tells it so (/etc/NetworkManager/conf.d/90-xgn.conf)"
    return True, f"unmanaged: {', '.join(sorted(name for name in names if name in managed))}"


def ordered(first: str, second: str, live: Units) -> Verdict:
    """Test that ``second`` names ``first`` in its ``After=``."""
    after = live.get(second, {}).get("After", [])
    if first in after:
        return True, f"{second} has After={first}"
    return False, f"After= of {second} does not name {first}"


def check_times(ledger: Ledger, units: list[str], pairs: list[tuple[str, str]]) -> None:
    """Check the times at which the units became active in this boot; skipped when one was started later."""
    name = "Boot times follow the order"
    command = "systemctl show --property=Id,ActiveEnterTimestampMonotonic,NRestarts " + " ".join(units)
    if ledger.problem("units") or ledger.problem("boot"):
        ledger.judge(name, command, "units boot", lambda _units, _boot: (False, ""))
        return
    live: Units = ledger.state["units"]["data"]
    finished = ledger.state["boot"]["data"]["finished"]
    times = {unit: int(live.get(unit, {}).get("ActiveEnterTimestampMonotonic", 0)) for unit in units}
    # Whoever was started again by Restart= shows the time of that; what waited for the first attempt did wait.
    again = {unit for unit in units if int(live.get(unit, {}).get("NRestarts", 0))}
    later = [unit for unit, time in times.items() if finished and time > finished and unit not in again]
    if later:
        ledger.skip(name, f"started after the boot was finished, so this boot says nothing: {', '.join(later)}", command)
        return
    stopped = [unit for unit, time in times.items() if time == 0]
    wrong = [f"{second} at {seconds(times[second])} before {first} at {seconds(times[first])}"
             for first, second in pairs if first in times and first not in again and times[first] > times[second] > 0]  # fmt: skip
    if stopped or wrong:
        ledger.add(name, "failed", command, "; ".join(wrong + [f"{unit} was not started" for unit in stopped]))
    else:
        told = [f"{unit} {'started again at ' if unit in again else ''}{seconds(time)}" for unit, time in times.items()]
        ledger.add(name, "passed", command, ", ".join(told))


def seconds(monotonic: int) -> str:
    """Write a monotonic time in µs as seconds since the kernel started."""
    return f"{monotonic / 1e6:.1f} s"


def no_cycle(lines: list[str]) -> Verdict:
    """Test that systemd reported no ordering cycle in this boot; it drops a job to break one."""
    return (True, "none reported") if not lines else (False, f"{lines[0]}, expected no cycle")


def clean(lines: list[str], units: list[str]) -> Verdict:
    """Test that ``systemd-analyze verify`` says nothing about these units, and of no cycle at all."""
    ours = [line for line in lines if "ordering cycle" in line or any(unit in line for unit in units)]
    return (True, "nothing to say") if not ours else (False, "; ".join(ours[:4]))
