"""Asking: the published study's loop, lm_eval and llama.cpp, against one pass for both views.

python benchmarks/asking.py [--json] [--quick] [--data_dir DIR] [--threads N] [--model ID]

The same model, items, device and threads, in turns in one process; the shortest of the repeats
counts. Where other work shares the cores, seconds of the processor (`cpu`) are steadier. Two
models: the embedded specialist on its three tasks, and `smollm2` (134 M parameters) on PubMedQA
prompts, which llama.cpp's server is asked too, as a 16-bit file with as many threads. `share` is
what asking reaches of the processor's fp32 matrix peak: of the passes that read prompts
(`prefill`), and of the whole with the texts. The published loop gives the text view, lm_eval (at
the batch size that was fastest on the first items) and ours give both. `ours` tokenizes and plans
each time, `ours_planned` does not, as in a sweep after its first level. `ratio` is ours against the
published loop on the embedded model. Texts that differ from the loop's are printed with the gap
between the two tokens where they part. `worked_examples` asks the embedded model's medicine with
five worked examples before every question: their tokens read once, and read every time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import _machine as machine
import _peers as peers
import _random_model as random_model
import torch
from _prefill import Reading, matrix_peak, operations, timed

from resect import tasks
from resect.ask import Asker
from resect.ask.batches import Group
from resect.deploy import gguf_writer
from resect.deploy.deployed import Deployed
from resect.deploy.http_asker import HttpAsker
from resect.models import loading
from resect.models.loading import Loaded
from resect.models.scratch import Scratch
from resect.record import Item, RawAnswer
from resect.spec import ModelRef
from resect.tasks import Source

Asked = list[tuple[list[Item], int]]  # items and their token limit, task by task
CLINIC = ("clinic-medicine", "clinic-context", "clinic-logic")
NOISE = 1e-3  # two logits that float32 may put either way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", default="smollm2")
    asked = parser.parse_args()
    place = random_model.data_dir(asked.data_dir)
    torch.set_num_threads(asked.threads)
    specialist = loading.load(ModelRef(role="model", id="clinic:specialist"), "cpu")
    few = 40 if asked.quick else None
    clinic = [(tasks.get(name).items(Source(limit=few)), limit(name)) for name in CLINIC]
    embedded = compare(specialist, clinic, 1 if asked.quick else 3, (16, 64, 128))
    few = 4 if asked.quick else 12
    pubmedqa = [(random_model.prompts("pubmedqa", place, few), limit("pubmedqa"))]
    sizes = (1, 4) if asked.quick else (1, 4, 8)
    real = loading.load(ModelRef(role="model", id=asked.model, dtype="float32"), "cpu")
    large = compare(real, pubmedqa, 1 if asked.quick else 2, sizes)
    large |= {"share": share(real, *pubmedqa[0]), **served(real, *pubmedqa[0], asked.threads)}
    machine.show(
        {
            "name": "asking",
            "ratio": embedded["ratio_published_loop"],
            "peer": f"{peers.PUBLISHED} (`ratio`); {peers.HARNESS}",
            "threads": asked.threads,
            "embedded": embedded,
            asked.model: large,
            "worked_examples": shared(specialist, 60 if asked.quick else 400),
        },
        asked.json,
    )


def limit(task: str) -> int:
    """New tokens that a task asks for."""
    return tasks.get(task).info.max_new_tokens


def compare(loaded: Loaded, asked: Asked, repeats: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Seconds of every way in turns, and whether the answers are the same."""
    harness = best_harness(loaded, asked, sizes)
    unscored = [([replace(i, choices=(), labels=()) for i in items], n) for items, n in asked]
    planned = [Asker(loaded.tokenizer, items, n) for items, n in asked]
    planned_text = [Asker(loaded.tokenizer, items, n) for items, n in unscored]
    ways: dict[str, Callable[[], list[Any]]] = {
        "published_loop": lambda: each(
            asked, lambda items, n: peers.published_loop(*loaded, items, n)
        ),
        "lm_eval": lambda: each(asked, lambda items, n: pairs(harness.ask(items, n))),
        "ours": lambda: each(
            asked, lambda items, n: answers_of(Asker(loaded.tokenizer, items, n), loaded)
        ),
        "ours_planned": lambda: [a for asker in planned for a in answers_of(asker, loaded)],
        "ours_planned_text_alone": lambda: [
            a for asker in planned_text for a in answers_of(asker, loaded)
        ],
    }
    times = {name: machine.Times() for name in ways}
    answers = {}
    for _ in range(repeats):
        for name, way in ways.items():
            answers[name] = times[name].take(way)
    count = sum(len(items) for items, _ in asked)
    mine = times["ours"]
    return {
        "parameters": loaded.model.num_parameters(),
        "items": count,
        "lm_eval_batch_size": harness.size,
        "seconds": {name: round(one.wall, 2) for name, one in times.items()},
        "cpu_seconds": {name: round(one.cpu, 2) for name, one in times.items()},
        "items_per_second": {name: round(count / one.wall, 2) for name, one in times.items()},
        "ratio_published_loop": round(times["published_loop"].wall / mine.wall, 2),
        "ratio_published_loop_cpu": round(times["published_loop"].cpu / mine.cpu, 2),
        "ratio_lm_eval": round(times["lm_eval"].wall / mine.wall, 2),
        "ratio_lm_eval_cpu": round(times["lm_eval"].cpu / mine.cpu, 2),
        "both_views_over_text_alone_cpu": round(
            times["ours_planned"].cpu / times["ours_planned_text_alone"].cpu, 3
        ),
        **agreement(loaded, [item for items, _ in asked for item in items], answers),
    }


