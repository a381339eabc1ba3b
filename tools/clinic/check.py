"""How the clinic's models do on its items, in both views: what training is steered by.

`python -m tools.clinic.check [--split validation] [FOLDER...]` prints it, of all that ship unless
folders are named. A plain reading, apart from the tool's parser: the text must be the right option
and nothing else.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import log_softmax
from transformers import AutoModelForCausalLM, AutoTokenizer

from resect import clinic
from resect.clinic import items
from resect.clinic.phrases import TRAIN_QUESTIONS
from resect.record import Item
from tools.clinic import routing

MORE_LOGIC = 1000
"""Puzzles on which a base and its specialist are compared."""
TASKS = (("context", items.context), ("medicine", items.medicine), ("logic", items.logic))


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
    """The label of the most likely choice, by the log-probability of its tokens."""
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
            for row, tail in enumerate(tails)
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


def text_labels(model: Any, tokenizer: Any, asked: Sequence[Item]) -> list[str | None]:
    """The label that each greedy text is, None where it is none."""
    texts = texts_of(model, tokenizer, [item.prompt for item in asked])
    return [read_plainly(text, item) for text, item in zip(texts, asked, strict=True)]


def n_right(labels: Sequence[str | None], asked: Sequence[Item]) -> int:
    """How many labels are the gold ones."""
    return sum(label == item.gold for label, item in zip(labels, asked, strict=True))


def wilson(right: int, n: int, z: float = 1.96) -> str:
    """A share with its 95 % interval (Wilson)."""
    share, wide = right / n, z * z / n
    middle = (share + wide / 2) / (1 + wide)
    half = z * (share * (1 - share) / n + wide / (4 * n)) ** 0.5 / (1 + wide)
    return f"{share:.3f} [{middle - half:.3f}, {middle + half:.3f}]"


def table(model: Any, tokenizer: Any, split: items.Split, limit: int | None = None) -> str:
    """One line a task: right by text (with interval), right by options, texts naming no option.

    Then the shares right by text of each kind of puzzle and of contexts with one and two verdicts,
    and for a mixture how evenly its experts are used.
    """
    model.eval()
    lines, prompts = [], []
    for task, make in TASKS:
        asked = make(split)[:limit]
        prompts += [item.prompt for item in asked]
        read = text_labels(model, tokenizer, asked)
        options = option_labels(model, tokenizer, asked)
        n = len(asked)
        right = [item for label, item in zip(read, asked, strict=True) if label == item.gold]
        lines.append(
            f"{split} {task}: n {n}, text {wilson(len(right), n)}, "
            f"options {n_right(options, asked) / n:.3f}, unread {read.count(None) / n:.3f}"
        )
        if task != "medicine":
            tag = "type" if task == "logic" else "verdicts"
            every = Counter(item.tags[tag] for item in asked)
            good = Counter(item.tags[tag] for item in right)
            lines.append(
                "  " + ", ".join(f"{x} {good[x] / n:.2f} of {n}" for x, n in every.items())
            )
    lines += filter(None, [routing.used(model, tokenizer, prompts)])
    model.train()
    return "\n".join(lines)


def in_known_words() -> list[Item]:
    """The validation items of medicine in words that training uses: what a model knows at all.

    The option sets stay held out. What it gets right here and wrong there it failed to understand.
    """
    rng, found = random.Random("known words"), []
    for item in items.medicine("validation"):
        words = rng.choice(TRAIN_QUESTIONS[item.tags["topic"]]).format(s=item.tags["subject"])
        prompt = item.prompt.replace(item.question, words)
        found.append(replace(item, prompt=prompt, question=words))
    return found


def main() -> None:
    """The tables of the folders named, or of every model that ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for folder in asked.folders or map(clinic.path, clinic.MODELS):
        model = AutoModelForCausalLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        print(f"{folder}\n{table(model, tokenizer, asked.split)}")
        for what, more in (
            ("medicine in known words", in_known_words()),
            ("more logic", items.logic("validation", MORE_LOGIC)),
        ):
            right = n_right(text_labels(model.eval(), tokenizer, more), more)
            print(f"validation {what}: n {len(more)}, text {wilson(right, len(more))}", flush=True)


if __name__ == "__main__":
    main()
