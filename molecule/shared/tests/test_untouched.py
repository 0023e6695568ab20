"""What no role may do: change modes or owners of what was there before."""

from __future__ import annotations

from typing import Any

DIRECTORIES = ("/etc", "/opt", "/usr")


def modes(lines: list[str]) -> dict[str, tuple[str, str, str]]:
    """Return mode, user and group by path, from the output of ``find`` in shared/files/manifest.sh."""
    found = {}
    for line in lines:
        fields = line.split(" ", 5)
        if len(fields) == 6 and fields[5].startswith(DIRECTORIES):
            found[fields[5].split(" -> ")[0]] = (fields[0], fields[1], fields[2])
    return found


def test_modes_and_owners_of_the_bare_host_are_kept(host: Any) -> None:
    """Every path of the bare host that is still there has the mode and the owner it had."""
    before = modes(host.file("/root/bare").content_string.splitlines())
    find = host.run(f"find {' '.join(DIRECTORIES)} -printf '%%M %%U %%G %%s %%T@ %%p -> %%l\\n'")
    assert find.succeeded, find.stderr
    after = modes(find.stdout.splitlines())
    assert "/etc" in before
    assert "/usr/bin" in before
    changed = {path: (was, after[path]) for path, was in before.items() if path in after and after[path] != was}
    assert changed == {}


def test_no_unit_has_failed(host: Any) -> None:
    """No unit of the host is in state failed."""
    failed = host.run("systemctl --failed --no-legend --plain")
    assert failed.succeeded, failed.stderr
    assert failed.stdout == ""
