"""Perplexity and option accuracy of a real model: ours, a plain transformers loop, and lm_eval.

python benchmarks/perplexity.py [--json] [--quick] [--model ID] [--data_dir DIR] [--limit N]

The same windows of WikiText-2 (words, and 512 tokens of the model) and the same label questions,
one by one in the loop. `ratio` is our perplexity over the loop's; the aim is 1 within 1e-3.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _machine as machine
import _peers as peers
import torch

from resect import tasks
from resect.ask import Asker
from resect.ask.tokenize import token_starts
from resect.models import loading
from resect.models.loading import Loaded
from resect.record import Item
from resect.spec import ModelRef
from resect.tasks import Source

TEXTS = ("wikitext2", "wikitext2@512tok")
QUESTIONS = ("pubmedqa-test", "healthver")
Scores = list[tuple[float, ...]]


def ours(loaded: Loaded, items: Sequence[Item]) -> Scores:
    """The scores of every item's choices, as a sweep gets them."""
    scores: dict[int, tuple[float, ...]] = {}
    for batch in Asker(loaded.tokenizer, items, 1).ask(loaded.model):
        for row, answer in zip(batch.rows, batch.answers, strict=True):
            scores[row] = tuple(answer.option_scores or ())
    return [scores[row] for row in range(len(items))]


@torch.no_grad()
def loop(loaded: Loaded, items: Sequence[Item]) -> Scores:
    """Every prompt and choice in a pass of its own."""
    scores = []
    for item in items:
        before = loaded.tokenizer(item.prompt, add_special_tokens=False).input_ids
        before = before or [loaded.tokenizer.bos_token_id or loaded.tokenizer.eos_token_id]
        row = []
        for choice in item.choices:
            whole = loaded.tokenizer(item.prompt + choice, add_special_tokens=False).input_ids
            after = whole[len(before) if item.prompt else 0 :]
            ids = torch.tensor([before + after])
            logs = loaded.model(ids).logits[0, len(before) - 1 : -1].log_softmax(-1)
            row.append(float(logs.gather(-1, ids[0, len(before) :, None]).sum()))
        scores.append(tuple(row))
    return scores


def tokens(loaded: Loaded, items: Sequence[Item]) -> int:
    """How many tokens are scored in all."""
    asker = Asker(loaded.tokenizer, items, 1)
    return sum(len(prompt.choices[0]) for prompt in asker.prompts)


def perplexities(loaded: Loaded, items: Sequence[Item], ways: dict[str, Any]) -> dict[str, Any]:
    """Perplexity by each way, and their ratios to the loop's."""
    count = tokens(loaded, items)
    rows = {name: sum(s[0] for s in way(loaded, items)) for name, way in ways.items()}
    values = {name: math.exp(-total / count) for name, total in rows.items()}
    return {
        "windows": len(items),
        "tokens": count,
        **{name: round(value, 4) for name, value in values.items()},
        "ours_to_loop": round(values["ours"] / values["loop"], 6),
        "ours_to_lm_eval": round(values["ours"] / values["lm_eval"], 6),
    }


def accuracies(loaded: Loaded, items: Sequence[Item], ways: dict[str, Any]) -> dict[str, Any]:
    """Share right by the best score, by each way, and the largest difference of two scores."""
    rows = {name: way(loaded, items) for name, way in ways.items()}
    right = {
        name: sum(
            item.labels[max(range(len(s)), key=s.__getitem__)] == item.gold
            for item, s in zip(items, scores, strict=True)
        )
        / len(items)
        for name, scores in rows.items()
    }
    gaps = {
        name: max(
            abs(x - y)
            for mine, other in zip(rows["ours"], rows[name], strict=True)
            for x, y in zip(mine, other, strict=True)
        )
        for name in ("loop", "lm_eval")
    }
    shown = {name: round(share, 4) for name, share in right.items()}
    return {"items": len(items), **shown, "gaps": {n: round(g, 6) for n, g in gaps.items()}}


def main() -> None:
    parser = machine.parser(__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--data_dir", default=os.environ.get("RESECT_DATA"))
    parser.add_argument("--limit", type=int)
    asked = parser.parse_args()
    limit = asked.limit or (2 if asked.quick else 16)
    loaded = loading.load(ModelRef.of(role="model", id=asked.model, dtype="float32"), "cpu")
    source = Source(
        data_dir=Path(asked.data_dir) if asked.data_dir else None,
        limit=limit,
        token_starts=lambda text: token_starts(loaded.tokenizer, text),
    )
    harness = peers.Harness(*loaded, 4)
    ways = {"ours": ours, "loop": loop, "lm_eval": lambda _, items: harness.scores(items)}
    texts = {name: perplexities(loaded, tasks.get(name).items(source), ways) for name in TEXTS}
    questions = {
        name: accuracies(loaded, tasks.get(name).items(source), ways) for name in QUESTIONS
    }
    machine.show(
        {
            "name": "perplexity",
            "ratio": texts["wikitext2"]["ours_to_loop"],
            "peer": f"a plain transformers loop (`ratio`); {peers.HARNESS}",
            "model": asked.model,
            **texts,
            **questions,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
