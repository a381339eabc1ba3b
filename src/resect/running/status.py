"""The status of a run: its cells by how they ended, damage, and size. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from resect.report import formatting as text
from resect.running.folder import Run
from resect.store.health import Damaged, Health


@dataclass(frozen=True)
class Status:
    """Planned cells by how they ended; `done` includes degraded ones.

    `skipped` ones were not asked, since the verdict did not need them.

    `damaged` names the cells with answers that differ from what was written (None if not
    checked); `damage` is a sentence about everything that is wrong with the store. `bytes` is the
    size of the run folder.
    """

    run: str
    cells: int
    done: int
    degraded: int
    failed: int
    missing: int
    skipped: int
    answers: int
    bytes: int
    damaged: tuple[str, ...] | None = None
    damage: str | None = None


def status(run: Run, verify: bool = False) -> Status:
    """The status of a run; `verify` checks the whole store against its checksums.

    Raises `RequestError` if there is no run or nothing in it can be read.
    """
    if not verify:
        with run.reading(check=False) as store:
            return _status(run, store.progress(), store.count())
    try:
        with run.reading() as store:
            return _status(run, store.progress(), store.count(), Health())
    except Damaged as error:
        health = error.health
        return _status(run, health.ended, health.answers, health, str(error))


def _status(
    run: Run,
    ended: Mapping[str, int],
    answers: int,
    health: Health | None = None,
    damage: str | None = None,
) -> Status:
    degraded = ended.get("degraded", 0)
    return Status(
        run=str(run.path),
        cells=sum(ended.values()),
        done=ended.get("success", 0) + degraded,
        degraded=degraded,
        failed=ended.get("failed", 0),
        missing=ended.get("missing", 0),
        skipped=ended.get("skipped", 0),
        answers=answers,
        bytes=_size(run.path),
        damaged=None if health is None else health.cells,
        damage=damage,
    )


def kept(run: Run) -> str:
    """The part of a sentence that says what a stopped run has stored."""
    now = status(run)
    return f"{now.answers:,} answers in {now.done} of {now.cells} cells are kept in {now.run}"


def shown(now: Status) -> str:
    """The status as lines for a terminal."""
    cells = f"{now.done} of {now.cells} done ({now.degraded} degraded)"
    skipped = f", {now.skipped} not needed" if now.skipped else ""
    damaged = "not checked (--verify checks every checksum)"
    if now.damaged is not None:
        names = "".join(f"\n         {name}" for name in now.damaged)
        damaged = f"{len(now.damaged)} cells{names}"
    return "\n".join([
        f"cells    {cells}, {now.failed} failed, {now.missing} to go{skipped}",
        f"answers  {now.answers:,}",
        f"size     {text.size(now.bytes)}",
        f"damaged  {damaged}",
    ])  # fmt: skip


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
