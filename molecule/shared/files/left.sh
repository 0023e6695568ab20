#!/bin/sh
# Print what is otherwise than on the bare host, beside packages and their files: files that carry our names, kernel settings, running services, interfaces,
# rules, tables. $1: pattern of services that packages start by themselves and that stay.
set -eu
# What /etc/ansible has belongs to the test.
grep --recursive --files-with-matches --fixed-strings '(xuegao.net.' /etc /usr/local --exclude-dir=ansible || true
find /etc /usr/local -name '*xgn*' ! -path '/etc/ansible/*'
systemctl list-units --all --plain --no-legend 'xgn*' | cut -d' ' -f1
systemctl list-unit-files --plain --no-legend --state=enabled 'xgn*' | cut -d' ' -f1
if command -v nft >/dev/null; then nft list tables | grep ' xgn' || true; fi
find /var/lib/xgn/before -type f 2>/dev/null || true
find /etc /opt /usr /var/lib/dpkg/info -maxdepth 0 >/dev/null
{
    systemctl list-units --all --no-legend --plain --type=service --state=active,failed | awk '{print $1, $3}' | grep -v '^systemd-tmpfiles'
    ip -oneline -details link show | sed 's/_timer *[0-9.]*/_timer/g' | sed 's/^[0-9]*: \([^:@]*\).*/interface \1/'
    for family in -4 -6; do ip $family rule show | sed "s/^/rule $family /"; done
} >/root/left.new
awk '/\.service (active|failed)$/' /root/bare >/root/left.bare
sed -n 's/^[0-9]*: \([^:@ ]*\)[:@].*mtu.*/interface \1/p' /root/bare >>/root/left.bare
grep --fixed-strings --line-regexp --invert-match --file=/root/left.bare /root/left.new | grep -v '^rule ' | grep -v -- "$1" || true
grep '^/proc/sys/net' /root/bare | sort >/root/left.sysctl
grep --recursive --no-messages . /proc/sys/net | grep -v '_count:' | sort | comm -13 /root/left.sysctl - | grep -v -e /neigh/ -e nf_conntrack -e "$1" || true
