#!/bin/sh
# Print one line that changes when a daemon is started again, or when the configuration or the installed version changes.
set -eu
pids=$(pidof zebra bgpd bfdd staticd watchfrr)
files=$(stat --format="%n %a %U %G" /etc/frr/*; cat /etc/frr/frr.conf /etc/frr/daemons | sha256sum)
version=$(dpkg-query --show --showformat '${Version} ${db:Status-Abbrev}' frr)
echo "$pids / $files / $version" | tr "\n" " "
