"""The header of a GGUF file, read by gguf's own reader within limits: it may ask for anything.

gguf's reader goes on with empty values where a file ends, so that a length in a file of 100 bytes
could fill all memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from resect.errors import RequestError

MOST_ENTRIES = 2_000_000
"""Entries of all arrays in a header: the largest vocabularies and their merges have 1.3 million."""

MOST_NAMES = 100_000
"""Values and tensors that a header names at most."""


_MOST = {
    "block_count": 1000, "head_count": 1000, "head_count_kv": 1000, "expert_count": 10_000,
    "expert_used_count": 10_000, "embedding_length": 10_000_000, "feed_forward_length": 10_000_000,
    "expert_feed_forward_length": 10_000_000, "key_length": 10_000_000, "value_length": 10_000_000,
    "vocab_size": 10_000_000, "context_length": 100_000_000,
}  # fmt: skip
"""Last parts of the names of numbers that become objects or tensors, and the most of each."""


class _Within(gguf.GGUFReader):
    """A reader that ends where its file does, and refuses what no model has before it is read."""

    entries = 0

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        if offset + np.dtype(dtype).itemsize * int(count) > len(self.data):
            raise ValueError("it is cut short")
        return super()._get(offset, dtype, count, override_order)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        if raw_type == gguf.GGUFValueType.ARRAY:
            self.entries += int(self._get(orig_offs + 4, np.uint64)[0])
            if self.entries > MOST_ENTRIES:
                raise ValueError(f"its arrays have more than {MOST_ENTRIES:,} entries")
        return super()._get_field_parts(orig_offs, raw_type)

    def _build_fields(self, offs: int, count: int) -> int:
        return super()._build_fields(offs, _named(count))

    def _build_tensor_info(self, offs: int, count: int) -> Any:
        return super()._build_tensor_info(offs, _named(count))


def _named(count: int) -> int:
    if count > MOST_NAMES:
        raise ValueError(f"its header names {int(count):,} values or tensors")
    return int(count)


def read(path: Path) -> gguf.GGUFReader:
    """The header of a file and where its tensors are.

    Raises `RequestError` where it is damaged, or asks for more than any model has.
    """
    try:
        with np.errstate(over="ignore"):
            reader = _Within(path)
        asked = {
            name: reader.fields[name].contents()
            for name in reader.fields
            if name.rpartition(".")[2] in _MOST
        }
    except MemoryError:
        raise
    except Exception as error:  # broken files raise errors of many kinds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RequestError(
            f"{path} is no GGUF file that can be read ({reason:.200}): download it again."
        ) from None
    for name, values in asked.items():
        most = _MOST[name.rpartition(".")[2]]
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, int) or not 0 <= value <= most:
                raise RequestError(
                    f"{path} asks for {name}={value!r:.40}, and the most is {most:,}: download it "
                    "again."
                )
    return reader
