"""The copy-on-write files of User Mode Linux: a header, a bitmap of the sectors written, and their content.

Format: arch/um/drivers/cow_user.c in Linux, version 3. Numbers are big-endian; the bitmap counts from the lowest bit of each byte.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lab.errors import LabError

MAGIC = 0x4F4F4F4D
VERSION = 3
# magic, version, the backing file's time, its size, bytes a sector, bytes to which bitmap and content are aligned, "format"; then the backing
# file's path.
HEADER = struct.Struct(">IIIQIII")
PATH_BYTES = 4096
SECTOR = 512
ALIGNMENT = 4096
# What is kept as a whole, bytes: the file system's own block. The kernel never makes a file where a block is here and there, and misreads one.
BLOCK = 4096
# What is compared and copied at once, bytes; a whole number of sectors of every file.
CHUNK = 65536


@dataclass(frozen=True)
class Layout:
    """Where things are in a copy-on-write file for a disk of so many bytes."""

    size: int
    sector: int
    alignment: int

    @property
    def bitmap(self) -> int:
        """Offset of the bitmap."""
        return -(-(HEADER.size + PATH_BYTES) // self.alignment) * self.alignment

    @property
    def bitmap_bytes(self) -> int:
        """Length of the bitmap."""
        return -(-self.size // (8 * self.sector))

    @property
    def content(self) -> int:
        """Offset of sector 0; sector n lies n sectors behind it."""
        return -(-(self.bitmap + self.bitmap_bytes) // self.alignment) * self.alignment


def read_layout(stream: BinaryIO, name: str) -> Layout:
    """Return the layout of the copy-on-write file ``stream``.

    Raises:
        LabError: it is none, or of another version.
    """
    stream.seek(0)
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        raise LabError(f"{name} is too short for a copy-on-write file")
    magic, version, _, size, sector, alignment, _ = HEADER.unpack(header)
    if (magic, version) != (MAGIC, VERSION):
        raise LabError(f"{name} is no copy-on-write file of version {VERSION}")
    return Layout(size, sector, alignment)


def merge(cow: Path, raw: Path) -> None:
    """Write every sector that ``cow`` holds to its place in ``raw``, a copy of the backing file.

    Raises:
        LabError: ``cow`` is no copy-on-write file.
    """
    with cow.open("rb") as source, raw.open("r+b") as target:
        layout = read_layout(source, str(cow))
        source.seek(layout.bitmap)
        bitmap = source.read(layout.bitmap_bytes)
        for first, count in _runs(bitmap):
            offset, left = first * layout.sector, count * layout.sector
            source.seek(layout.content + offset)
            target.seek(offset)
            while left:
                data = source.read(min(left, CHUNK))
                if not data:
                    raise LabError(f"{cow} ends before the content that its bitmap promises")
                target.write(data)
                left -= len(data)


def split(raw: Path, backing: Path, cow: Path) -> None:
    """Write what ``raw`` has other than ``backing`` to ``cow``, a new copy-on-write file; the opposite of `merge`."""
    layout = Layout(raw.stat().st_size, SECTOR, ALIGNMENT)
    bitmap = bytearray(layout.bitmap_bytes)
    with raw.open("rb") as source, backing.open("rb") as base, cow.open("wb") as target:
        for offset, end in _written(source, base, layout.size):
            while offset < end:
                length = min(CHUNK, end - offset)
                source.seek(offset)
                base.seek(offset)
                new, old = source.read(length), base.read(length)
                if new != old:
                    _write_blocks(target, layout, bitmap, offset, new, old)
                offset += length
        path = os.fsencode(backing)
        stat = backing.stat()
        target.seek(0)
        target.write(HEADER.pack(MAGIC, VERSION, int(stat.st_mtime), layout.size, SECTOR, ALIGNMENT, 0))
        target.write(path)
        target.seek(layout.bitmap)
        target.write(bitmap)
        target.truncate(layout.content + layout.size)


def _write_blocks(target: BinaryIO, layout: Layout, bitmap: bytearray, offset: int, new: bytes, old: bytes) -> None:
    for start in range(0, len(new), BLOCK):
        block = new[start : start + BLOCK]
        if block != old[start : start + BLOCK]:
            for number in range((offset + start) // SECTOR, (offset + start + len(block)) // SECTOR):
                bitmap[number // 8] |= 1 << number % 8
            target.seek(layout.content + offset + start)
            target.write(block)


def _runs(bitmap: bytes) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of each run of bits that are set."""
    first: int | None = None
    for index, byte in enumerate(bitmap):
        if byte == 0 and first is None:
            continue
        for bit in range(8):
            number = index * 8 + bit
            if byte >> bit & 1:
                first = number if first is None else first
            elif first is not None:
                yield first, number - first
                first = None
    if first is not None:
        yield first, len(bitmap) * 8 - first


def _written(one: BinaryIO, other: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end), whole chunks but for the last, of every place where one of two sparse files has data."""
    chunks = sorted({chunk for stream in (one, other) for chunk in _data_chunks(stream, size)})
    for chunk in chunks:
        yield chunk * CHUNK, min((chunk + 1) * CHUNK, size)


def _data_chunks(stream: BinaryIO, size: int) -> Iterator[int]:
    position = 0
    while position < size:
        try:
            start = os.lseek(stream.fileno(), position, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole from here on
            return
        position = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
        yield from range(start // CHUNK, -(-position // CHUNK))
