#!/bin/sh
# Print one line that changes when a daemon is started again, the session with neighbor $1 is reset, or a route or a file changes.
set -eu
pids=$(pidof gobgpd bgpd; systemctl show --property=MainPID --value xgn-steering-health.service)
session=$(vtysh -c "show bgp neighbors $1 json" | python3 -c '
import json, sys
(neighbor,) = json.load(sys.stdin).values()
print(neighbor["bgpState"], neighbor["connectionsEstablished"], neighbor["connectionsDropped"])
')
routes=$(xgn-steering show | sha256sum)
file=$(stat --format="%a %U %G" /etc/gobgpd.conf; sha256sum </etc/gobgpd.conf)
echo "$pids / $session / $routes / $file" | tr "\n" " "
