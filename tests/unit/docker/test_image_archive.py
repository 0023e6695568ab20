"""Archives of images, made here, are told apart by content, and a damaged one is refused with the reason."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils.image_archive import ArchiveError, plain_tar, read_archive

LAYER = b"a layer" * 4000


def tar_of(files: dict[str, bytes]) -> bytes:
    """Return an uncompressed archive of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def rootfs() -> dict[str, bytes]:
    return {"./etc/hostname": b"router\n", "./usr/bin/true": b"\x7fELF" + bytes(3000), "./manifest": b"no manifest.json"}


def saved() -> dict[str, bytes]:
    config = json.dumps({"architecture": "amd64", "rootfs": {"type": "layers"}}).encode()
    manifest = [{"Config": f"{digest(config)}.json", "RepoTags": ["router:1"], "Layers": ["0123/layer.tar"]}]
    return {"0123/layer.tar": LAYER, f"{digest(config)}.json": config, "manifest.json": json.dumps(manifest).encode()}


def oci() -> dict[str, bytes]:
    config = json.dumps({"architecture": "amd64"}).encode()
    manifest = json.dumps(
        {"config": {"digest": f"sha256:{digest(config)}"}, "layers": [{"digest": f"sha256:{digest(LAYER)}", "size": len(LAYER)}]}
    ).encode()
    index = {"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{digest(manifest)}"}]}
    blobs = {f"blobs/sha256/{digest(data)}": data for data in (config, manifest, LAYER)}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "--quiet"], input=data, capture_output=True, check=True).stdout


COMPRESSIONS: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
}
KINDS = {"rootfs": rootfs, "save": saved, "oci": oci}


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_told_apart_by_content(tmp_path: Path, kind: str, compression: str | None) -> None:
    if compression == "zstd" and shutil.which("zstd") is None:
        pytest.skip("the program zstd is not installed")
    path = tmp_path / "image"
    data = tar_of(KINDS[kind]())
    path.write_bytes(COMPRESSIONS[compression](data))
    contents = read_archive(str(path))
    assert (contents.kind, contents.compression, contents.sha256) == (kind, compression, digest(path.read_bytes()))
    sent = b"".join(plain_tar(str(path), contents))
    if kind != "oci":
        assert sent == data
        return
    with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
        stream = archive.extractfile("manifest.json")
        assert stream is not None
        (entry,) = json.loads(stream.read())
        assert {entry["Config"], *entry["Layers"]} < set(archive.getnames())
    assert sent.endswith(data)


def test_id_of_what_will_be_loaded(tmp_path: Path) -> None:
    for kind, files in (("save", saved()), ("oci", oci())):
        path = tmp_path / kind
        path.write_bytes(tar_of(files))
        config = next(data for data in files.values() if data.startswith(b'{"architecture"'))
        assert read_archive(str(path)).image == f"sha256:{digest(config)}"


def without(files: dict[str, bytes], name: str | None = None) -> dict[str, bytes]:
    gone = name or max(files, key=lambda key: len(files[key]))
    return {key: data for key, data in files.items() if key != gone}


def damaged(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data.replace(b"a layer", b"a lAyer") for name, data in files.items()}


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "the file is empty"),
    "no tar": (b"not an archive at all" * 100, "it is no tar archive"),
    "empty tar": (tar_of({}), "the archive is empty"),
    "cut in a member": (tar_of(rootfs())[:2000], "it is truncated or damaged"),
    "cut between members": (tar_of(rootfs())[:1024], "the end of the archive is missing"),
    "cut gzip": (gzip.compress(tar_of(rootfs()), 1)[:-20], "it is truncated or damaged"),
    "damaged gzip": (gzip.compress(tar_of(rootfs()))[:-8] + bytes(8), "it is truncated or damaged"),
    "cut xz": (lzma.compress(tar_of(rootfs()))[:-20], "it is truncated or damaged"),
    "cut bzip2": (bz2.compress(tar_of(rootfs()))[:-10], "it is truncated or damaged"),
    "something else": (
        tar_of({"holiday/photo.jpg": b"x"}),
        "neither manifest.json (docker save) nor oci-layout (OCI) nor a root file system",
    ),
    "saved, layer missing": (tar_of(without(saved())), "0123/layer.tar is missing"),
    "saved, no JSON": (tar_of({**saved(), "manifest.json": b"[{"}), "manifest.json is damaged"),
    "saved, two images": (
        tar_of({**saved(), "manifest.json": json.dumps(json.loads(saved()["manifest.json"]) * 2).encode()}),
        "names 2 images",
    ),
    "OCI, layer missing": (tar_of(without(oci())), "is missing: the archive is incomplete"),
    "OCI, layer damaged": (tar_of(damaged(oci())), "is damaged: its SHA-256 is"),
    "OCI, no index": (tar_of(without(oci(), name="index.json")), "index.json is missing"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_archive_is_refused(tmp_path: Path, case: str) -> None:
    data, words = BROKEN[case]
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="(?i)" + re.escape(words)):
        read_archive(str(path))
