#!/bin/sh
# Print one line that changes when a daemon is started again, or when the configuration or the installed version changes.
set -eu
pids=$(pidof zebra bgpd bfdd staticd watchfrr)
# What dpkg puts aside, the distribution's default beside a file that was kept, is read by nobody.
files=$(find /etc/frr -mindepth 1 ! -name '*.dpkg-dist' -exec stat --format="%n %a %U %G" {} + | sort; cat /etc/frr/frr.conf /etc/frr/daemons | sha256sum)
version=$(dpkg-query --show --showformat '${Version} ${db:Status-Abbrev}' frr)
echo "$pids / $files / $version" | tr "\n" " "
