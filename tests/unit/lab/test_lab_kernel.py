"""The kernel for User Mode Linux: its hash, ready kernels, and a build that succeeds whole or leaves nothing."""

from __future__ import annotations

import _thread
import dataclasses
import hashlib
import io
import lzma
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import build, cli, kernel
from lab.errors import LabError
from lab.kernel import KernelRecipe, load_kernel_recipe
from lab.paths import KERNEL_DIR
from lab.progress import Progress

BINARY = b"\x7fELF, the kernel\n"


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    shutil.copytree(KERNEL_DIR, tmp_path / "kernels")
    return tmp_path / "kernels"


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def recipe_line(key: str, value: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        lines = (root / "recipe.yml").read_text().splitlines()
        (place,) = (number for number, line in enumerate(lines) if line.startswith(f"{key}:"))
        lines[place] = f"{key}: {value}"
        (root / "recipe.yml").write_text("\n".join(lines) + "\n")

    return change


def append(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / name).write_text((root / name).read_text() + "#\n")

    return change


# ---- the recipe ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        *(
            pytest.param(recipe_line(key, "other"), id=key)
            for key in ("release", "package", "version", "source_suite", "source_sha256", "suite")
        ),
        pytest.param(lambda root: _replace(root / "recipe.yml", "  - bc\n", ""), id="package of the environment"),
        *(
            pytest.param(append(name), id=name)
            for name in ("uml.fragment", "uml.patch", "fetch.sh", "build.sh", "missing.sh", "modules.builtin")
        ),
    ],
)
def test_the_hash_changes_with_every_ingredient(kernels: Path, change: Callable[[Path], None]) -> None:
    before = load_kernel_recipe(kernels).digest
    assert before == load_kernel_recipe().digest
    change(kernels)
    assert load_kernel_recipe(kernels).digest != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(recipe_line("archive_sha256", f"'{'0' * 64}'"), id="checksum of a ready kernel"),
        pytest.param(recipe_line("objects", "7"), id="number that progress needs"),
        pytest.param(lambda root: _replace(root / "recipe.yml", "  - bc\n  - bison\n", "  - bison\n  - bc\n"), id="order"),
    ],
)
def test_the_hash_does_not_change_with_what_decides_nothing(kernels: Path, change: Callable[[Path], None]) -> None:
    before = (kernels / "recipe.yml").read_text()
    change(kernels)
    assert (kernels / "recipe.yml").read_text() != before
    assert load_kernel_recipe(kernels).digest == load_kernel_recipe().digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "recipe.yml").write_text("release: 7\n"), "must be a mapping with exactly release, package, version"),
        (recipe_line("objects", "many"), "objects: must be of type int"),
        (recipe_line("objects", "0"), "objects: must be at least 1"),
    ],
)
def test_a_bad_recipe_is_refused(kernels: Path, change: Callable[[Path], object], message: str) -> None:
    change(kernels)
    with pytest.raises(LabError, match=message):
        load_kernel_recipe(kernels)


def test_the_committed_list_names_what_the_product_needs() -> None:
    builtin = load_kernel_recipe().builtin.splitlines()
    assert len(builtin) == len(set(builtin))
    assert all(line.startswith("kernel/") and line.endswith(".ko") for line in builtin)
    for module in ("net/wireguard/wireguard", "net/vrf", "net/vxlan/vxlan", "net/macvlan", "net/ppp/ppp_generic"):
        assert f"kernel/drivers/{module}.ko" in builtin


