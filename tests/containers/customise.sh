# shellcheck shell=sh
# Runs at the end of an image's build; $1 is the root of the image. XGN_ARCHIVE, XGN_MASK, XGN_SOURCES and
# XGN_SOURCES_SUITE come from images.toml.
set -eu
root=$1
archive="$root/opt/xgn-archive"

# The controller's apt fetches, since it knows how to reach the mirror; the image never has to.
rm -f "$root"/var/cache/apt/archives/*.deb
# shellcheck disable=SC2086 # a list of words
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes --no-install-recommends --download-only install $XGN_ARCHIVE
mkdir "$archive"
mv "$root"/var/cache/apt/archives/*.deb "$archive/"
cd "$archive"
for deb in *.deb; do
    dpkg-deb --field "$deb"
    echo "Filename: ./$deb"
    echo "Size: $(stat --format=%s "$deb")"
    echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
    echo
done >Packages
: >Sources
if [ -n "$XGN_SOURCES" ]; then
    sed --quiet --regexp-extended "s/^deb (.*) [a-z]+ main$/deb-src \\1 $XGN_SOURCES_SUITE main/p" "$root/etc/apt/sources.list" \
        >"$root/etc/apt/sources.list.d/sources.list"
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get update
    # shellcheck disable=SC2086 # a list of words
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get source --download-only --only-source $XGN_SOURCES
    for source in $XGN_SOURCES; do
        APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache showsrc --only-source "$source" | sed 's/^Directory: .*/Directory: ./'
    done >Sources
fi
cd /

rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/opt/xgn-archive ./' >"$root/etc/apt/sources.list.d/xgn-archive.list"
if [ -n "$XGN_SOURCES" ]; then
    echo 'deb-src [trusted=yes] file:/opt/xgn-archive ./' >>"$root/etc/apt/sources.list.d/xgn-archive.list"
fi
mkdir -p "$root/etc/systemd/system-generators"
for name in $XGN_MASK; do
    case $name in *-generator) place=system-generators ;; *) place=system ;; esac
    ln -sf /dev/null "$root/etc/systemd/$place/$name"
done
# Byte code of Ansible's modules is kept here (xgn_lab_bytecode.py of the lab's images).
mkdir -p -m 0755 "$root/var/cache/xgn-lab"
mkdir -m 0700 "$root/var/cache/xgn-lab/bytecode"
chroot "$root" python3 -m compileall -q /usr/lib/python3/dist-packages/xgn_lab_bytecode.py
# mmdebstrap's options for its own apt and dpkg runs; a stock host does not have them.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
