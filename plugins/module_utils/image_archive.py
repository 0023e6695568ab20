# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Image archives told apart by what is in them: C(docker save), an OCI layout, or a plain root file system.

C(docker load) takes a root file system without a word and makes nothing; C(docker import) takes the output of C(docker save) and makes an image
that cannot start. So the whole archive is read and checked before Docker sees a byte of it.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

BLOCK = 512  # tar(5)
CHUNK = 1 << 20
MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
# One of these at the top makes a tree a root file system: hier(7).
ROOT_DIRECTORIES = frozenset({"bin", "etc", "lib", "sbin", "usr"})
# Larger ones are layers; the others are read as JSON.
JSON_LIMIT = 8 << 20


class ArchiveError(Exception):
    """The file is no archive of an image, or a damaged one; the text says what is wrong with it."""


class Contents:
    """What a whole archive holds.

    kind: C(save), C(oci) or C(rootfs). compression: name, or None. sha256: of the file. image: the id of the image that loading makes, for C(save)
    and C(oci). manifest: for C(oci), the text of the C(manifest.json) that C(docker load) needs beside it.
    """

    def __init__(self, kind: str, compression: str | None, sha256: str, image: str | None = None, manifest: str | None = None) -> None:
        self.kind = kind
        self.compression = compression
        self.sha256 = sha256
        self.image = image
        self.manifest = manifest


def compression_of(path: str) -> str | None:
    """How a file is compressed, from its first bytes. Raises ArchiveError when it is empty."""
    with open(path, "rb") as stream:
        head = stream.read(8)
    if not head:
        raise ArchiveError("the file is empty")
    return next((name for magic, name in MAGIC if head.startswith(magic)), None)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The archive as plain tar. Raises ArchiveError for what cannot be decompressed here."""
    compression = compression_of(path)
    if compression == "zstd":
        program = shutil.which("zstd")
        if program is None:
            raise ArchiveError("it is compressed with zstd, and the program zstd is not installed: install it, or use gzip or xz")
        with subprocess.Popen([program, "--decompress", "--stdout", "--quiet", path], stdout=subprocess.PIPE) as process:
            if process.stdout is None:
                raise AssertionError("a pipe was asked for")
            yield process.stdout
            process.stdout.read()
        if process.returncode != 0:
            raise ArchiveError("it is truncated or damaged: zstd cannot decompress it")
        return
    openers: dict[str | None, Any] = {None: open, "gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}
    with openers[compression](path, "rb") as stream:
        yield stream


class _Tail(io.RawIOBase):
    """Passes reads on, remembers the last block and counts: the end of a tar file is told by its bytes only."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.size = 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.size += len(data)
        self.last = (self.last + data)[-BLOCK:]
        return data

    def readable(self) -> bool:
        return True


