#!/bin/sh
# Write what the network of this host notices into files that begin with $1: FRR's running configuration, and identity and peers of the tunnel. How often
# the session to $2 was established stands in /run, which a boot empties.
set -eu
vtysh -c 'show running-config' | grep -Ev '^(Building|Current) configuration|^(frr version|hostname) |^ *!|^ *exit|^end|^$' | sort >"$1.running"
wg show wg-hand dump | awk 'NR == 1 { print $2, $3 } NR > 1 { print $1, $2, $4, $8 }' >"$1.tunnel"
vtysh -c "show bgp neighbors $2 json" | python3 -c '
import json, sys
(neighbor,) = json.load(sys.stdin).values()
print(neighbor["bgpState"], neighbor["connectionsEstablished"])' >"/run/$(basename "$1").session"
