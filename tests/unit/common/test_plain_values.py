"""Values without what Ansible adds to them."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain


def test_plain_values() -> None:
    class Tagged(str):
        """A string as Ansible hands it over."""

        __slots__ = ()

    found = plain({Tagged("a"): (Tagged("b"), 1, None, True)})
    assert found == {"a": ["b", 1, None, True]}
    assert type(next(iter(found))) is str and type(found["a"][0]) is str
