"""Flip bits in a run's store, cut it short, and count what a reader makes of it.

Every trial damages a copy in one place and reads all that findings are made of. It must come to
the same values or to one sentence: other values without a word, and tracebacks, are failures.
What `resect run` would go on from (the store as it is mended) may hold nothing but true rows.

    python tools/fuzz/store.py --flips 5000 --cuts 500
    python tools/fuzz/store.py --run runs/demo --json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from resect.errors import RequestError, RunError
from resect.record import Answer, CellResult, Item, Measurement, RawAnswer, Reading, TaskInfo
from resect.store.sqlite import Store

MAIN = "results.sqlite"
TABLES = (
    "models", "tasks", "items", "item_sets", "cells", "answers", "likely", "measurements", "plan",
    "judgements", "facts",
)  # fmt: skip
JUDGE = {"model": "judge", "protocol": "p"}


class Trial(NamedTuple):
    """One damage and what came of it: `same`, `sentence`, `silent` or `traceback`."""

    file: str
    kind: str
    place: int
    bit: int
    reading: str
    writing: str
    said: str


def filled(folder: Path, items: int = 40, levels: int = 4) -> Path:
    """A finished run of two models, two tasks and some levels, without a model; its folder."""
    with Store(folder / MAIN) as store:
        fill(store, items, levels)
    return folder


def fill(store: Store, items: int, levels: int) -> None:
    """Put a whole run into a store, as a run does: the study first, then cell by cell."""
    tasks = {name: _task(name) for name in ("triage", "dose")}
    asked = {name: [_item(name, n) for n in range(items)] for name in tasks}
    plan = [
        _cell(model, role, level / 10, name, asked[name])
        for model, role in (("special", "specialist"), ("general", "base"))
        for level in range(levels)
        for name in tasks
    ]
    models = [{"name": "special", "role": "specialist"}, {"name": "general", "role": "base"}]
    facts = {"study": {"name": "x", "seed": 0, "resamples": 200}, "warnings": ["w"], "judge": JUDGE}
    store.put_study(models, tasks, asked, plan, facts)
    for cell in plan:
        store.put_measurement(_measurement(cell))
        rows = [_answer(cell, item, n) for n, item in enumerate(asked[cell.task])]
        store.put_answers(rows[: items // 2])
        store.put_answers(rows[items // 2 :])
        store.put_cell(cell)
    store.put_judgements(JUDGE, [(i.key, f"h1:{n}", n / 4, f"Score: {n}") for n, i in
                                 enumerate(asked["dose"][:4])])  # fmt: skip


def _task(name: str) -> TaskInfo:
    return TaskInfo(name, "label", ("yes", "no", "maybe"), "a task", "how it is asked", 5)


def _item(task: str, n: int) -> Item:
    gold = ("yes", "no", "maybe")[n % 3]
    labels = ("yes", "no", "maybe")
    question = f"Is drug {n} fit for patient {n * 7 % 11}?"
    return Item(f"{task}/{n}", f"{question}\nAnswer:", gold, labels, question=question,
                tags={"subject": f"s{n % 5}"}, choices=(" yes", " no", " maybe"))  # fmt: skip


def _cell(model: str, role: str, level: float, task: str, items: list[Item]) -> CellResult:
    name = f"{model}/{level}"
    return CellResult(
        cell=f"c:{name}/{task}", asking=f"a:{name}/{task}", state=f"s:{name}", model=model,
        role=role, recipe="magnitude" if level else "none", level=level, seed=0, task=task,
        status="degraded" if level > 0.2 else "success", reason="cut" if level > 0.2 else None,
        items=tuple(item.key for item in items), spec={"task": task}, seconds=1.5,
    )  # fmt: skip


def _measurement(cell: CellResult) -> Measurement:
    return Measurement(
        state=cell.state, measured_level=cell.level, parameters=1000, zeros=10, targeted=900,
        bytes_in_memory=4000, bits_per_weight=32.0, shape="f",
    )  # fmt: skip


def _answer(cell: CellResult, item: Item, n: int) -> Answer:
    said = item.labels[(n + len(cell.state)) % 3]
    text = f" {said}, as item {n} of {cell.task} says so at {cell.level}"
    scores = tuple(-0.5 - ((n + k) % 7) / 8 for k in range(3))
    reading = Reading(said, "answer", "leading", float(said == item.gold))
    return Answer(cell.asking, item.key, RawAnswer(text, "eos", 9, scores), reading, "v1", said)


def values(folder: Path) -> str:
    """All that findings are made of, as one text; raises as a command that reads does."""
    with Store(folder / MAIN, write=False) as store:
        facts = store.facts()
        frames = [frame.to_dict("records") for frame in (store.cells(), store.answers())]
        judged = store.judgements(facts["judge"]) if "judge" in facts else {}
        parts = [facts, store.models(), store.tasks(), sorted(store.items().items(), key=str)]
        return repr([*parts, *frames, judged, store.measurements()])


def rows_of(folder: Path) -> dict[str, set[tuple[object, ...]]]:
    """Every row of every table."""
    with contextlib.closing(sqlite3.connect(folder / MAIN)) as db:
        return {table: set(db.execute(f"SELECT * FROM {table}")) for table in TABLES}


def read(folder: Path, whole: str) -> tuple[str, str]:
    """How reading a damaged copy ended, and what was said."""
    try:
        return ("same" if values(folder) == whole else "silent"), ""
    except (RequestError, RunError) as error:
        return "sentence", str(error)
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"


def written(folder: Path, whole: dict[str, set[tuple[object, ...]]]) -> tuple[str, str]:
    """How opening a damaged copy to go on ended: rows that were never written are `silent`."""
    try:
        with Store(folder / MAIN):
            pass
        wrong = [name for name, rows in rows_of(folder).items() if rows - whole[name]]
        return ("silent", f"rows of {', '.join(wrong)}") if wrong else ("same", "")
    except (RequestError, RunError) as error:
        return "sentence", str(error)
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"


def damage(path: Path, kind: str, dice: random.Random) -> tuple[int, int]:
    """Flip one bit of a file or cut it off; the place and the bit."""
    data = bytearray(path.read_bytes())
    place, bit = dice.randrange(len(data)), dice.randrange(8)
    if kind == "flip":
        data[place] ^= 1 << bit
        path.write_bytes(data)
    else:
        path.write_bytes(data[:place])
    return place, bit


def trials(
    source: Path, flips: int, cuts: int, seed: int, file: str = MAIN, write: bool = True
) -> Iterator[Trial]:
    """Damage copies of the run folder `source` in its file `file`, one place at a time."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        kept = Path(place, "whole")
        shutil.copytree(source, kept)
        whole = values(_copied(kept, Path(place, "copy")))
        rows = rows_of(_copied(kept, Path(place, "copy")))
        alone = _copied(kept, Path(place, "copy"))
        for end in ("-wal", "-shm"):  # where the log is lost, the rows before it are true
            (alone / f"{MAIN}{end}").unlink(missing_ok=True)
        rows = {table: found | rows[table] for table, found in rows_of(alone).items()}
        for kind, count in (("flip", flips), ("cut", cuts)):
            for _ in range(count):
                one = _copied(kept, Path(place, "copy"))
                at, bit = damage(one / file, kind, dice)
                shutil.copytree(one, Path(place, "other"), dirs_exist_ok=True)
                reading, said = read(one, whole)
                writing, more = written(Path(place, "other"), rows) if write else ("", "")
                shutil.rmtree(Path(place, "other"))
                yield Trial(file, kind, at, bit, reading, writing, said or more)


