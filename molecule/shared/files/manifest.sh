#!/bin/sh
# Write how this host looks into the file $1: files with modes, owners and times, packages, units, kernel settings,
# interfaces. Left out is what changes by itself, and when a directory changed: FRR judges a new configuration by a file beside its own, which is gone then.
set -eu
{
    find /etc /opt /usr /var/lib/dpkg/info \( -type d -printf '%M %U %G - - %p\n' -o -printf '%M %U %G %s %T@ %p -> %l\n' \) | sort -k 6
    dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\n'
    systemctl list-units --all --no-legend --plain --type=service --state=active,failed | awk '{print $1, $3}' | grep -v '^systemd-tmpfiles'
    # One process for all keys; some cannot be read by anybody.
    grep --recursive --no-messages . /proc/sys/net | grep -v '_count:' | sort
    ip -oneline -details link show | sed 's/_timer *[0-9.]*/_timer/g'
    ip -oneline -4 address show
    for family in -4 -6; do
        ip $family rule show
        ip $family route show table all proto static
    done
} >"$1.new"
mv "$1.new" "$1"
