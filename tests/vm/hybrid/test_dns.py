"""Anycast DNS (S16): the nearest instance answers, and what clients notice when it freezes or is stopped. Instances tell their names (hostname.bind)."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from figures import figure
from hybrid_network import HOSTS, Background, Network, probing, wait_for

ADDRESS = "1.1.1.1"
RATE = 50
# Of each site: machine and namespace of a client, its nearest instance, and the other one.
SITES = (("hq-core", "office", "hq-nfv", "cloud-edge"), ("cloud-edge", "apps", "cloud-edge", "hq-nfv"))
# Prints three times in s: of the signal, when the address was gone, and when the machine sent questions elsewhere.
FREEZE = f"""
pid=$(systemctl show --property=MainPID --value unbound.service)
began=$EPOCHREALTIME
kill -STOP "$pid"
while [ -n "$(ip -brief address show dev anycast0 to {ADDRESS})" ]; do [ $SECONDS -lt 30 ] || exit 1; sleep 0.05; done
gone=$EPOCHREALTIME
until ip route get {ADDRESS} vrf CORE 2>/dev/null | grep -q ' via '; do [ $SECONDS -lt 60 ] || exit 1; sleep 0.05; done
echo "$began $gone $EPOCHREALTIME"
"""


def who(network: Network, machine: str, namespace: str) -> list[str | None]:
    """Who answers one question of a client; nobody in time is an empty list."""
    found: list[str | None] = network.on[machine].python("ask", ADDRESS, str(RATE), "1", namespace=namespace)["by"]
    return found


@pytest.fixture
def settled(network: Network) -> None:
    """Every client's nearest instance answers."""
    for machine, namespace, nearest, _other in SITES:
        wait_for(partial(who, network, machine, namespace), [nearest])


def crowd(network: Network, machine: str, namespace: str) -> Background:
    """Clients that ask all the time; their first answer is in when this returns."""
    found = Background(network.on[machine], probing("ask", ADDRESS, str(RATE), namespace=namespace), ends_itself=True)
    found.wait_for("answered")
    return found


def outcome(clients: Background) -> dict[str, Any]:
    """What became of the clients' questions."""
    found: dict[str, Any] = json.loads(clients.stop()[-1])
    return found


def test_the_nearest_instance_answers(network: Network, settled: None) -> None:
    """Hosts of both sites, over UDP and TCP, and every router itself."""
    for machine, namespace, nearest, _other in SITES:
        ask = f"ip netns exec {namespace} dig +short +time=3 +tries=2 @{ADDRESS}"
        answers = network.on[machine].output(f"{ask} hostname.bind CH TXT; {ask} +tcp hostname.bind CH TXT; {ask} anycast.xgn.invalid TXT")
        assert answers.split() == [f'"{nearest}"', f'"{nearest}"', '"answered"']
    for name in HOSTS:
        answer = network.on[name].output(f"ip vrf exec CORE dig +short +time=3 +tries=2 @{ADDRESS} hostname.bind CH TXT").strip()
        assert answer == {"hq": '"hq-nfv"', "cloud": '"cloud-edge"'}[name.partition("-")[0]], name


@pytest.mark.parametrize(("machine", "namespace", "nearest", "other"), SITES)
def test_a_frozen_instance_is_withdrawn(network: Network, settled: None, machine: str, namespace: str, nearest: str, other: str) -> None:
    """The daemon hangs: its address goes, the other site answers, and its return is the same."""
    shell = network.on[nearest]
    clients = crowd(network, machine, namespace)
    try:
        began, gone, turned = (float(text) for text in shell.output(FREEZE).split())
        wait_for(partial(who, network, machine, namespace), [other])
    finally:
        shell.output("systemctl kill --kill-whom=main --signal=CONT unbound.service")
    wait_for(partial(who, network, machine, namespace), [nearest])
    found = outcome(clients)
    figure(f"{nearest}'s resolver frozen: its anycast address withdrawn (3 s)", gone - began, "s")
    figure(f"{nearest}'s resolver frozen: questions go elsewhere after the address is gone", turned - gone, "s")
    figure(f"{nearest}'s resolver frozen: longest time between two answers", found["gap"], "s")
    assert began < gone < turned
    assert found["by"] == [nearest, other, nearest]
    # Only what was asked in the meantime is lost.
    assert 0 < found["lost"] < found["sent"] / 2, found


@pytest.mark.parametrize(("machine", "namespace", "nearest", "other"), SITES)
def test_a_planned_stop_loses_no_question(network: Network, settled: None, machine: str, namespace: str, nearest: str, other: str) -> None:
    """At 50 questions a second neither `systemctl stop unbound` nor the start after it loses one; the other site answers in between."""
    shell = network.on[nearest]
    clients = crowd(network, machine, namespace)
    try:
        shell.output("systemctl stop unbound.service")
        assert shell.output(f"ip -brief address show dev anycast0 to {ADDRESS}") == ""
        assert shell.run("systemctl is-active unbound.service").stdout.strip() == "inactive"
        wait_for(partial(who, network, machine, namespace), [other])
    finally:
        shell.output("systemctl start unbound.service")
    wait_for(partial(who, network, machine, namespace), [nearest])
    found = outcome(clients)
    print(f"\n{nearest} stopped and started: {found}")
    assert found["lost"] == 0, found
    assert found["sent"] > 5 * RATE
    assert found["by"] == [nearest, other, nearest]
