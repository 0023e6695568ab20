# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Sessions of L2TP that xl2tpd has given up.

xl2tpd initiates again when a tunnel of its own ends (redial in xl2tpd.conf(5)), but schedules nothing when initiating itself fails at once: a name
that does not resolve, a tunnel that cannot be made while there is no way to the other end. Nobody initiates any more then. This program waits for
the kernel to say that an interface came or went, and initiates a session that has been down for longer than an attempt of xl2tpd's takes, ever more
seldom.

Role C(l2tp_ipsec) installs this file as it is, as C(/usr/local/sbin/xgn-l2tp-watch), and module C(l2tp_sessions) imports it. It needs the standard library
and xl2tpd-control(8).

    xgn-l2tp-watch NAME...   watch the sessions of these interfaces; what systemd runs
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time

NET = "/sys/class/net"
# RTMGRP_LINK (linux/rtnetlink.h).
LINK_GROUP = 0x1
# An attempt of xl2tpd's ends after five retransmissions, 31 s, and the next follows after 5 s; times in seconds.
PATIENCE_S, LONGEST_S = 45.0, 600.0
# A tunnel that is asked to end has ended by then.
CLOSING_S = 3.0
CONTROL_S = 10.0


def is_up(name: str) -> bool:
    """Say whether a session is up: pppd makes its interface and takes it away."""
    return os.path.isdir(os.path.join(NET, name))


def control(verb: str, name: str) -> str:
    """Ask xl2tpd something about one of its LACs; returns its answer, empty where there is none."""
    command = ("xl2tpd-control", verb, name)
    try:
        # There is no AnsibleModule in a service.
        run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=CONTROL_S)  # pylint: disable=ansible-bad-function
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout + run.stderr


def initiate(name: str) -> bool:
    """Initiate a session anew; returns whether that was done. False while what is left of the former one has yet to end: ask again in CLOSING_S."""
    # A tunnel that xl2tpd still has would get a second session, which pppd could not give its name.
    if "not up" not in control("disconnect-lac", name):
        return False
    control("connect-lac", name)
    return True


class Session:
    """When to initiate one session. All times are monotonic, in seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.since: float | None = None
        self.pause = PATIENCE_S
        self.due = 0.0

    def look(self, up: bool, now: float) -> bool:
        """Take in whether it is up; returns whether it is to be initiated."""
        if up:
            self.since = None
            return False
        if self.since is None:
            self.since, self.pause = now, PATIENCE_S
            self.due = now + self.pause
        return now >= self.due

    def tried(self, initiated: bool, now: float) -> None:
        """Take in what came of initiating it."""
        if initiated:
            self.pause = min(self.pause * 2, LONGEST_S)
            self.due = now + self.pause
        else:
            self.due = now + CLOSING_S


def wait(sessions: list[Session], now: float) -> float | None:
    """How long nothing has to be done, in seconds; None as long as no interface comes or goes."""
    due = [session.due - now for session in sessions if session.since is not None]
    return max(0.0, min(due)) if due else None


def main() -> int:
    """Watch until the unit is stopped."""
    sessions = [Session(name) for name in sys.argv[1:]]
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    events.setblocking(False)
    events.bind((0, LINK_GROUP))
    while True:
        now = time.monotonic()
        for session in sessions:
            if session.look(is_up(session.name), now):
                initiated = initiate(session.name)
                session.tried(initiated, now)
                if initiated:
                    down = now - (session.since or now)
                    sys.stdout.write("%s has been down for %d s: initiated; next in %d s\n" % (session.name, down, session.pause))
                    sys.stdout.flush()
        select.select([events], [], [], wait(sessions, time.monotonic()))
        try:
            while True:
                events.recv(65536)
        except OSError:
            # Read to the end; or there were more messages than fit, and what counts is looked at in any case.
            pass


if __name__ == "__main__":
    raise SystemExit(main())
