#!/bin/sh
# Print one line that changes when a daemon is started again, the session to neighbor $1 is reset, the OSPF neighbor is lost, or the running
# configuration or its file changes.
set -eu
pids=$(pidof zebra bgpd ospfd ospf6d bfdd isisd staticd watchfrr)
session=$(vtysh -c "show bgp neighbors $1 json" | python3 -c '
import json, sys
(neighbor,) = json.load(sys.stdin).values()
print(neighbor["bgpState"], neighbor["connectionsEstablished"], neighbor["connectionsDropped"])
')
adjacency=$(vtysh -c "show ip ospf neighbor json" | python3 -c '
import json, sys
(found,) = [item for entries in json.load(sys.stdin)["neighbors"].values() for item in entries]
print(found.get("nbrState") or found["state"])
')
# isisd of FRR 8 goes on showing an interface that has lost all it had: an empty section says nothing.
running=$(vtysh -c "show running-config" | python3 -c '
import re, sys
print(re.sub(r"(?m)^interface .*\nexit\n!\n", "", sys.stdin.read()))
' | sha256sum)
file=$(stat --format="%a %U %G" /etc/frr/frr.conf; sha256sum </etc/frr/frr.conf)
echo "$pids / $session / $adjacency / $running / $file" | tr "\n" " "
