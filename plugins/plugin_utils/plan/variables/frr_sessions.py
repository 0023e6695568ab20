# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the sessions of role frr have in common, with whomever: password, timers, BFD."""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FrrBfdProfile
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.variables.context import Context, secret


class SessionOptions(TypedDict, total=False):
    """What not every BGP session has."""

    update_source: str
    ebgp_multihop: int
    ttl_security_hops: int
    password: str
    bfd_profile: str
    keepalive: int
    holdtime: int


def session_options(watched: bool, shared: Context, password_variable: str | None = None) -> SessionOptions:
    """Return what the settings say of every BGP session between nodes.

    Parameters:
        watched: BFD is to watch this one.
        shared: the settings.
        password_variable: name of the variable that holds its password; none for that of all.
    """
    settings = shared.intent.settings.bgp
    return chosen_options(watched, shared, password_variable or settings.password_variable, settings.keepalive, settings.holdtime)


def chosen_options(
    watched: bool, shared: Context, password_variable: str | None, keepalive: int | None, holdtime: int | None
) -> SessionOptions:
    """Return the options of a BGP session, of which those that are none are left out. Parameters as of `session_options`; the timers in seconds."""
    bfd = shared.intent.settings.bfd
    found: SessionOptions = {}
    if password_variable is not None:
        found["password"] = secret(password_variable)
    if bfd.enabled and watched:
        found["bfd_profile"] = bfd.profile
    if keepalive is not None:
        found["keepalive"] = keepalive
    if holdtime is not None:
        found["holdtime"] = holdtime
    return found


def bfd_profiles(shared: Context) -> list[FrrBfdProfile]:
    """Return the BFD profile of the plan."""
    bfd = shared.intent.settings.bfd
    return [
        {
            "name": bfd.profile,
            "detect_multiplier": bfd.detect_multiplier,
            "receive_interval": bfd.receive_interval,
            "transmit_interval": bfd.transmit_interval,
        }
    ]
