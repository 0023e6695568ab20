# Runs in the build after all packages are installed; $1 is the root of the image.
# LAB_ENABLE, LAB_DISABLE, LAB_MASK and LAB_KERNEL come from the recipe.
set -eu
root=$1
systemctl --root="$root" --quiet enable $LAB_ENABLE
[ -z "$LAB_DISABLE" ] || systemctl --root="$root" --quiet disable $LAB_DISABLE
systemctl --root="$root" --quiet mask $LAB_MASK
# The index of what the kernel of User Mode Linux has built in, for modprobe.
chroot "$root" depmod "$LAB_KERNEL"
# Byte code of Ansible's modules is kept here (xgn_lab_bytecode.py).
mkdir -p -m 0755 "$root/var/cache/xgn-lab"
mkdir -m 0700 "$root/var/cache/xgn-lab/bytecode"
chroot "$root" python3 -m compileall -q /usr/lib/python3/dist-packages/xgn_lab_bytecode.py
# Every machine gets its own of these from its seed.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
# mmdebstrap's options for its own dpkg and apt runs; a stock host does not have them.
rm -f "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$root/etc/apt/apt.conf.d/99mmdebstrap"
# All is as fresh as its packages: nothing to update at the first boot.
touch "$root/etc/.updated" "$root/var/.updated"
