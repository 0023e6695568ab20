# Runs in the root of the build environment when the source is there. LAB_PACKAGE and LAB_RELEASE come from the recipe.
# Lines "lab-step: " are for the user, and so are lines "lab-error: ".
set -eu
fail() {
    echo "lab-error: $*"
    exit 1
}
cd /build

echo "lab-step: unpacking the source"
dpkg-deb --extract source.deb package
rm source.deb
mkdir source
tar --extract --file="package/usr/src/$LAB_PACKAGE.tar.xz" --directory=source --strip-components=1
rm -r package
cd source

echo "lab-step: configuring"
# No offset and no guess: a source that it does not fit needs a look.
patch --strip=1 --fuzz=0 --forward <../uml.patch || fail "uml.patch does not fit the source $LAB_RELEASE"
# Who builds it, and when, shall not change the result.
export KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab
KBUILD_BUILD_TIMESTAMP=$(date --utc --reference=Makefile)
export KBUILD_BUILD_TIMESTAMP
make ARCH=um defconfig
scripts/kconfig/merge_config.sh -m .config ../uml.fragment
make ARCH=um olddefconfig
missing=$(sh ../missing.sh ../uml.fragment .config)
[ -z "$missing" ] || fail "the kernel's configuration does not take over from uml.fragment: $missing"

echo "lab-step: compiling"
make ARCH=um prepare
release=$(cat include/config/kernel.release)
[ "$release" = "$LAB_RELEASE" ] || fail "source and configuration make the release $release, and lab/kernels/recipe.yml says $LAB_RELEASE"
make ARCH=um --jobs="$(nproc)"
strip -o ../linux linux
cp modules.builtin .config ..
