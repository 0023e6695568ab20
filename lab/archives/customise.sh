# Runs in the build after all packages are installed; $1 is the root of the archive. LAB_MASK comes from the recipe.
set -eu
root=$1
for unit in $LAB_MASK; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Docker writes these two; every container gets an identity of its own.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
# mmdebstrap's options for its own dpkg and apt runs.
rm -f "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$root/etc/apt/apt.conf.d/99mmdebstrap"
rm -rf "$root"/usr/share/info/* "$root"/var/cache/debconf/*-old
