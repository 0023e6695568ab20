"""A run over a network that is as planned does nothing at all."""

from __future__ import annotations

from typing import Any

from hybrid_network import CONTAINER, HOSTS, RULESET, Network, reset

from hybrid.runs import changed, succeed

# Units of ours and of what we configure; a unit that a machine lacks shows as such, before and after.
UNITS = (
    "frr interface unbound xgn-anycast.service xgn-anycast.socket xgn-firewall nftables docker gobgpd ssh systemd-networkd strongswan xl2tpd "
    "'openvpn-*@*' 'wg-quick@*' 'xgn-ssh-*.socket'"
)
# A restart gives a unit another invocation; a reload leaves its time with the unit's ExecReload. FRR is reloaded by a program with a log of its own.
STATE = (
    f"systemctl show --property=Id,InvocationID,NRestarts,ActiveState,ExecReload {UNITS}; "
    "stat --format='%n %Y %s' /var/log/frr/frr-reload.log /etc/frr/frr.conf; "
    f"{RULESET}; "
    "stat --format='%n %Y' /etc/wireguard/* /etc/xgn/* /etc/systemd/system/*"
)


def test_second_run_does_nothing(network: Network, plan: dict[str, Any]) -> None:
    """0 changed on all hosts, no session reset, no interface made anew, no unit reloaded or restarted, no file or rule written."""
    sessions, links = network.sessions(), network.links()
    states = {name: network.on[name].run(STATE).stdout for name in HOSTS}
    assert all("Id=frr.service" in state and "frr.conf" in state for state in states.values())
    counts = changed(succeed("site", "second"))
    assert counts == dict.fromkeys((*HOSTS, CONTAINER), 0)
    assert {name: network.on[name].run(STATE).stdout for name in HOSTS} == states
    assert network.links() == links
    assert sessions and reset(sessions, network.sessions()) == []
