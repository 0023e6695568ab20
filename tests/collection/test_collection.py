"""The collection as users get it: built, installed from its tarball, and clean by Ansible's own tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import ansible_test
import pytest

# ansible-test makes small virtual environments and downloads a script that puts pip into them. The one in its cache wins, so that a
# machine without that host needs none: the interpreter brings pip with it.
GET_PIP = """
import subprocess
import sys
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
# Options of the original script that pip itself does not know.
arguments = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", *arguments])
"""

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# Beside other stages, to which it gives way (tools/stages.py).
SANITY_SECONDS = 3000


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment and fail with its output."""
    values = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment}
    result = subprocess.run(
        command, cwd=cwd, env=values, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SANITY_SECONDS, check=False
    )
    assert result.returncode == 0, result.stdout
    return result


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built."""
    target = tmp_path_factory.mktemp("build")
    run("ansible-galaxy", "collection", "build", "--output-path", str(target), str(ROOT), cwd=ROOT)
    (built,) = target.glob("xuegao-net-*.tar.gz")
    return built


@pytest.fixture(scope="session")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of collections with only this one, installed without any server."""
    target = tmp_path_factory.mktemp("collections")
    # With the checkout on the path it counts as installed already.
    run(
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        # What it depends on comes with the package ansible here.
        "--no-deps",
        "--collections-path",
        str(target),
        str(tarball),
        cwd=target,
        ANSIBLE_COLLECTIONS_PATH=str(target),
    )
    return target


def test_tarball_holds_what_users_need_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        tops = {name.split("/")[0] for name in archive.getnames()}
    assert {"galaxy.yml", "README.md", "LICENSE", "roles", "plugins", "playbooks", "inventories", "meta", "requirements.txt"} <= tops | {
        "galaxy.yml"
    }
    assert not tops & {".venv", "build", ".collections", ".git", ".ci"}


@pytest.mark.parametrize("playbook", ["site", "on_prem", "cloud", "verify", "plan", "adopt", "assign_ids", "reboot"])
def test_playbooks_resolve_by_name_when_installed(installed: Path, playbook: str) -> None:
    run(
        "ansible-playbook",
        "--syntax-check",
        "--inventory",
        str(ROOT / "inventories" / "t1_t2"),
        f"xuegao.net.{playbook}",
        cwd=installed,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )


def test_ansible_test_sanity(installed: Path, tmp_path: Path) -> None:
    """Ansible's own tests, in the tree they insist on, with the tools of this virtual environment."""
    tree = tmp_path / "ansible_collections" / "xuegao" / "net"
    shutil.copytree(installed / "ansible_collections" / "xuegao" / "net", tree)
    for generated in ("MANIFEST.json", "FILES.json"):
        (tree / generated).unlink()
    shutil.copy(ROOT / "galaxy.yml", tree)
    # ansible-test asks git which files there are, and without a repository it looks at everything.
    run("git", "init", "--quiet", cwd=tree)
    run("git", "add", "--all", cwd=tree)
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    source = (Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    for pip in set(re.findall(r"pip='([\d.]+)'", source)):
        script = cache / f"get_pip_{pip.replace('.', '_')}.py"
        if not script.exists():
            script.write_text(GET_PIP, encoding="utf-8")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    run("ansible-test", "sanity", "--local", "--python", version, "--color", "no", cwd=tree)
