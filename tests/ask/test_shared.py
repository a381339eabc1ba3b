"""A beginning that many prompts share is read once, and changes no answer."""

from __future__ import annotations

import random

import pytest
import tiny
from asked import HYBRIDS, item
from asked import model as any_model
from lazy import WHEN_RUN

from resect.record import Item

if WHEN_RUN:
    import torch

    from resect.ask import Asker, Budget
    from resect.ask.batches import Group


HEADERS = ("Choose the right answer, as in these examples. " * 7, "Say what is meant here. " * 14)


def few_shot_items() -> list[Item]:
    """Two subjects of 30 items after 300 tokens of their own, and three items without any."""
    rng = random.Random(3)
    texts = ["".join(rng.choices("abcdef ghij", k=rng.randint(1, 30))) for _ in range(63)]
    headers = [HEADERS[number % 2] for number in range(60)] + [""] * 3
    return [item(n, head + text) for n, (head, text) in enumerate(zip(headers, texts, strict=True))]


def asked(model, asker: Asker) -> tuple[dict, int]:
    """Answers by row, and how many tokens the model was given."""
    given = []
    hook = model.register_forward_pre_hook(
        lambda _, args, named: given.append(named["input_ids"].numel()), with_kwargs=True
    )
    answers = {
        row: answer
        for batch in asker.ask(model)
        for row, answer in zip(batch.rows, batch.answers, strict=True)
    }
    hook.remove()
    return answers, sum(given)


@pytest.mark.parametrize("family", [*tiny.FAMILIES, "falcon_h1", "lfm2"])
@pytest.mark.slow
def test_answers_are_the_same_as_without(family):
    """Also where the cache is a window shorter than the prompt or a state: those read all again."""
    model = any_model(family)
    asker = Asker(tiny.tokenizer(), few_shot_items(), 6, budget=Budget(4096))
    assert [group.shared >= 300 for group in asker.groups] == [True, True, False]
    shared, few = asked(model, asker)
    asker.groups = [Group(list(range(63)), 0)]
    plain, many = asked(model, asker)
    for row, answer in plain.items():
        assert shared[row].text == answer.text
        assert shared[row].stopped == answer.stopped
        assert shared[row].option_scores == pytest.approx(answer.option_scores, abs=2e-4)
    if family in ("llama", "mistral", "qwen2", "qwen3", "phi3", "mixtral", "olmoe"):
        assert few < many / 3
    if family in (*HYBRIDS, "gemma2", "gemma3_text", "gpt_oss"):
        assert few > many / 2


def test_a_window_that_holds_the_row_is_no_hindrance():
    """Mistral's window of 4096, say: nothing falls out of it, so that the beginning is shared."""
    model = tiny.model("mistral", sliding_window=512)
    asker = Asker(tiny.tokenizer(), few_shot_items(), 6, budget=Budget(4096))
    _, few = asked(model, asker)
    assert few < 63 * 330 / 3
    narrow = tiny.model("mistral", sliding_window=200)
    wide, many = asked(narrow, asker)
    assert many > 63 * 300
    asker.groups = [Group(list(range(63)), 0)]
    plain, _ = asked(narrow, asker)
    assert all(wide[row].text == plain[row].text for row in plain)


def test_every_state_of_a_model_reads_its_own():
    model = tiny.model("llama")
    asker = Asker(tiny.tokenizer(), few_shot_items(), 6, budget=Budget(4096))
    asked(model, asker)
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(3)
    again, _ = asked(model, asker)
    asker.groups = [Group(list(range(63)), 0)]
    plain, _ = asked(model, asker)
    assert all(again[row].text == plain[row].text for row in plain)
