"""Values go over as they are, exactly typed; nothing else comes back, whatever the bytes."""

from __future__ import annotations

import collections
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resect.tasks.sandbox import wire

KEYS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False) | st.binary()
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
VALUES = st.recursive(
    KEYS,
    lambda inner: st.lists(inner) | st.tuples(inner) | st.sets(KEYS) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)
PLAIN = {type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict,
         type(iter([])), wire.Thing}  # fmt: skip


@given(VALUES)
def test_a_plain_value_is_the_same_on_the_other_side(value):
    back = wire.decode(wire.encode(value))
    assert type(back) is type(value)
    assert back == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.0, 5e-324, complex(math.nan, -0.0)])
def test_a_float_is_the_same_to_the_last_bit(value):
    assert repr(wire.decode(wire.encode([value]))) == repr([value])


@given(st.binary() | st.text("NTFifcsbltSzdICo0123456789abcdef:-+. xp_").map(str.encode))
def test_any_bytes_are_plain_values_or_malformed(data):
    try:
        value = wire.decode(data)
    except wire.Malformed:
        return
    every = [value]
    for part in every:
        assert type(part) in PLAIN
        if type(part) is dict:
            every += [*part.keys(), *part.values()]
        elif type(part) in (list, tuple, set, frozenset):
            every += part


@given(VALUES, st.data())
def test_a_cut_message_is_malformed(value, data):
    whole = wire.encode(value)
    at = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(wire.Malformed):
        wire.decode(whole[:at])
    with pytest.raises(wire.Malformed):
        wire.decode(whole + whole)


def over(value):
    return wire.decode(wire.encode(value, strict=False))


def test_a_subclass_is_what_it_is_made_of():
    class Text(str):
        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    pair = collections.namedtuple("pair", "a b")
    for value, plain in [
        (Text("a"), "a"),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (pair(1, 2), (1, 2)),
        (bytearray(b"x"), b"x"),
    ]:
        assert type(over(value)) is type(plain)
        assert over(value) == plain
    assert over(Text("a")) != "b"


def test_what_is_no_plain_value_keeps_its_truth_and_its_parts():
    assert list(over(x * 2 for x in (1, 2))) == [2, 4]
    with pytest.raises(TypeError):
        len(over(iter([1])))
    for value in (range(3), collections.deque([0, 1, 2]), dict.fromkeys([0, 1, 2]).keys()):
        back = over(value)
        assert list(back) == [0, 1, 2]
        assert len(back) == 3
        assert 2 in back
        assert back
        assert back != [0, 1, 2]
    assert not over(range(0))
    assert over(object())
    with pytest.raises(TypeError):
        list(over(object()))
    endless = over(iter(int, 1))
    with pytest.raises(TypeError):
        next(endless)
    with pytest.raises(wire.Malformed, match="no plain value"):
        wire.encode([range(3)])


def test_what_is_too_deep_or_too_long_is_not_sent_or_read():
    deep: list[object] = []
    for _ in range(wire.DEEPEST):
        deep = [deep]
    assert wire.decode(wire.encode(deep)) == deep
    with pytest.raises(wire.Malformed, match="deep"):
        wire.encode([deep])
    with pytest.raises(wire.Malformed):
        wire.decode(b"l1:" * 10**6)
    with pytest.raises(wire.Malformed, match="long"):
        wire.encode(bytes(wire.LONGEST))
    big = 16**5000 + 1  # more digits than Python converts from decimal text
    assert over(big) == big
    assert math.isinf(over(math.inf))


def test_messages_through_a_pipe():
    reads, writes = os.pipe()
    wire.send(writes, wire.encode(("value", [1, 2])))
    assert wire.receive(reads) == ("value", [1, 2])
    os.write(writes, (wire.LONGEST + 1).to_bytes(8, "big"))
    with pytest.raises(wire.Malformed, match="long"):
        wire.receive(reads)
    os.write(writes, (5).to_bytes(8, "big") + b"i1")
    os.close(writes)
    with pytest.raises(wire.Gone):
        wire.receive(reads)
    os.close(reads)
    reads, writes = os.pipe()
    os.close(reads)
    with pytest.raises(wire.Gone):
        wire.send(writes, b"x")
    os.close(writes)
