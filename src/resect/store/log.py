"""The write-ahead log beside a store: whether its end is lost."""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER, _FRAME = 32, 24


def cut_off(path: Path) -> bool:
    """Whether the log of `path` holds more than SQLite takes from it: the end of a write that was
    cut off, or what lies behind damage.

    Asked while this process has a connection that has read, and nobody writes. The formats are
    those of https://sqlite.org/walformat.html.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or not log.stat().st_size:
        return False
    with log.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER or not _is_header(header):
            return True
        size = struct.unpack(">I", header[8:12])[0] + _FRAME
        number = _taken(path.with_name(f"{path.name}-shm"))
        while True:
            file.seek(_HEADER + number * size)
            frame = file.read(size)
            if not frame:
                return False
            # frames of an earlier use of the log lie behind: both halves of their salt differ
            if len(frame) < size or frame[8:12] == header[16:20] or frame[12:16] == header[20:24]:
                return True
            number += 1


def _is_header(header: bytes) -> bool:
    """Whether the log's header has the checksum that it says."""
    magic = struct.unpack(">I", header[:4])[0]
    order = ">" if magic & 1 else "<"
    words = struct.unpack(f"{order}6I", header[:24])
    low = high = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        low = (low + first + high) & 0xFFFFFFFF
        high = (high + second + low) & 0xFFFFFFFF
    return magic & ~1 == 0x377F0682 and struct.unpack(">2I", header[24:]) == (low, high)


def _taken(index: Path) -> int:
    """Frames of the log that SQLite reads, as the index beside it says; 0 without one."""
    if not index.is_file():
        return 0
    with index.open("rb") as file:
        header = file.read(20)
    return int(struct.unpack("=I", header[16:20])[0]) if len(header) == 20 else 0
