"""A small run with hostile texts in its store, and the view of it in a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from resect.record import Answer, CellResult, Item, RawAnswer, Reading, TaskInfo
from resect.store.sqlite import Store

HOSTILE = (
    '<script>document.body.dataset.pwned=1</script><img src=x onerror="document.body.dataset'
    '.pwned=1">\'"`{{7*7}}\u202e\x1b[31m</pre></article><h1 id=injected>'
)
LABELS = ("A", "B")
LEVELS = (0.3, 0.6)
MODELS = ("special<i>", "base")


def filled(folder: Path, ended: int | None = None, items: int = 60) -> list[CellResult]:
    """A run of 2 models, 2 tasks and 2 recipes; only the first `ended` cells have been asked.

    At 0.3 every third answer is lost, at 0.6 every answer; one model says hostile things.
    """
    asked = {
        task: [
            Item(f"{task}-{n}", f"Is {n} even? {HOSTILE}", LABELS[n % 2], LABELS, LABELS,
                 {"A": "yes", "B": HOSTILE}, f"Is {n} even?", {"subject": HOSTILE})
            for n in range(items)
        ]
        for task in ("parity", "own/task")
    }  # fmt: skip
    infos = {task: TaskInfo(task, "label", LABELS, HOSTILE, "none", 8) for task in asked}
    plan = []
    for model in MODELS:
        for recipe in ("none", "magnitude", "wanda"):
            for level in (0.0,) if recipe == "none" else LEVELS:
                for task, own in asked.items():
                    state = f"{model}/{recipe}/{level:g}"
                    name = f"{state}/{task}"
                    keys = tuple(item.key for item in own)
                    where = (name, name, state, model, model, recipe, level, 0, task)
                    plan.append(CellResult(*where, "success", None, keys, {}, 1.0))
    models = [{"name": model, "role": model} for model in MODELS]
    with Store(folder / "results.sqlite") as store:
        store.put_study(models, infos, asked, plan, {"study": {"name": "small"}})
        for cell in plan[:ended]:
            end(store, cell, asked[cell.task])
    return plan


def end(store: Store, cell: CellResult, items: list[Item]) -> None:
    """Ask one cell."""
    store.put_answers([_answer(cell, item, n) for n, item in enumerate(items)])
    store.put_cell(cell)


def _answer(cell: CellResult, item: Item, n: int) -> Answer:
    right = cell.level == 0 or (cell.level == 0.3 and n % 3 != 0)
    value = item.gold if right else "AB".replace(item.gold or "", "")
    outcome = "answer" if right or n % 2 else "off_task"
    text = HOSTILE if cell.model != "base" else f"The answer is {value}."
    return Answer(
        cell.asking, item.key, RawAnswer(text, "eos", 4, (-1.0, -2.0)),
        Reading(value, outcome, "marker", float(right)), "v1", value,
    )  # fmt: skip


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The view of a run on a free port; its address."""
    import uvicorn

    from resect.view import http_server

    started, addresses = [], []

    class Caught(uvicorn.Server):
        def run(self, sockets=None):
            started.append(self)
            super().run(sockets)

    plain, uvicorn.Server = uvicorn.Server, Caught
    thread = threading.Thread(
        target=http_server.serve, args=(folder, 0, addresses.append), daemon=True
    )
    thread.start()
    try:
        until = time.monotonic() + 30
        while not (started and started[0].started) and time.monotonic() < until:
            time.sleep(0.02)
        yield addresses[0]
    finally:
        uvicorn.Server = plain
        if started:
            started[0].should_exit = True
        thread.join(10)
