# Runs in the build when the environment is there, outside of it; $1 is its root. LAB_PACKAGE, LAB_VERSION, LAB_SHA256,
# LAB_SUITE (the environment's) and LAB_SOURCE_SUITE come from the recipe. Lines "lab-step: " and "lab-error: " are for the user.
set -eu
root=$1
fail() {
    echo "lab-error: $*"
    exit 1
}
remedy="Remedy: take a ready kernel (python -m lab kernel --take FILE), or name an archive that holds it in XGN_DEBIAN_MIRROR,"
remedy="$remedy or put a version that is there into lab/kernels/recipe.yml."
# The apt outside reaches the archive as it did for the environment, with the same proxy, certificates and keys.
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"

echo "lab-step: reading the lists of $LAB_SOURCE_SUITE"
# Which archive that is, mmdebstrap may have decided itself.
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' | sed -n "s/ $LAB_SUITE main\$//p" | head -n 1)
[ -n "$archive" ] || fail "apt does not tell which archive $LAB_SUITE comes from"
# Only now: no package of the environment may come from there.
echo "deb $archive $LAB_SOURCE_SUITE main" >"$root/etc/apt/sources.list.d/source.list"
words=$(apt-get --quiet=2 --option APT::Update::Error-Mode=any --option Acquire::Languages=none update 2>&1) ||
    fail "the archive does not give the lists of $LAB_SOURCE_SUITE ($(echo "$words" | grep --max-count=1 '^E: ')). $remedy"
versions=$(apt-cache madison "$LAB_PACKAGE" | cut -d '|' -f 2 | tr -d ' ' | sort -u | xargs)
case " $versions " in
    *" $LAB_VERSION "*) ;;
    *) fail "the archive does not hold $LAB_PACKAGE $LAB_VERSION (any more); it has: ${versions:-no $LAB_PACKAGE at all}. $remedy" ;;
esac

echo "lab-step: fetching the source"
cd "$root/build"
# The user _apt cannot write here; mmdebstrap's own downloads are root's, too.
apt-get --quiet --option APT::Status-Fd=1 --option APT::Sandbox::User=root download "$LAB_PACKAGE=$LAB_VERSION"
mv "$LAB_PACKAGE"_*.deb source.deb
sum=$(sha256sum source.deb | cut -d ' ' -f 1)
[ "$sum" = "$LAB_SHA256" ] ||
    fail "$LAB_PACKAGE $LAB_VERSION has the SHA-256 $sum, and lab/kernels/recipe.yml says $LAB_SHA256: this is not the source that was chosen"
