"""Values between two processes that do not trust each other: plain builtin types as bytes.

Imported behind the walls, so it imports nothing that is slow to load. A value is a tag, a length in
hexadecimal, a colon and its text or parts. What is read has exactly the builtin type of its tag:
no class, method or `__eq__` of the sender comes along.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

LONGEST = 16 << 20
"""Bytes of one message."""
DEEPEST = 100
"""Containers in containers."""
MOST = 1 << 20
"""Parts of what is iterated to be sent."""


class Malformed(Exception):
    """What was read is no value, or what is to be sent cannot be one."""


class Gone(Exception):
    """The other side has closed its end."""


class Thing:
    """An object that stayed with the sender: whether it was true, and its parts if it had any.

    It equals nothing but itself.
    """

    def __init__(self, true: bool, parts: list[object] | None = None) -> None:
        self._true, self._parts = true, parts

    def __bool__(self) -> bool:
        return self._true

    def __len__(self) -> int:
        return len(self._known())

    def __iter__(self) -> Iterator[object]:
        return iter(self._known())

    def _known(self) -> list[object]:
        if self._parts is None:
            raise TypeError("an object without parts")
        return self._parts


# ── sending ─────────────────────────────────────────────────────────────────────────────────────


def encode(value: object, strict: bool = True) -> bytes:
    """The bytes of a value. `Malformed` for what has no plain type; if not `strict`, a `Thing`."""
    out: list[bytes] = []
    _encode(value, out, strict, 0)
    data = b"".join(out)
    if len(data) > LONGEST:
        raise Malformed("too long")
    return data


def _encode(value: object, out: list[bytes], strict: bool, depth: int) -> None:
    if depth > DEEPEST:
        raise Malformed("too deep")
    text = _text(value)
    if text is not None:
        out += (b"%c%x:" % (text[0], len(text) - 1), text[1:])
        return
    tag, parts = _parts(value)
    if not tag:
        if strict:
            raise Malformed(f"{type(value).__name__} is no plain value")
        tag, parts = _foreign(value)
    out.append(b"%c%x:" % (ord(tag), len(parts)))
    for part in parts:
        _encode(part, out, strict, depth + 1)


def _text(value: object) -> bytes | None:
    """Tag and text of a value without parts."""
    if value is None or value is True or value is False:
        return {None: b"N", True: b"T", False: b"F"}[value]
    if isinstance(value, int):
        return b"i%x" % value
    if isinstance(value, float):
        return b"f" + float.hex(value).encode()
    if isinstance(value, complex):
        return b"c" + f"{value.real.hex()} {value.imag.hex()}".encode()
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return b"b" + value
    return None


def _parts(value: object) -> tuple[str, list[object]]:
    """Tag and parts of a plain container; a subclass counts as what it is made of."""
    if isinstance(value, dict):
        return "d", [part for pair in value.items() for part in pair]
    for tag, kind in (("l", list), ("t", tuple), ("S", set), ("z", frozenset)):
        if isinstance(value, kind):
            return tag, list(value)
    return "", []


def _foreign(value: object) -> tuple[str, list[object]]:
    """Tag and parts of an iterator, of another collection, or of an object."""
    if not hasattr(value, "__iter__"):
        return "o", [bool(value)]
    parts: list[object] = []
    for part in value:
        parts.append(part)
        if len(parts) > MOST:
            return "o", [True]
    if hasattr(value, "__next__"):
        return "I", parts
    return "C", [bool(value), *parts]


# ── reading ─────────────────────────────────────────────────────────────────────────────────────


def decode(data: bytes) -> Any:
    """The value of `data`, all of it; `Malformed` for any other bytes."""
    try:
        value, at = _decode(data, 0, 0)
    except (ValueError, TypeError, IndexError, ArithmeticError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if at != len(data):
        raise Malformed("bytes left over")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[object, int]:
    colon = data.index(b":", at, at + 10)
    tag, count = chr(data[at]), int(data[at + 1 : colon], 16)
    at = colon + 1
    if tag in _TEXTS:
        text = data[at : at + count]
        if len(text) != count:
            raise Malformed("cut short")
        return _TEXTS[tag](text), at + count
    if tag not in _CONTAINERS or not 0 <= count <= len(data) or depth > DEEPEST:
        raise Malformed(f"no value: {tag}")
    parts = []
    for _ in range(count):
        part, at = _decode(data, at, depth + 1)
        parts.append(part)
    return _CONTAINERS[tag](parts), at


def _complex(text: bytes) -> complex:
    real, imaginary = text.decode().split(" ")
    return complex(float.fromhex(real), float.fromhex(imaginary))


def _dict(parts: list[object]) -> object:
    return dict(zip(parts[::2], parts[1::2], strict=True))


_TEXTS: dict[str, Callable[[bytes], object]] = {
    "N": lambda text: None,
    "T": lambda text: True,
    "F": lambda text: False,
    "i": lambda text: int(text, 16),
    "f": lambda text: float.fromhex(text.decode()),
    "c": _complex,
    "s": lambda text: text.decode("utf-8", "surrogatepass"),
    "b": bytes,
}
_CONTAINERS: dict[str, Callable[[list[object]], object]] = {
    "l": list,
    "t": tuple,
    "S": set,
    "z": frozenset,
    "d": _dict,
    "I": iter,
    "C": lambda parts: Thing(parts[0] is True, parts[1:]),
    "o": lambda parts: Thing(parts[0] is True),
}


# ── pipes ───────────────────────────────────────────────────────────────────────────────────────


def send(pipe: int, data: bytes) -> None:
    """Write one message; `Gone` if nobody reads."""
    left = memoryview(len(data).to_bytes(8, "big") + data)
    try:
        while left:
            left = left[os.write(pipe, left) :]
    except BrokenPipeError:
        raise Gone from None


def receive(pipe: int) -> Any:
    """The value of the next message; `Gone` at the end."""
    size = int.from_bytes(_exactly(pipe, 8), "big")
    if size > LONGEST:
        raise Malformed("too long")
    return decode(_exactly(pipe, size))


def _exactly(pipe: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = os.read(pipe, min(size - len(data), 1 << 16))
        if not more:
            raise Gone
        data += more
    return bytes(data)