# ---- the configuration -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fragment", "missing"),
    [
        ('# a comment\n\nCONFIG_A=y\nCONFIG_NAME="-x"\n# CONFIG_OFF is not set\n# CONFIG_UNKNOWN is not set\n', ""),
        ("CONFIG_A=m\n", "CONFIG_A=m"),
        ("CONFIG_GONE=y\nCONFIG_A=y\nCONFIG_OFF=y\n", "CONFIG_GONE=y, CONFIG_OFF=y"),
        ("CONFIG_AB=y\n", "CONFIG_AB=y"),
        ("CONFIG_NAME=.*\n", "CONFIG_NAME=.*"),
        ("# CONFIG_A is not set\n", "# CONFIG_A is not set"),
        ("# CONFIG_LONG is not set\n", ""),
    ],
)
def test_every_line_of_the_fragment_must_be_in_the_configuration(tmp_path: Path, fragment: str, missing: str) -> None:
    (tmp_path / "fragment").write_text(fragment)
    (tmp_path / "config").write_text('CONFIG_A=y\nCONFIG_ABC=y\nCONFIG_LONGER=y\nCONFIG_NAME="-x"\n# CONFIG_OFF is not set\n')
    command = ["sh", str(KERNEL_DIR / "missing.sh"), str(tmp_path / "fragment"), str(tmp_path / "config")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == (missing, "")


# ---- a ready kernel --------------------------------------------------------------------------------------------------


def known(content: bytes) -> KernelRecipe:
    """Return this checkout's recipe, with the archive ``content`` as the ready kernel that it knows."""
    return dataclasses.replace(load_kernel_recipe(), archive_sha256=hashlib.sha256(content).hexdigest())


def test_a_ready_kernel_is_taken_whole_and_found(tmp_path: Path) -> None:
    archive, cache = tmp_path / "linux.xz", tmp_path / "cache"
    archive.write_bytes(lzma.compress(BINARY))
    recipe, stream = known(archive.read_bytes()), io.StringIO()
    assert kernel.find_kernel(cache) is None and not kernel.is_built(recipe, cache)
    with Progress(stream) as progress:
        taken = kernel.take_kernel(recipe, archive, cache, progress)
    assert "unpacking linux.xz ... taken\n" in stream.getvalue()
    assert kernel.find_kernel(cache) == taken == kernel.kernel_of(recipe, cache) and kernel.is_built(recipe, cache)
    assert taken.binary.read_bytes() == BINARY and os.access(taken.binary, os.X_OK)
    assert taken.builtin.read_text() == (KERNEL_DIR / "modules.builtin").read_text()
    assert (taken.release, taken.origin) == (recipe.release, "taken from linux.xz")
    assert sorted(path.name for path in cache.iterdir()) == sorted([taken.directory.name, f"{recipe.release}.lock"])


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    first, second, cache = tmp_path / "first.xz", tmp_path / "second.xz", tmp_path / "cache"
    first.write_bytes(lzma.compress(BINARY))
    second.write_bytes(lzma.compress(b"another"))
    with Progress(io.StringIO()) as progress:
        taken = kernel.take_kernel(known(first.read_bytes()), first, cache, progress)
        kernel.take_kernel(known(second.read_bytes()), second, cache, progress)
        # Nothing to build either, although this machine could not.
        kernel.build_kernel(known(b""), cache, progress, threading.Event())
    assert taken.binary.read_bytes() == BINARY and taken.origin == "taken from first.xz"


def test_the_identity_is_that_of_recipe_and_binary(tmp_path: Path) -> None:
    archive = tmp_path / "linux.xz"
    identities: list[str] = []
    for content, release in ((BINARY, "1"), (BINARY, "1"), (b"another", "1"), (BINARY, "2")):
        archive.write_bytes(lzma.compress(content))
        recipe = dataclasses.replace(known(archive.read_bytes()), release=release)
        with Progress(io.StringIO()) as progress:
            identities.append(kernel.take_kernel(recipe, archive, tmp_path / f"cache{len(identities)}", progress).identity)
    assert identities[0] == identities[1] and len(set(identities)) == 3


@pytest.mark.parametrize(
    ("content", "recipe", "message"),
    [
        pytest.param(
            lzma.compress(BINARY),
            load_kernel_recipe(),
            f"its SHA-256 is {hashlib.sha256(lzma.compress(BINARY)).hexdigest()}, and must be {load_kernel_recipe().archive_sha256}",
            id="checksum",
        ),
        pytest.param(BINARY, known(BINARY), "is not a whole .xz file", id="no xz"),
        pytest.param(lzma.compress(BINARY)[:-9], known(lzma.compress(BINARY)[:-9]), "is not a whole .xz file", id="cut off"),
        pytest.param(None, load_kernel_recipe(), "linux.xz: No such file or directory", id="absent"),
    ],
)
def test_any_other_archive_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes | None, recipe: KernelRecipe, message: str) -> None:
    archive, cache = tmp_path / "linux.xz", tmp_path / "cache"
    if content is not None:
        archive.write_bytes(content)
    with Progress(io.StringIO()) as progress, pytest.raises(LabError, match=message):
        kernel.take_kernel(recipe, archive, cache, progress)
    assert [path for path in cache.glob("*") if path.suffix != ".lock"] == []
    assert kernel.find_kernel(cache) is None


