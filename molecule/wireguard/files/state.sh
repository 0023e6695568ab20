#!/bin/sh
# Print lines that change when interface wg0 is made again, loses its identity, or its session to the other host
# is reset or moved; counters and times are left out, since they move by themselves.
set -eu
cat /sys/class/net/wg0/ifindex
wg show wg0 public-key
wg show wg0 listen-port
wg show wg0 endpoints | sort
# 0 means: no handshake since the peer was added.
wg show wg0 latest-handshakes | awk '{print $1, ($2 > 0)}' | sort
sha256sum /etc/wireguard/wg0.conf
