"""Build the HTML site in build/docs/html: README, guides, data model, decisions, roles, and every plugin from its documentation.

Usage: tools/build_site.py

The pages are those of the repository; a link to a page leads to that page of the site, and one to another file of the repository is left as
text. Modules, filters, plugins and roles are written by antsibull-docs from their specs. A warning of Sphinx, or a link of the finished pages
that leads nowhere, fails. Nothing is fetched.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "docs"
SOURCE = BUILD / "source"
HTML = BUILD / "html"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
# A table of contents inside the page, which the theme has beside it and refuses.
OWN_CONTENTS = re.compile(r"^\.\. contents::\n(?:   .*\n)*", re.MULTILINE)
# The name of the collection in capital letters that it does not have.
COLLECTION = "Modules, filters, plugins, roles"
COLLECTION_TITLE = re.compile(r"^Xuegao\.Net\n=+$", re.MULTILINE)
GUIDES = (
    "getting-started terms planner overrides adopt validation validation-rules verify troubleshooting filters maintenance life-cycle steering"
    " unmanaged-peers peering uplinks routes containers failover-test way-back network-managers rollout rights frr-from-source architecture lab testing"
).split()
CONTENTS = """
```{{toctree}}
:hidden:
:caption: {caption}
:maxdepth: 1

{entries}
```
"""


def pages() -> dict[str, str]:
    """Path in the repository to path in the site, of every page and picture."""
    found = {"README.md": "index.md"}
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.suffix in (".md", ".svg", ".png"):
            found[path.relative_to(ROOT).as_posix()] = path.relative_to(ROOT / "docs").as_posix()
    for path in sorted((ROOT / "roles").glob("*/README.md")):
        found[path.relative_to(ROOT).as_posix()] = f"roles/{path.parent.name}.md"
    for folder in ("docs/data-model", "docs/decisions"):
        found[folder] = found[f"{folder}/README.md"]
    for path in sorted((ROOT / "roles").iterdir()):
        found[f"roles/{path.name}"] = f"roles/{path.name}.md"
    found["docs"] = "index.md"
    return found


def moved(text: str, origin: str, known: dict[str, str]) -> str:
    """Return a page with its links as the site needs them; one that says but the name of a file gets the title of the page.

    Raises ValueError for a link that leads nowhere.
    """

    def link(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if not path or urlsplit(target).scheme:
            return match[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
        if there in known:
            words = title_of(there) if words == target else words
            return f"{mark}[{words}]({posixpath.relpath(known[there], posixpath.dirname(known[origin]) or '.')}{hash_}{anchor})"
        if not (ROOT / there).exists():
            raise ValueError(f"{origin}: {target} leads nowhere")
        return words

    return LINK.sub(link, text)


def title_of(page: str) -> str:
    """Return the title of a page of the repository, of a folder that of its README."""
    path = ROOT / page / "README.md" if (ROOT / page).is_dir() else ROOT / page
    title = HEADING.search(path.read_text(encoding="utf-8"))
    return title[1] if title else page


def contents() -> str:
    """Return the tables of contents of the front page; what has none of these places is a warning of Sphinx."""
    parts = {
        "Guides": GUIDES,
        "Reference": ["data-model/README", f"{COLLECTION} <collections/index>", "decisions/README"],
        "Roles": [path.name for path in sorted((ROOT / "roles").iterdir())],
    }
    parts["Roles"] = [f"roles/{name}" for name in parts["Roles"]]
    return "".join(CONTENTS.format(caption=caption, entries="\n".join(entries)) for caption, entries in parts.items())


def below(folder: str) -> str:
    """Return the hidden table of contents of a folder's own pages, in the order in which its README names them."""
    readme = (ROOT / "docs" / folder / "README.md").read_text(encoding="utf-8")
    names = [path.stem for path in (ROOT / "docs" / folder).glob("*.md") if path.stem != "README"]
    names.sort(key=lambda name: (readme.find(f"({name}.md"), name))
    return CONTENTS.format(caption=folder, entries="\n".join(names))


def lay_out() -> None:
    """Write the sources of the site."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    known = pages()
    for origin, target in known.items():
        path = ROOT / origin
        if not path.is_file():
            continue
        destination = SOURCE / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".md":
            shutil.copy(path, destination)
            continue
        text = moved(path.read_text(encoding="utf-8"), origin, known)
        if target == "index.md":
            text += contents()
        elif path.name == "README.md" and path.parent.parent.name == "docs":
            text += below(path.parent.name)
        destination.write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "docs" / "site" / "conf.py", SOURCE)
    (SOURCE / "_static").mkdir()
    shutil.copy(ROOT / "docs" / "site" / "site.css", SOURCE / "_static")


def run(*command: str) -> None:
    """Run a tool beside this interpreter; exits when it fails."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed")


class Links(HTMLParser):
    """Collects what a page links to, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read one tag."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            elif name in ("id", "name") and value and tag != "meta":
                self.anchors.add(value)


def dead_links(site: Path) -> list[str]:
    """Return every local link of the finished pages that leads nowhere."""
    found: dict[Path, Links] = {}
    for page in site.rglob("*.html"):
        found[page.resolve()] = Links()
        found[page.resolve()].feed(page.read_text(encoding="utf-8"))
    dead = []
    for page, links in found.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchor = unquote(parts.fragment)
            if not there.exists() or (anchor and there in found and anchor not in found[there].anchors):
                dead.append(f"{page.relative_to(site.resolve())}: {target}")
    return sorted(set(dead))


def main() -> int:
    """Build and check."""
    shutil.rmtree(HTML, ignore_errors=True)
    lay_out()
    collections = SOURCE / "collections"
    collections.mkdir(mode=0o755)
    run(
        *(
            "antsibull-docs",
            "--config-file",
            str(ROOT / "docs" / "site" / "antsibull-docs.cfg"),
            "collection",
            "--use-current",
            "--squash-hierarchy",
            "--fail-on-error",
            "--no-indexes",
        ),
        *("--no-breadcrumbs", "--dest-dir", str(collections), "xuegao.net"),
    )
    for page in collections.glob("*.rst"):
        page.write_text(OWN_CONTENTS.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")
    index = collections / "index.rst"
    index.write_text(COLLECTION_TITLE.sub(f"{COLLECTION}\n{'=' * len(COLLECTION)}", index.read_text(encoding="utf-8")), encoding="utf-8")
    run("sphinx-build", "-b", "html", "-W", "--keep-going", "-q", "-d", str(BUILD / "doctrees"), str(SOURCE), str(HTML))
    dead = dead_links(HTML)
    for line in dead:
        print(f"dead link: {line}", file=sys.stderr)
    print(f"{sum(1 for _ in HTML.rglob('*.html'))} pages: {(HTML / 'index.html').relative_to(ROOT)}")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
