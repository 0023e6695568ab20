"""What the lab finds out about the controller: mirror, versions, memory; and how it shows progress."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lab import mirror, preflight, qemu
from lab.errors import LabError
from lab.progress import Progress

SAMPLE = """\
http://vendor.example/apt/|Vendor|Vendor|main
http://mirror.example/debian-security/|Debian|Debian-Security|main
http://mirror.example/debian/|Debian|Debian Backports|main
cdrom:[Debian]/|Debian|Debian|main
http://mirror.example/debian/|Debian|Debian|contrib
http://mirror.example/debian/|Debian|Debian|main
"""


def test_the_main_archive_is_told_from_security_vendors_and_media() -> None:
    assert mirror.parse_index_targets(SAMPLE) == "http://mirror.example/debian/"


def test_before_the_first_update_the_path_decides() -> None:
    text = "http://mirror.example/debian-security|||main\nhttps://mirror.example/some/debian/|||main\n"
    assert mirror.parse_index_targets(text) == "https://mirror.example/some/debian/"


@pytest.mark.parametrize("text", ["", "\n", "http://archive.example/ubuntu/|Ubuntu|Ubuntu|main\n", "garbage\n"])
def test_no_debian_archive_leaves_the_choice_to_mmdebstrap(text: str) -> None:
    assert mirror.parse_index_targets(text) is None


def test_the_environment_overrules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XGN_DEBIAN_MIRROR", "http://chosen.example/debian")
    assert mirror.debian_mirror() == "http://chosen.example/debian"


def test_a_controller_without_apt_has_neither_mirror_nor_policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XGN_DEBIAN_MIRROR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mirror.debian_mirror() is None
    assert mirror.apt_policy() == []


def test_only_settings_that_are_set_are_taken_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "apt-config"
    fake.write_text(
        "#!/bin/sh\n"
        """printf '%s\\n' 'Acquire::http::Proxy "http://proxy.example:3128";' 'Acquire::https::Proxy "";' 'Other "x";'\n"""
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert mirror.apt_policy() == ['Acquire::http::Proxy "http://proxy.example:3128";']


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", (7, 2)),
        ("QEMU emulator version 10.0.2", (10, 0)),
        ("nothing", None),
    ],
)
def test_qemu_version(text: str, version: tuple[int, int] | None) -> None:
    assert preflight.qemu_version(text) == version


def test_memory_counts_machines_overhead_and_margin() -> None:
    needed = 768 + 1024 + 2 * preflight.VM_OVERHEAD_MIB + preflight.MEMORY_MARGIN_MIB
    assert preflight.memory_problems([768, 1024], needed) == []
    (problem,) = preflight.memory_problems([768, 1024], needed - 1)
    assert f"{needed - 1} MiB of memory are available, {needed} MiB are needed for 2 machines" in problem
    assert preflight.memory_problems([], 0) == []
    assert preflight.available_memory_mib("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n") == 2048


def test_everything_lacking_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "qemu-system-x86_64"
    old.write_text("#!/bin/sh\necho QEMU emulator version 6.2.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{tmp_path}")
    monkeypatch.setattr(preflight, "_which", lambda name: str(old) if name == qemu.PROGRAM else None)
    with pytest.raises(LabError) as caught:
        preflight.check([10**9], 1, tmp_path / "no" / "cache", tmp_path, 1)
    text = str(caught.value)
    for name in ("qemu-img", "ssh", "ssh-keygen", "mmdebstrap", "mke2fs", "zstd"):
        assert text.count(f"{name} is missing; run tools/system-packages lab") == 1
    assert "qemu-system-x86_64 is 6.2; at least 7.2 is needed" in text
    assert "MiB of memory are available" in text


def test_tools_for_building_are_not_asked_for_when_nothing_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "_which", lambda name: None if name in preflight.BUILD_PROGRAMS + preflight.ARCHIVE_PROGRAMS else name)
    # Without any qemu on the PATH there is no version to judge either.
    monkeypatch.setenv("PATH", str(tmp_path))
    preflight.check([], 0, tmp_path, tmp_path)


def test_qemu_is_not_asked_for_where_user_mode_linux_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "_which", lambda name: None if name in (*preflight.QEMU_PROGRAMS, "vde_plug") else name)
    with pytest.raises(LabError) as caught:
        preflight.check([], 0, tmp_path, tmp_path, accelerator="uml")
    assert str(caught.value) == "vde_plug is missing; run tools/system-packages lab"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_plain_lines_without_a_terminal() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.step("T1", "booting")
        progress.step("T1", "booting")
        progress.done("T1", "ssh answers")
        progress.done("lab", "up")
    assert stream.getvalue() == "[    0 s] T1  booting ...\n[    0 s] T1  booting ... ssh answers\n[    0 s] lab  up\n"


def test_progress_updates_in_place_on_a_terminal() -> None:
    stream = Terminal()
    with Progress(stream) as progress:
        progress.step("T1", "booting")
        progress.step("T2", "booting")
        progress.done("T1", "ssh answers")
    # Two lines stood there; they are erased, the finished one is written for good, the other drawn again.
    assert "\x1b[2A\x1b[J[    0 s] T1  booting ... ssh answers\n[    0 s] T2  booting ...\n" in stream.getvalue()
