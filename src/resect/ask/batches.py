"""Which prompts are read together: groups that begin alike, batches, and the token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from resect.errors import RunError

_FIRST = {"cpu": 4096, "cuda": 65536}  # measured in docs/asking.md; halved where it does not fit
_WORTH = 8192  # tokens that a group must save to be read apart, with batches of its own


def first_budget(device: str) -> int:
    """Padded tokens of a batch to start from on a device, where none are asked for."""
    return _FIRST.get(device.split(":")[0], 8192)


class Budget:
    """Padded tokens that a batch may have: `tokens`, halved for good where memory runs out.

    `notice` gets one sentence each time.
    """

    def __init__(self, tokens: int, notice: Callable[[str], None] = lambda text: None) -> None:
        self.tokens = tokens
        self.notice = notice

    def halve_below(self, needed: int) -> None:
        """Halve until a batch that needed so many tokens is split."""
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
    subject); what is left is tried as a whole (one instruction for all) and else shares nothing.
    A row always keeps a token of its own. Together the groups hold every row once.
    """
    order = sorted(range(len(ids)), key=lambda row: (ids[row], row))
    found, loose = [], []
    for group in _neighbours(ids, order):
        if (len(group.rows) - 1) * group.shared >= worth:
            found.append(group)
        else:
            loose += group.rows
    if loose:
        shared = min(_common(ids[loose[0]], ids[loose[-1]]), len(ids[loose[0]]) - 1)
        found.append(Group(loose, shared if (len(loose) - 1) * shared >= worth else 0))
    return [Group(sorted(group.rows), group.shared) for group in found]


def _neighbours(ids: Sequence[list[int]], order: list[int]) -> list[Group]:
    """Rows in sorted order, cut where one more row would shorten the beginning too much."""
    found: list[Group] = []
    for row in order:
        rows, shared = found[-1] if found else ([], 0)
        both = min(shared, _common(ids[rows[-1]], ids[row])) if rows else 0
        if both and len(rows) * both >= (len(rows) - 1) * shared:
            found[-1] = Group([*rows, row], both)
        else:
            found.append(Group([row], len(ids[row]) - 1))
    return found


def _common(one: list[int], other: list[int]) -> int:
    """How many first tokens are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def plan_batches(rows: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """`rows` grouped by length, longest first, each batch at most `tokens` padded tokens.

    A row that is longer than that is a batch of its own.
    """
    batches: list[list[int]] = []
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        widest = lengths[batches[-1][0]] if batches else 0
        if batches and widest * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
