"""Real prompts, and a tokenizer learnt from them for models with random weights."""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from resect import tasks
from resect.record import Item
from resect.tasks import Source

DATA = Path(os.environ.get("RESECT_DATA") or Path(__file__).parents[2] / "shared" / "data")
_FILES = ("pubmedqa_pqal.jsonl.gz", "mmlu_test.jsonl.gz", "medical_abstracts.jsonl.gz")


def data_dir(asked: Path | None) -> Path:
    """The folder of offline task files; ends with a sentence where it lacks what is needed."""
    place = asked or DATA
    for name in _FILES:
        if not (place / name).is_file():
            sys.exit(f"{name} is not in {place}: say with --data_dir where the task files are")
    return place


def prompts(task: str, place: Path, limit: int | None = None) -> list[Item]:
    """Items of a task from the offline files."""
    return tasks.get(task).items(Source(data_dir=place, limit=limit))


def tokenizer(place: Path, vocabulary: int = 32_000) -> PreTrainedTokenizerFast:
    """Byte-level pieces learnt from medical texts and answered prompts, so that labels are pieces.

    The same on every machine.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    backend.train_from_iterator(_texts(place), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        padding_side="left",
    )


def _texts(place: Path) -> list[str]:
    with gzip.open(place / _FILES[2], "rt", encoding="utf-8") as file:
        found = [json.loads(line)["text"] for line in file]
    for item in prompts("pubmedqa", place) + prompts("mmlu-lobotomy", place):
        found += [item.prompt + choice for choice in item.choices]
    return found