def test_the_verb_takes_a_kernel_and_tells_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "linux.xz"
    archive.write_bytes(lzma.compress(BINARY))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cli.main(["kernel", "--take", str(archive)]) == 1
    assert f"lab: {archive} is not the ready kernel" in capsys.readouterr().err
    recipe = known(archive.read_bytes())
    monkeypatch.setattr(kernel, "load_kernel_recipe", lambda: recipe)
    assert cli.main(["kernel", "--take", str(archive)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"kernel {recipe.release}, taken from linux.xz: {tmp_path}/cache/xuegao-net/kernels/")
    assert out.endswith("/linux (0.0 MB)\n")


# ---- the build -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An mmdebstrap that says what its file ``words`` holds, waits while there is a file ``wait``, and hands out what ``made`` holds."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "linux").write_bytes(BINARY)
    (tmp_path / "made" / "modules.builtin").write_text(load_kernel_recipe().builtin)
    (tmp_path / "made" / ".config").write_text("CONFIG_A=y\n")
    (tmp_path / "words").write_text("")
    (binaries / "mmdebstrap").write_text(
        f"""#!/bin/sh
cd {tmp_path}
printf '%s\\n' "$@" >arguments
echo "$TMPDIR" >temporary
touch "$TMPDIR/left"
cat words
while [ -e wait ]; do touch waiting; sleep 0.1; done
! grep -q lab-error words || {{ echo 'E: setup failed'; exit 1; }}
for word; do
    case "$word" in
        "--customize-hook=download "*) set -- $word; cp "made/${{2##*/}}" "$3" ;;
    esac
done
"""
    )
    (binaries / "mmdebstrap").chmod(0o755)
    keyring = tmp_path / "keyring"
    keyring.touch()
    monkeypatch.setattr(kernel, "KEYRING", keyring)
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    monkeypatch.setenv("XGN_DEBIAN_MIRROR", "http://mirror.example/debian")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / "cache"


def build_it(cache: Path, recipe: KernelRecipe, stop: threading.Event | None = None) -> str:
    stream = io.StringIO()
    with Progress(stream) as progress:
        kernel.build_kernel(recipe, cache, progress, stop or threading.Event())
    return stream.getvalue()


def test_a_build_shows_its_steps_and_is_kept(cache: Path) -> None:
    words = ["I: running", "lab-step: fetching the source", "dlstatus:1:43.61:Retrieving", "lab-step: compiling"]
    words += ["  CC      a.o", "  HOSTCC  b.o", "  LD      c.o", "  AS      d.o", "  CC      e.o"]
    (cache.parent / "words").write_text("\n".join(words) + "\n")
    recipe = dataclasses.replace(load_kernel_recipe(), objects=3)
    told = build_it(cache, recipe)
    steps = ["fetching the source", "fetching the source, 43 %", "compiling", *(f"compiling, {n} % of 3 files" for n in (33, 66, 100))]
    assert [line.split("  ")[-1] for line in told.splitlines()[1:-1]] == [f"{step} ..." for step in steps]
    assert told.endswith("compiling, 100 % of 3 files ... built\n")
    made = kernel.kernel_of(recipe, cache)
    assert (made.release, made.origin, made.binary.read_bytes()) == (recipe.release, "built here", BINARY)
    assert os.access(made.binary, os.X_OK) and made.builtin.read_text() == recipe.builtin
    assert (made.directory / "config").read_text() == "CONFIG_A=y\n"
    arguments = (cache.parent / "arguments").read_text()
    assert "--format=null" in arguments and f"\n{recipe.suite}\n" in arguments and "http://mirror.example/debian" in arguments
    assert not temporary_of(cache).exists()
    # A second time there is nothing to do.
    (cache.parent / "bin" / "mmdebstrap").unlink()
    assert build_it(cache, recipe) == ""


def temporary_of(cache: Path) -> Path:
    """Return what mmdebstrap had as TMPDIR."""
    return Path((cache.parent / "temporary").read_text().strip())


def only_the_lock(cache: Path) -> bool:
    """Tell whether a build has left nothing, in the cache and where mmdebstrap worked."""
    ran = (cache.parent / "temporary").exists()
    return [path.suffix for path in cache.iterdir()] == [".lock"] and not (ran and temporary_of(cache).exists())


def test_another_number_of_files_is_told(cache: Path) -> None:
    (cache.parent / "words").write_text("  CC      a.o\n")
    told = build_it(cache, dataclasses.replace(load_kernel_recipe(), objects=4))
    assert told.endswith("compiled 1 files; lab/kernels/recipe.yml says 4 ... built\n")


def test_what_the_scripts_say_is_the_error_and_nothing_is_left(cache: Path) -> None:
    (cache.parent / "words").write_text("lab-step: configuring\nlab-error: uml.patch does not fit\nmore\n")
    with pytest.raises(LabError) as caught:
        build_it(cache, load_kernel_recipe())
    assert str(caught.value) == f"kernel {load_kernel_recipe().release}: uml.patch does not fit"
    assert only_the_lock(cache)


def test_without_such_words_the_end_of_the_log_is_the_error(cache: Path) -> None:
    (cache.parent / "made" / "linux").unlink()
    (cache.parent / "bin" / "mmdebstrap").write_text("#!/bin/sh\necho 'make: *** [vmlinux] Error 1'\nexit 25\n")
    with pytest.raises(LabError, match=r"mmdebstrap failed with status 25; the end of its log:\nmake: \*\*\*"):
        build_it(cache, load_kernel_recipe())
    assert only_the_lock(cache)


def test_another_list_of_modules_is_refused_with_the_difference(cache: Path, tmp_path: Path, kernels: Path) -> None:
    made = load_kernel_recipe().builtin.splitlines(keepends=True)
    made[2:3] = ["kernel/new/one.ko\n", "kernel/new/two.ko\n"]
    (cache.parent / "made" / "modules.builtin").write_text("".join(made))
    with pytest.raises(LabError, match=r"another list of built-in modules than lab/kernels/modules\.builtin") as caught:
        build_it(cache, load_kernel_recipe())
    assert only_the_lock(cache)
    # The message is the remedy: it turns the committed list into the one that was made.
    (tmp_path / "lab").mkdir()
    kernels.rename(tmp_path / "lab" / "kernels")
    subprocess.run(["git", "apply"], cwd=tmp_path, input=caught.value.problems[1], text=True, check=True, capture_output=True)
    (tmp_path / "lab" / "kernels").rename(kernels)
    (cache.parent / "words").write_text("")
    build_it(cache, load_kernel_recipe(kernels))


def when_it_is_busy(cache: Path, act: Callable[[], object]) -> None:
    """Have the mmdebstrap of `cache` work for ever, and call ``act`` from another thread when it does."""
    (cache.parent / "wait").touch()

    def watch() -> None:
        while not (cache.parent / "waiting").exists():
            time.sleep(0.02)
        act()

    threading.Thread(target=watch, daemon=True).start()


def test_a_build_that_is_abandoned_leaves_nothing(cache: Path) -> None:
    stop = threading.Event()
    when_it_is_busy(cache, stop.set)
    with pytest.raises(LabError, match="interrupted"):
        build_it(cache, load_kernel_recipe(), stop)
    assert only_the_lock(cache)


def test_ctrl_c_leaves_nothing(cache: Path) -> None:
    when_it_is_busy(cache, _thread.interrupt_main)
    # A shell lets what it runs in the background ignore it.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            build_it(cache, load_kernel_recipe())
    finally:
        signal.signal(signal.SIGINT, former)
    assert only_the_lock(cache)


def test_what_the_controller_lacks_is_named_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache.parent / "keyring").unlink()
    (cache.parent / "bin" / "mmdebstrap").unlink()
    # What an ordinary user removes a directory of work with.
    for name in ("unshare", "rm"):
        (cache.parent / "bin" / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(cache.parent / "bin"))
    monkeypatch.setattr(kernel, "BUILD_DISK_MIB", 10**9)
    with pytest.raises(LabError) as caught:
        build_it(cache, load_kernel_recipe())
    text = str(caught.value)
    assert "mmdebstrap is missing; run tools/system-packages lab" in text
    assert "(package debian-archive-keyring) is missing" in text
    assert "1000000000 MiB are needed to build the kernel: make room, or set " in text
    assert only_the_lock(cache)


