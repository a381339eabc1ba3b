"""The answer browser on a large store: milliseconds of a page under each filter.

python benchmarks/view.py [--json] [--quick] [--keep DIR]

1,000,000 answers (--quick: 50,000) of 2 models on 5 tasks under 5 recipes at 20 levels are written
through the real store, and asked for through the real application, rows, strips and HTML included.
The peer is the same count by SQL over the store's own tables, without the view's index.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from resect.record import OUTCOMES, Answer, CellResult, Item, RawAnswer, Reading, TaskInfo
from resect.store.sqlite import Store
from resect.view.web_app import application

MODELS, TASKS, RECIPES, LEVELS = ("specialist", "base"), 5, 5, 20
LABELS = ("A", "B", "C", "D")
FILTERS = {
    "all": "",
    "last page": "page=999999",
    "task": "task=task2",
    "level": "level=0.5",
    "rare outcome": "outcome=refusal",
    "lost": "flip=lost",
    "all filters": "task=task1&model=base&recipe=recipe3&level=0.5&outcome=answer&flip=lost",
    "none": "task=task1&model=base&outcome=echo&flip=gained",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="Folder of the store, used again.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        row = measured(place, items=50 if given.quick else 1000)
    print(json.dumps(row) if given.json else "\n".join(f"{k}: {v}" for k, v in row.items()))


def measured(folder: Path, items: int) -> dict[str, object]:
    """Every filter's milliseconds: the fastest of three visits, and the processor's share of it."""
    path = folder / "results.sqlite"
    if not path.is_file():
        filled(path, items)
    started = time.perf_counter()
    app = application(folder, "secret")
    indexed = time.perf_counter() - started
    client = TestClient(app, base_url="http://127.0.0.1")
    pages = {name: f"/secret/answers?{query}" for name, query in FILTERS.items()}
    pages["first page"] = "/secret/"
    times, busy = {}, {}
    for name, address in pages.items():
        visits = [timed(lambda a=address: client.get(a)) for _ in range(3)]
        times[name] = round(1000 * min(visits), 1)
        before = time.process_time()
        client.get(address)
        busy[name] = round(1000 * (time.process_time() - before), 1)
    with Store(path, write=False, check=False) as store:
        answers = store.count()
        plain = "SELECT count(*) FROM plan p JOIN cells c ON c.id = p.cell JOIN item_sets s ON "
        plain += "s.name = c.item_set JOIN answers a ON a.asking = c.asking AND a.item = s.item "
        plain += "WHERE a.outcome = 'refusal'"
        peer = timed(lambda: store.db.execute(plain).fetchone())
    worst = max(times.values())
    return {
        "name": "view",
        "answers": answers,
        "milliseconds": times,
        "processor_milliseconds": busy,
        "worst": worst,
        "index_seconds": round(indexed, 1),
        "peer": f"one count without the index: {1000 * peer:.0f} ms",
        "ratio": round(1000 * peer / worst, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
    }


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def filled(path: Path, items: int) -> None:
    """A store of MODELS x TASKS x RECIPES x LEVELS cells of so many items."""
    rng = random.Random(0)
    infos, asked, plan = {}, {}, []
    for task in (f"task{n}" for n in range(TASKS)):
        infos[task] = TaskInfo(task, "label", LABELS, "synthetic", "none", 32)
        asked[task] = [
            Item(f"{task}-{n}", f"{task}, question {n}?", LABELS[n % 4], LABELS, LABELS)
            for n in range(items)
        ]
    keys = {task: tuple(item.key for item in own) for task, own in asked.items()}
    for model in MODELS:
        places = [("none", 0.0)]
        places += [(f"recipe{r}", n / LEVELS) for r in range(RECIPES) for n in range(1, LEVELS)]
        places += [(f"recipe{r}", 0.99) for r in range(RECIPES)]
        for recipe, level in places:
            for task in infos:
                name = f"{model}/{recipe}/{level:g}/{task}"
                state = f"{model}/{recipe}/{level:g}"
                where = (name, name, state, model, model, recipe, level, 0, task)
                plan.append(CellResult(*where, "success", None, keys[task], {}, 1.0))
    with Store(path) as store:
        models = [{"name": model, "role": model} for model in MODELS]
        store.put_study(models, infos, asked, plan, {"study": {"name": "large"}})
        for cell in plan:
            pairs = zip(asked[cell.task], keys[cell.task], strict=True)
            store.put_answers([answer(cell, item.gold, key, rng) for item, key in pairs])
            store.put_cell(cell)


def answer(cell: CellResult, gold: str | None, key: str, rng: random.Random) -> Answer:
    """An answer that is right less often at a higher level; a few have no answer in them."""
    outcome = rng.choices(OUTCOMES, (900, 50, 10, 20, 10, 1, 9))[0]
    right = rng.random() > 0.1 + 0.7 * (cell.level or 0)
    value = gold if right else rng.choice([x for x in LABELS if x != gold])
    silent = outcome not in ("answer", "recovered")
    reading = Reading(None if silent else value, outcome, "marker", float(right and not silent))
    raw = RawAnswer(f"The answer is {value}." * 3, "eos", 9, (-1.0, -2.0, -3.0, -4.0))
    return Answer(cell.asking, key, raw, reading, "v1", value)


if __name__ == "__main__":
    main()
