"""Copy-on-write files of User Mode Linux: what is split is merged to the same bytes, and the layout is the kernel's own."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lab import cow
from lab.errors import LabError

SIZE = 1 << 22


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    path = tmp_path / "base.raw"
    with path.open("wb") as stream:
        stream.write(bytes(range(256)) * 512)
        stream.seek(3 << 20)
        stream.write(b"data" * 1024)
        stream.truncate(SIZE)
    return path


def changed(backing: Path, path: Path) -> Path:
    """A copy with changes of each kind: within data, to zeros, into a hole, at the very end."""
    path.write_bytes(backing.read_bytes())
    with path.open("r+b") as stream:
        for offset, data in ((700, b"changed"), (65536 - 3, b"across a chunk"), (2048, bytes(512)), (2 << 20, b"new"), (SIZE - 4, b"last")):
            stream.seek(offset)
            stream.write(data)
    return path


def test_split_and_merge_are_opposites(tmp_path: Path, backing: Path) -> None:
    raw, file = changed(backing, tmp_path / "disk.raw"), tmp_path / "disk.cow"
    cow.split(raw, backing, file)
    again = tmp_path / "again.raw"
    again.write_bytes(backing.read_bytes())
    cow.merge(file, again)
    assert again.read_bytes() == raw.read_bytes()


def test_only_blocks_that_differ_are_kept_and_each_as_a_whole(tmp_path: Path, backing: Path) -> None:
    file = tmp_path / "disk.cow"
    cow.split(changed(backing, tmp_path / "disk.raw"), backing, file)
    with file.open("rb") as stream:
        layout = cow.read_layout(stream, "x")
        stream.seek(layout.bitmap)
        bitmap = stream.read(layout.bitmap_bytes)
    numbers = [index * 8 + bit for index, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1]
    assert numbers == [8 * block + sector for block in (0, 15, 16, 512, SIZE // 4096 - 1) for sector in range(8)]
    assert file.stat().st_blocks * 512 < 1 << 18


def test_the_header_is_the_kernels(tmp_path: Path, backing: Path) -> None:
    """Offsets as arch/um/drivers/cow_user.c packs them: the kernel refuses a file whose backing file has another size or time."""
    file = tmp_path / "disk.cow"
    cow.split(backing, backing, file)
    data = file.read_bytes()
    assert data[:8] == b"OOOM\0\0\0\3"
    assert struct.unpack(">I", data[8:12])[0] == int(backing.stat().st_mtime)
    assert struct.unpack(">QIII", data[12:32]) == (SIZE, 512, 4096, 0)
    assert data[32 : 32 + 4096].rstrip(b"\0") == str(backing).encode()
    # The bitmap begins at the next multiple of the alignment, and so does the content behind it.
    assert not any(data[4128:])
    with file.open("rb") as stream:
        layout = cow.read_layout(stream, "x")
    assert (layout.bitmap, layout.bitmap_bytes, layout.content) == (8192, SIZE // 4096, 12288)


@pytest.mark.parametrize("content", [b"", b"QFI\xfb" + bytes(8192), struct.pack(">II", cow.MAGIC, 2) + bytes(8192)])
def test_another_file_is_refused(tmp_path: Path, backing: Path, content: bytes) -> None:
    file = tmp_path / "disk.cow"
    file.write_bytes(content)
    with pytest.raises(LabError, match="copy-on-write file"):
        cow.merge(file, backing)


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path, backing: Path) -> None:
    file = tmp_path / "disk.cow"
    cow.split(changed(backing, tmp_path / "disk.raw"), backing, file)
    with file.open("r+b") as stream:
        stream.truncate(12288 + 8192)
    with pytest.raises(LabError, match="ends before"):
        cow.merge(file, backing)
