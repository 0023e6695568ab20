# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for kernel settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ansible_collections.xuegao.net.plugins.module_utils.sysctl import sysctl_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, show
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host import Host

TCP_L3MDEV, UDP_L3MDEV = sysctl_name("net.ipv4.tcp_l3mdev_accept"), sysctl_name("net.ipv4.udp_l3mdev_accept")
RP_FILTER = sysctl_name("net.ipv4.conf.all.rp_filter")
_OPTION_OF = {TCP_L3MDEV: "sysctl_tcp_l3mdev_accept", UDP_L3MDEV: "sysctl_udp_l3mdev_accept"}
_NAME = re.compile("[A-Za-z0-9_-]+")
_KEY = re.compile(r"[a-z][A-Za-z0-9_-]*([./][A-Za-z0-9_@:-]+)+\Z")


def sysctl_problems(host: Host) -> Iterator[Problem]:
    """Report the mistakes of the settings, and of the names of what the kernel is to use."""
    for option in ("sysctl_default_qdisc", "sysctl_tcp_congestion_control"):
        name = host.root.text(option)
        if name is not None and not _NAME.fullmatch(name):
            yield host.root.problem(option, "is not the name of a module of the kernel", "A-Z a-z 0-9 _ and -")
    for path, interface in host.root.texts("sysctl_hears_routers"):
        yield from name_problems(path, interface, existing=True)
    first: dict[str, tuple[Place, str]] = {}
    for key, value in _settings(host):
        path = Place.of("sysctl_settings", key)
        if not isinstance(key, str) or not _KEY.match(key):
            yield Problem(
                path, "is not the name of a kernel setting", hint="write it as sysctl(8) does, for example net.ipv4.tcp_mtu_probing"
            )
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            hint = f"write {int(value)}" if isinstance(value, bool) else "write a number or a string"
            yield Problem(path, "is neither a number nor a string", show(value), hint)
            continue
        if isinstance(value, str) and not value.strip():
            yield Problem(path, "is empty", show(value), "write a number or a string")
        name = sysctl_name(key)
        if name in first and first[name][1] != str(value):
            yield Problem(path, "contradicts another line for the same setting", show(value), f"{first[name][0]} says {first[name][1]}")
        first.setdefault(name, (path, str(value)))
        yield from _contradiction(host, name, path, value)


def _contradiction(host: Host, name: str, path: Place, value: str | int) -> Iterator[Problem]:
    """Report a setting that undoes what its own option says. An option at 0 is its default, and settings win over defaults."""
    option = _OPTION_OF.get(name)
    if name == RP_FILTER and str(value).strip() not in ("0", "2"):
        hint = "valid values: 0, 2; where there is but one way, list the interface in firewall_strict_interfaces"
        yield Problem(path, "is strict on tunnels, too, which would lose what comes in another way than it goes", show(value), hint)
    if option is None:
        return
    if str(value) not in ("0", "1"):
        yield Problem(path, "is not a valid value", show(value), "valid values: 0, 1")
    elif host.root.number(option) == 1 and str(value) == "0":
        yield Problem(path, f"contradicts {option}, which is 1", show(value), f"keep one of them, best {option}")


def tcp_l3mdev_accept(host: Host) -> Place | None:
    """Return the path of what sets net.ipv4.tcp_l3mdev_accept to 1, or nothing when it is 0."""
    for key, value in _settings(host):
        if isinstance(key, str) and sysctl_name(key) == TCP_L3MDEV:
            return Place.of("sysctl_settings", key) if str(value) == "1" else None
    option = _OPTION_OF[TCP_L3MDEV]
    return host.root.at(option) if host.root.number(option) == 1 else None


def _settings(host: Host) -> list[tuple[object, object]]:
    settings = host.root.data.get("sysctl_settings")
    return list(settings.items()) if isinstance(settings, Mapping) else []
