#!/bin/sh
# Print lines that change when interface ovpn2 is made again or loses its address, or when its daemon is restarted.
set -eu
cat /sys/class/net/ovpn2/ifindex
ip -4 -oneline address show dev ovpn2
systemctl show --property=MainPID --value "openvpn-$1@ovpn2.service"
sha256sum "/etc/openvpn/$1/ovpn2.conf" /etc/openvpn/keys/ovpn2.pem