def share(loaded: Loaded, items: list[Item], limit: int) -> dict[str, float]:
    """The share of the matrix peak that reading prompts reaches, and that all of asking does."""
    asker, reading = Asker(loaded.tokenizer, items, limit), Reading()
    peak = matrix_peak("cpu", 2048, torch.float32)
    seconds = timed(lambda: reading.watch(lambda: answers_of(asker, loaded), "cpu"), "cpu")
    work = operations(loaded) * reading.tokens / peak
    return {
        "peak_gflops": round(peak / 1e9, 1),
        "prefill": round(work / reading.seconds, 3),
        "whole": round(work / seconds, 3),
    }


def served(loaded: Loaded, items: list[Item], limit: int, threads: int) -> dict[str, Any]:
    """llama.cpp's server on the same prompts, both views, and ours, once each in turn."""
    with Scratch("benchmark") as folder:
        path = Path(folder) / "model.gguf"
        gguf_writer.write(loaded.model, loaded.tokenizer, path, "F16")
        file = Deployed(None, path, "f16", threads)
        asker = HttpAsker(loaded.tokenizer, items, limit)
        file.connect(asker.room)  # loaded before it is timed
        theirs: dict[int, RawAnswer] = {}

        def ask() -> None:
            for batch in asker.ask(file.connect):
                theirs.update(zip(batch.rows, batch.answers, strict=True))

        seconds = timed(ask, "cpu")
        file.close()
    mine: list[RawAnswer] = []
    asking = Asker(loaded.tokenizer, items, limit)
    own = timed(lambda: mine.extend(answers_of(asking, loaded)), "cpu")
    same = sum(theirs[row].text.strip() == a.text.strip() for row, a in enumerate(mine))
    gaps = [
        abs(x - y)
        for row, a in enumerate(mine)
        for x, y in zip(a.option_scores, theirs[row].option_scores, strict=True)
    ]
    return {
        "llama_cpp_seconds": round(seconds, 2),
        "ratio_llama_cpp": round(seconds / own, 2),
        "same_text_as_llama_cpp": round(same / len(items), 4),
        "largest_gap_to_llama_cpp_scores": round(max(gaps), 4),
    }


