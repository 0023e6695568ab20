#!/bin/sh
# Print what is otherwise than on the bare host, beside packages and their own files: files that carry our names, running services, interfaces, tables,
# kernel settings. $1: extended pattern of what may stay.
set -eu
bare=/root/bare now=/root/left
{
    # What /etc/ansible and /etc/apt have belongs to the test.
    grep --recursive --files-with-matches --fixed-strings '(xuegao.net.' /etc /usr/local --exclude-dir=ansible || true
    find /etc /usr/local -name '*xgn*' ! -path '/etc/ansible/*' ! -path '/etc/apt/*'
    systemctl list-units --all --plain --no-legend 'xgn*' | cut -d' ' -f1
    if command -v nft >/dev/null; then nft list tables | grep ' xgn' || true; fi
    find /var/lib/xgn/before -type f 2>/dev/null || true

    systemctl list-units --all --no-legend --plain --type=service --state=active,failed | awk '{print $1, $3}' | sort >$now
    grep --fixed-strings --line-regexp --invert-match --file=$bare $now | grep -v '^systemd-tmpfiles' || true

    sed -n 's/^[0-9]*: \([^:@ ]*\)[:@].* mtu .*/\1/p' $bare | sort -u >$now
    ip -oneline link show | sed 's/^[0-9]*: \([^:@ ]*\)[:@].*/\1/' | sort | comm -13 $now - | sed 's/^/interface /'

    grep '^/proc/sys/net' $bare | sort >$now
    # Those of neighbors, of connection tracking and of new interfaces come and go with packets and modules; the key is made when somebody first asks.
    grep --recursive --no-messages . /proc/sys/net | grep -v -e '_count:' -e /neigh/ -e conntrack -e tcp_fastopen_key | sort | comm -13 $now - |
        awk -F: 'NR == FNR { known[$1]; next } $1 in known' $now - || true
} | grep --extended-regexp --invert-match -- "$1" || true