def _copied(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in source.glob(f"{MAIN}*"):
        shutil.copyfile(path, target / path.name)
    return target


def unfinished(folder: Path, target: Path, items: int = 40, levels: int = 4) -> Path:
    """A run as `kill -9` leaves it, its last writes in the log beside the store; its folder."""
    store = Store(folder / MAIN)
    fill(store, items, levels)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(store, items, levels // 2)
    extra = replace(_cell("special", "specialist", 0.7, "dose", [_item("dose", 0)]), cell="late")
    store.put_cell(extra)
    copied = _copied(folder, target)
    store.db.close()
    return copied


def main() -> int:
    """Run the trials; exit code 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="A finished run; else one is made.")
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-write", action="store_true", help="Only read the damaged copies.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    started, found, bad = time.time(), Counter(), []
    with tempfile.TemporaryDirectory() as place:
        for name in ("finished", "live", "killed"):
            Path(place, name).mkdir()
        finished = asked.run or filled(Path(place, "finished"))
        killed = unfinished(Path(place, "live"), Path(place, "killed"))
        share = max(1, asked.flips // 5), max(1, asked.cuts // 5)
        plans = [(finished, MAIN, asked.flips, asked.cuts)]
        plans += [(killed, f"{MAIN}{end}", *share) for end in ("", "-wal", "-shm")]
        for source, file, flips, cuts in plans:
            label = f"{'killed ' if source == killed else ''}{file}"
            for trial in trials(source, flips, cuts, asked.seed, file, not asked.no_write):
                found[label, trial.kind, "read", trial.reading] += 1
                found[label, trial.kind, "go on", trial.writing] += 1
                if {"silent", "traceback"} & {trial.reading, trial.writing}:
                    bad.append((label, *trial[1:]))
    rows = [{"file": f, "damage": k, "use": u, "outcome": o, "count": n}
            for (f, k, u, o), n in sorted(found.items()) if o]  # fmt: skip
    if asked.json:
        print(json.dumps({"rows": rows, "failures": bad, "seconds": time.time() - started}))
    else:
        for row in rows:
            print("{file:24} {damage:5} {use:6} {outcome:10} {count}".format(**row))
        for one in bad[:20]:
            print("failed:", *one)
        print(f"{len(bad)} failures, {time.time() - started:.0f} s")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