def shared(loaded: Loaded, count: int) -> dict[str, Any]:
    """Five-shot prompts with their common beginning read once, and without."""
    items = tasks.get(CLINIC[0]).items(Source(limit=count, num_fewshot=5))
    once, always = (Asker(loaded.tokenizer, items, limit(CLINIC[0])) for _ in range(2))
    always.groups = [Group(list(range(len(items))), 0)]
    times, answers = {"once": machine.Times(), "always": machine.Times()}, {}
    for _ in range(2):
        for name, asker in (("once", once), ("always", always)):
            answers[name] = times[name].take(lambda asker=asker: answers_of(asker, loaded))
    same = sum(a.text == b.text for a, b in zip(*answers.values(), strict=True))
    return {
        "items": len(items),
        "shared_tokens": [group.shared for group in once.groups],
        "rows": [len(group.rows) for group in once.groups],
        "cpu_seconds": {name: round(one.cpu, 2) for name, one in times.items()},
        "ratio_cpu": round(times["always"].cpu / times["once"].cpu, 2),
        "same_text": round(same / len(items), 4),
    }


def each(asked: Asked, way: Callable[[Sequence[Item], int], list[Any]]) -> list[Any]:
    return [answer for items, limit in asked for answer in way(items, limit)]


def answers_of(asker: Asker, loaded: Loaded) -> list[RawAnswer]:
    """As a sweep asks, once a level."""
    found: dict[int, RawAnswer] = {}
    for batch in asker.ask(loaded.model):
        found.update(zip(batch.rows, batch.answers, strict=True))
    return [found[row] for row in range(len(found))]


def pairs(asked: peers.Asked) -> list[tuple[str, tuple[float, ...]]]:
    return list(zip(asked.texts, asked.scores, strict=True))


def best_harness(loaded: Loaded, asked: Asked, sizes: tuple[int, ...]) -> peers.Harness:
    """lm_eval at the batch size that is fastest on the first items."""
    items, limit = asked[0]
    found = []
    for size in sizes:
        harness = peers.Harness(*loaded, size)
        started = time.perf_counter()
        harness.ask(items[: max(sizes)], limit)
        found.append((time.perf_counter() - started, size, harness))
    return min(found, key=lambda one: one[:2])[2]


def agreement(loaded: Loaded, items: list[Item], answers: dict[str, list[Any]]) -> dict[str, Any]:
    """Texts against the loop's, scores against lm_eval's."""
    mine = [answer.text.strip() for answer in answers["ours"]]
    apart = [
        explained(loaded, item, one, other)
        for item, one, other in zip(items, mine, answers["published_loop"], strict=True)
        if one != other
    ]
    told = [scores for _, scores in answers["lm_eval"]]
    gaps = [
        abs(one - other)
        for answer, scores in zip(answers["ours"], told, strict=True)
        for one, other in zip(answer.option_scores, scores, strict=True)
    ]
    harness_texts = [text for text, _ in answers["lm_eval"]]
    return {
        "same_text_as_published_loop": round(1 - len(apart) / len(items), 4),
        "differences": apart,
        "unexplained_differences": sum(not one["known"] for one in apart),
        "same_text_as_lm_eval": round(
            sum(a == b for a, b in zip(mine, harness_texts, strict=True)) / len(items), 4
        ),
        "largest_gap_to_lm_eval_scores": round(max(gaps), 6),
    }


@torch.no_grad()
def explained(loaded: Loaded, item: Item, one: str, other: str) -> dict[str, Any]:
    """Why two texts part: the gap between the two best tokens there, or how the loop decodes."""
    ids = loaded.tokenizer(item.prompt, return_tensors="pt").input_ids
    out = loaded.model.generate(
        ids, max_new_tokens=10, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    said = out.sequences[0, ids.shape[1] :].tolist()
    texts = [
        loaded.tokenizer.decode(said[: n + 1], skip_special_tokens=True) for n in range(len(said))
    ]
    parted = (n for n, text in enumerate(texts) if not one.startswith(text.strip()))
    step = next(parted, len(said) - 1)
    best = out.logits[step][0].topk(2).values
    gap = float(best[0] - best[1])
    same = one in (text.strip() for text in texts)
    reason = "the prompt does not decode to itself" if same else f"two tokens {gap:.1e} apart"
    return {"item": item.id, "ours": one, "loop": other, "reason": reason,
            "known": same or gap < NOISE}  # fmt: skip


if __name__ == "__main__":
    main()
