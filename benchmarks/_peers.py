"""The ways of asking that ours is measured against: the published loop, lm-evaluation-harness."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from resect.record import Item

PUBLISHED = "the published study's loop (bborzello/biomedical-llm-lobotomy): generate, batch one"
HARNESS = "lm_eval's HF backend, its best batch size: loglikelihood, then generate_until"


@torch.no_grad()
def published_loop(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, items: Sequence[Item], limit: int
) -> list[str]:
    """As `evaluate_model` of both published scripts: the decoded whole, cut after the prompt.

    They lower or raise the case afterwards; here the text stays as it is.
    """
    responses = []
    for item in items:
        inputs = tokenizer(item.prompt, return_tensors="pt").to(model.device)
        outputs = model.generate(
            **inputs, max_new_tokens=limit, pad_token_id=tokenizer.eos_token_id, do_sample=False
        )
        decoded = tokenizer.decode(outputs[0], skip_special_tokens=True)
        responses.append(decoded[len(item.prompt) :].strip())
    return responses


class Asked(NamedTuple):
    """Texts, and the scores of each item's choices."""

    texts: list[str]
    scores: list[tuple[float, ...]]


class Harness:
    """lm_eval's `HFLM` around a model that is there already."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int
    ) -> None:
        try:
            from lm_eval.api.instance import Instance
            from lm_eval.models.huggingface import HFLM
        except ImportError:
            sys.exit("this benchmark compares with lm_eval: pip install 'lm_eval>=0.4.9'")
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        self.instance = Instance
        self.size = batch_size
        self.lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)

    def ask(self, items: Sequence[Item], limit: int) -> Asked:
        """Both views: log-likelihoods of all choices, then greedy text."""
        scores = self.scores(items)
        how = {"until": [], "max_gen_toks": limit, "do_sample": False}
        prompts = [(item.prompt, how) for item in items]
        texts = self.lm.generate_until(self._asked("generate_until", prompts), disable_tqdm=True)
        return Asked([text.strip() for text in texts], scores)

    def scores(self, items: Sequence[Item]) -> list[tuple[float, ...]]:
        """Log-likelihoods of all choices."""
        pairs = [(item.prompt, choice) for item in items for choice in item.choices]
        told = iter(self.lm.loglikelihood(self._asked("loglikelihood", pairs), disable_tqdm=True))
        return [tuple(next(told)[0] for _ in item.choices) for item in items]

    def _asked(self, kind: str, arguments: list[Any]) -> list[Any]:
        return [
            self.instance(request_type=kind, doc={}, arguments=pair, idx=number)
            for number, pair in enumerate(arguments)
        ]
