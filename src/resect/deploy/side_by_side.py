"""Rows asked side by side of a server, answers as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from resect.ask import Batch


def answered(rows: Iterable[int], slots: int, work: Callable[[int], Batch]) -> Iterator[Batch]:
    """What `work` makes of every row, `slots` at a time; what is not begun ends with the reader."""
    with ThreadPoolExecutor(slots) as pool:
        pending = [pool.submit(work, row) for row in rows]
        try:
            for done in as_completed(pending):
                yield done.result()
        finally:
            for task in pending:
                task.cancel()
