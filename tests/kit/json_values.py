"""Values as JSON and TOML hold them, for hypothesis: nested, with the depth written out."""

from __future__ import annotations

from hypothesis import strategies as st

_DEPTH = 3


def nested(scalars: st.SearchStrategy[object], keys: st.SearchStrategy[str], size: int) -> st.SearchStrategy[object]:
    """Draw scalars, and lists and tables of them up to three levels deep.

    ``st.recursive`` draws the same, but now and then takes such an ``extend`` for one that ignores its
    argument and warns, which is an error here.
    """
    level = scalars
    for _ in range(_DEPTH):
        level = scalars | st.lists(level, max_size=size) | st.dictionaries(keys, level, max_size=size)
    return level