def test_a_killed_build_of_an_ordinary_user_is_removed_where_it_lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory of work says where mmdebstrap worked, and the next build removes both."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    killed = tmp_path / "cache" / ".building-x-old"
    killed.mkdir(parents=True)
    outside = build.temporary_directory(killed)
    (outside / "mmdebstrap.abc").mkdir()
    assert outside.parent == tmp_path and build.temporary_directory(killed) == outside
    with Progress(io.StringIO()) as progress:
        build.keep(tmp_path / "cache" / "x-new", "x", "x", lambda work, runner: (work / "result").mkdir(), progress, threading.Event())
    assert not outside.exists() and sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["x-new", "x.lock"]


# ---- the source ------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with an archive around it: apt-get and apt-cache that know one suite and one version of one package."""
    root = tmp_path / "root"
    for directory in ("etc/apt/sources.list.d", "build"):
        (root / directory).mkdir(parents=True)
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "apt-get").write_text(
        f"""#!/bin/sh
case "$*" in
    *indextargets*) echo http://mirror.example/debian/ bookworm main; echo http://mirror.example/security/ bookworm-security main ;;
    *update*) grep -q ' trixie-backports ' {root}/etc/apt/sources.list.d/source.list || {{ echo W: so; echo E: no Release file >&2; exit 100; }} ;;
    *download*) for word; do :; done; [ "$word" = linux-source-7.2=7.2.12-1 ] && printf source >linux-source-7.2_7.2.12-1_all.deb ;;
esac
"""
    )
    (binaries / "apt-cache").write_text(
        "#!/bin/sh\nprintf '%s | %s | %s\\n' linux-source-7.2 7.2.14-1 mirror linux-source-7.2 7.2.12-1 mirror\n"
    )
    for program in binaries.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    monkeypatch.setenv("MMDEBSTRAP_APT_CONFIG", "/dev/null")
    return root


