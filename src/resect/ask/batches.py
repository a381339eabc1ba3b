"""Which prompts are read together: groups with a common beginning, batches, the token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from resect.errors import RunError

_FIRST = {"cpu": 4096, "cuda": 65536}  # measured in docs/asking.md; halved where it does not fit
_WORTH = 8192  # tokens that a group must save to get batches of its own


def first_budget(device: str) -> int:
    """The default number of padded tokens in a batch on a device."""
    return _FIRST.get(device.split(":")[0], 8192)


class Budget:
    """The most padded tokens in a batch: `tokens`, halved for good where memory runs out.

    `notice` gets one sentence each time.
    """

    def __init__(self, tokens: int, notice: Callable[[str], None] = lambda text: None) -> None:
        self.tokens = tokens
        self.notice = notice

    def halve_below(self, needed: int) -> None:
        """Halve until a batch of `needed` tokens is split."""
        while self.tokens >= needed:
            self.tokens //= 2
        if self.tokens < 1:
            raise RunError("a batch of one token does not fit into memory.")
        self.notice(f"memory ran out: batches of at most {self.tokens} tokens from here on.")


class Group(NamedTuple):
    """Rows whose first `shared` tokens are the same, to be read once for all of them."""

    rows: list[int]
    shared: int


def groups(ids: Sequence[list[int]], worth: int = _WORTH) -> list[Group]:
    """Rows by their common beginning, where reading it once saves at least `worth` tokens.

    Neighbours in sorted order stay together as long as that saves more (the examples of one
    subject). The remaining rows form one group if they share enough (one instruction for all);
    otherwise they share nothing. Each row keeps at least one token of its own, and is in one group.
    """
    order = sorted(range(len(ids)), key=lambda row: (ids[row], row))
    result, ungrouped = [], []
    for group in _neighbours(ids, order):
        if (len(group.rows) - 1) * group.shared >= worth:
            result.append(group)
        else:
            ungrouped += group.rows
    if ungrouped:
        shared = min(_common(ids[ungrouped[0]], ids[ungrouped[-1]]), len(ids[ungrouped[0]]) - 1)
        result.append(Group(ungrouped, shared if (len(ungrouped) - 1) * shared >= worth else 0))
    return [Group(sorted(group.rows), group.shared) for group in result]


def _neighbours(ids: Sequence[list[int]], order: list[int]) -> list[Group]:
    """Rows in sorted order, split where one more row would shorten the beginning too much."""
    result: list[Group] = []
    for row in order:
        rows, shared = result[-1] if result else ([], 0)
        common = min(shared, _common(ids[rows[-1]], ids[row])) if rows else 0
        if common and len(rows) * common >= (len(rows) - 1) * shared:
            result[-1] = Group([*rows, row], common)
        else:
            result.append(Group([row], len(ids[row]) - 1))
    return result


def _common(first: list[int], other: list[int]) -> int:
    """The length of the common beginning."""
    pairs = enumerate(zip(first, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(other)))


def plan_batches(rows: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """`rows` batched by length, longest first, with at most `tokens` padded tokens per batch.

    A longer row is a batch of its own.
    """
    batches: list[list[int]] = []
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        widest = lengths[batches[-1][0]] if batches else 0
        if batches and widest * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
