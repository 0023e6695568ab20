"""What the HTML site is laid out from: every page is in it, and links lead to pages of the site. Sphinx itself runs in `make docs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import build_site

ROOT = Path(__file__).resolve().parents[3]


def test_every_guide_is_in_the_table_of_contents() -> None:
    assert sorted(build_site.GUIDES) == sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


def test_links_of_every_page_are_rewritten() -> None:
    known = build_site.pages()
    for origin in known:
        if (ROOT / origin).suffix == ".md":
            build_site.moved((ROOT / origin).read_text(encoding="utf-8"), origin, known)


def test_a_link_becomes_what_the_site_has() -> None:
    known = build_site.pages()
    assert build_site.moved("[x](docs/planner.md#use)", "README.md", known) == "[x](planner.md#use)"
    assert build_site.moved("[x](../../docs/verify.md)", "roles/frr/README.md", known) == "[x](../verify.md)"
    assert build_site.moved("[frr](../roles/frr)", "docs/verify.md", known) == "[frr](roles/frr.md)"
    assert build_site.moved("[`a`](../Makefile)", "docs/verify.md", known) == "`a`"
    assert build_site.moved("[docs/terms.md](docs/terms.md)", "README.md", known) == "[Terms](terms.md)"
    assert build_site.moved("[docs/decisions](docs/decisions)", "README.md", known) == "[Decisions](decisions/README.md)"
    with pytest.raises(ValueError, match="leads nowhere"):
        build_site.moved("[x](none.md)", "docs/verify.md", known)


def test_a_dead_link_of_the_finished_pages_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#there">x</a><a href="b.html#gone">x</a><a href="c.html">x</a>', encoding="utf-8")
    (tmp_path / "b.html").write_text('<p id="there"><a href="https://example.org/">x</a></p>', encoding="utf-8")
    assert build_site.dead_links(tmp_path) == ["a.html: b.html#gone", "a.html: c.html"]
