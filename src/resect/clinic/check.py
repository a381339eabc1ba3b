"""How the pair does on the clinic's items, in both views: what training is steered by.

A plain reading, apart from the tool's parser: the text must be the right option and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import log_softmax

from resect.clinic import items
from resect.record import Item


def texts_of(model: Any, tokenizer: Any, prompts: Sequence[str], tokens: int = 8) -> list[str]:
    """Greedy continuations, batched with padding on the left."""
    found: list[str] = []
    for start in range(0, len(prompts), 100):
        batch = tokenizer(list(prompts[start : start + 100]), return_tensors="pt", padding=True)
        with torch.inference_mode():
            out = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=tokens,
                do_sample=False,
            )
        new = out[:, batch["input_ids"].shape[1] :]
        found += tokenizer.batch_decode(new, skip_special_tokens=True)
    return found


def option_labels(model: Any, tokenizer: Any, asked: Sequence[Item]) -> list[str]:
    """The label of the most likely choice, log-probability divided by the bytes of the choice."""
    chosen = []
    for item in asked:
        prompt = tokenizer(item.prompt)["input_ids"]
        tails = [tokenizer(choice)["input_ids"] for choice in item.choices]
        longest = max(map(len, tails))
        ids = torch.tensor([prompt + t + [0] * (longest - len(t)) for t in tails])
        with torch.inference_mode():
            scores = log_softmax(model(ids).logits.float(), -1)
        sums = [
            sum(scores[row, len(prompt) - 1 + i, token].item() for i, token in enumerate(tail))
            / len(choice.encode())
            for row, (tail, choice) in enumerate(zip(tails, item.choices, strict=True))
        ]
        chosen.append(item.labels[max(range(len(sums)), key=sums.__getitem__)])
    return chosen


def read_plainly(text: str, item: Item) -> str | None:
    """The label whose choice is exactly the text; None where there is none."""
    said = text.strip()
    return next(
        (
            label
            for label, choice in zip(item.labels, item.choices, strict=True)
            if choice.strip() == said
        ),
        None,
    )


def table(model: Any, tokenizer: Any, split: items.Split, limit: int | None = None) -> str:
    """One line a task: items, share right in text and options view, share naming no option."""
    model.eval()
    lines = []
    for task, make in (
        ("context", items.context),
        ("medicine", items.medicine),
        ("logic", items.logic),
    ):
        asked = make(split)[:limit]
        read = [
            read_plainly(text, item)
            for text, item in zip(
                texts_of(model, tokenizer, [i.prompt for i in asked]), asked, strict=True
            )
        ]
        options = option_labels(model, tokenizer, asked)
        n = len(asked)
        right = sum(r == i.gold for r, i in zip(read, asked, strict=True)) / n
        scored = sum(o == i.gold for o, i in zip(options, asked, strict=True)) / n
        lines.append(
            f"{split} {task}: n {n}, text {right:.3f}, options {scored:.3f}, "
            f"unread {sum(r is None for r in read) / n:.3f}"
        )
    model.train()
    return "\n".join(lines)