def sha256_of(path: str) -> str:
    """Hash of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def read_archive(path: str) -> Contents:
    """Read and check a whole archive.

    Raises:
        ArchiveError: it is no archive, truncated or damaged, or holds no image; the text says which.
        OSError: the file cannot be read.
    """
    compression = compression_of(path)
    small: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    tops: set[str] = set()
    try:
        with opened(path) as stream:
            tail = _Tail(stream)
            with tarfile.open(fileobj=tail, mode="r|", bufsize=CHUNK) as archive:
                for member in archive:
                    name = member.name.lstrip("./")
                    tops.add(name.partition("/")[0])
                    if member.isreg() and ("/" not in name or name.startswith("blobs/")):
                        _remember(archive, member, name, small, digests)
            while tail.read(CHUNK):
                pass
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ArchiveError("it is truncated or damaged: %s" % error) from error
    except tarfile.TarError as error:
        what = "it is truncated or damaged" if tops else "it is no tar archive"
        raise ArchiveError("%s: %s" % (what, error)) from error
    if not tops:
        raise ArchiveError("the archive is empty")
    # The end is two blocks of zeros; without them the archive was cut between two members.
    if tail.size % BLOCK or tail.last.strip(b"\0"):
        raise ArchiveError("it is truncated: the end of the archive is missing")
    sha256 = sha256_of(path)
    if "manifest.json" in small:
        return Contents("save", compression, sha256, _saved_image(small, digests, tops))
    if "oci-layout" in small:
        image, manifest = _oci_image(small, digests)
        return Contents("oci", compression, sha256, image, manifest)
    if not tops & ROOT_DIRECTORIES:
        raise ArchiveError(
            "it holds neither manifest.json (docker save) nor oci-layout (OCI) nor a root file system; at its top: %s"
            % ", ".join(sorted(tops)[:8])
        )
    return Contents("rootfs", compression, sha256)


def _remember(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, small: dict[str, bytes], digests: dict[str, str]) -> None:
    """Keep what may be JSON, and the digest of everything."""
    stream = archive.extractfile(member)
    if stream is None:
        raise AssertionError("only regular files are read")
    digest = hashlib.sha256()
    kept = b""
    for chunk in iter(lambda: stream.read(CHUNK), b""):
        digest.update(chunk)
        if member.size <= JSON_LIMIT:
            kept += chunk
    digests[name] = digest.hexdigest()
    if member.size <= JSON_LIMIT:
        small[name] = kept


def _json(small: dict[str, bytes], name: str) -> Any:
    if name not in small:
        raise ArchiveError("%s is missing: the archive is incomplete" % name)
    try:
        return json.loads(small[name].decode())
    except ValueError as error:
        raise ArchiveError("%s is damaged: %s" % (name, error)) from error


def _checked(digests: dict[str, str], name: str, wanted: str) -> None:
    if name not in digests:
        raise ArchiveError("%s is missing: the archive is incomplete" % name)
    if digests[name] != wanted:
        raise ArchiveError("%s is damaged: its SHA-256 is %s" % (name, digests[name]))


def _saved_image(small: dict[str, bytes], digests: dict[str, str], tops: set[str]) -> str:
    """The id of the one image of a C(docker save) archive."""
    manifest = _json(small, "manifest.json")
    if not isinstance(manifest, list) or len(manifest) != 1:
        found = len(manifest) if isinstance(manifest, list) else "no"
        raise ArchiveError("manifest.json names %s images, expected one: save one image an archive" % found)
    config = str(manifest[0].get("Config", ""))
    image = config.rpartition("/")[2].partition(".")[0]
    _checked(digests, config, image)
    for layer in manifest[0].get("Layers", []):
        if layer.startswith("blobs/"):
            _checked(digests, layer, layer.rpartition("/")[2])
        elif layer.partition("/")[0] not in tops:
            raise ArchiveError("%s is missing: the archive is incomplete" % layer)
    return "sha256:" + image


def _oci_image(small: dict[str, bytes], digests: dict[str, str]) -> tuple[str, str]:
    """The id of the one image of an OCI layout, and the manifest.json that describes it for C(docker load)."""

    def blob(digest: str) -> str:
        return "blobs/" + digest.replace(":", "/")

    entries = _json(small, "index.json").get("manifests", [])
    # An index may lead to another one, which has an entry for each platform.
    while len(entries) == 1 and "index" in entries[0].get("mediaType", ""):
        _checked(digests, blob(entries[0]["digest"]), entries[0]["digest"].partition(":")[2])
        entries = _json(small, blob(entries[0]["digest"])).get("manifests", [])
    entries = [item for item in entries if item.get("platform", {}).get("os", "linux") == "linux"]
    if len(entries) != 1:
        raise ArchiveError("index.json names %d images, expected one: save one image and one platform an archive" % len(entries))
    _checked(digests, blob(entries[0]["digest"]), entries[0]["digest"].partition(":")[2])
    manifest = _json(small, blob(entries[0]["digest"]))
    for item in [manifest["config"], *manifest["layers"]]:
        _checked(digests, blob(item["digest"]), item["digest"].partition(":")[2])
    description = [
        {"Config": blob(manifest["config"]["digest"]), "RepoTags": None, "Layers": [blob(item["digest"]) for item in manifest["layers"]]}
    ]
    return str(manifest["config"]["digest"]), json.dumps(description)


def plain_tar(path: str, contents: Contents) -> Iterator[bytes]:
    """The archive as plain tar, as Docker's API takes it, in pieces; an OCI layout with its manifest.json in front."""
    if contents.manifest is not None:
        data = contents.manifest.encode()
        header = tarfile.TarInfo("manifest.json")
        header.size = len(data)
        yield header.tobuf(tarfile.GNU_FORMAT) + data + b"\0" * (-len(data) % BLOCK)
    # Its one reader takes all of it, or dies with the process.
    with opened(path) as stream:  # pylint: disable=contextmanager-generator-missing-cleanup
        yield from iter(lambda: stream.read(CHUNK), b"")