def fetch(root: Path, **other: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "LAB_PACKAGE": "linux-source-7.2",
        "LAB_VERSION": "7.2.12-1",
        "LAB_SHA256": hashlib.sha256(b"source").hexdigest(),
        "LAB_SUITE": "bookworm",
        "LAB_SOURCE_SUITE": "trixie-backports",
    }
    command = ["sh", str(KERNEL_DIR / "fetch.sh"), str(root)]
    return subprocess.run(command, env=os.environ | settings | other, capture_output=True, text=True, check=False)


def test_the_source_is_fetched_from_the_archive_of_the_environment(archive: Path) -> None:
    result = fetch(archive)
    assert result.returncode == 0, result.stdout
    assert (archive / "build" / "source.deb").read_text() == "source"
    line = (archive / "etc/apt/sources.list.d/source.list").read_text()
    assert line == "deb http://mirror.example/debian/ trixie-backports main\n"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param(
            {"LAB_VERSION": "7.2.11-1"},
            "the archive does not hold linux-source-7.2 7.2.11-1 (any more); it has: 7.2.12-1 7.2.14-1. "
            "Remedy: take a ready kernel (python -m lab kernel --take FILE), or name an archive that holds it in XGN_DEBIAN_MIRROR, "
            "or put a version that is there into lab/kernels/recipe.yml.",
            id="version",
        ),
        pytest.param(
            {"LAB_SOURCE_SUITE": "gone-backports"},
            "the archive does not give the lists of gone-backports (E: no Release file). Remedy: ",
            id="suite",
        ),
        pytest.param(
            {"LAB_SHA256": "0" * 64},
            f"linux-source-7.2 7.2.12-1 has the SHA-256 {hashlib.sha256(b'source').hexdigest()}, and lab/kernels/recipe.yml says 0000",
            id="checksum",
        ),
        pytest.param({"LAB_SUITE": "sid"}, "apt does not tell which archive sid comes from", id="environment"),
    ],
)
def test_another_source_is_refused(archive: Path, other: dict[str, str], message: str) -> None:
    result = fetch(archive, **other)
    assert result.returncode == 1
    assert f"lab-error: {message}" in result.stdout
