"""What the tests of events and of overrides share."""

from __future__ import annotations

import base64

from hypothesis import strategies as st

APPLY = '{"mode": "apply"}'

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
