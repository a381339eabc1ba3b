"""One prefill gives what plain passes give: option scores of a forward pass, text of `generate`."""

from __future__ import annotations

import random

import pytest
import tiny
import torch

from resect.ask import Asker, plan_batches, tokenize
from resect.errors import RequestError, RunError
from resect.record import Item


def item(
    number: int, prompt: str, choices: tuple[str, ...] = (" yes", " no", " y", " maybe")
) -> Item:
    return Item(id=str(number), prompt=prompt, gold=None, labels=choices, choices=choices)


def mixed_items(count: int = 14) -> list[Item]:
    rng = random.Random(1)
    prompts = ["".join(rng.choices("abcdef ghij", k=rng.randint(1, 70))) for _ in range(count)]
    return [item(number, prompt) for number, prompt in enumerate(prompts)]


def gather(model, tokenizer, items: list[Item], *bounds, wanted: set[int] | None = None, **more):
    asker = Asker(tokenizer, items, *bounds, **more)
    return {
        row: answer
        for batch in asker.ask(model, wanted)
        for row, answer in zip(batch.rows, batch.answers, strict=True)
    }


@pytest.mark.parametrize("family", tiny.FAMILIES)
@torch.no_grad()
def test_options_and_text_equal_plain_passes(family):
    """Left-padded batches of mixed length, beyond Gemma's window of 16 positions too."""
    torch.set_num_threads(1)
    model, tokenizer = tiny.model(family), tiny.tokenizer()
    tokenizer.padding_side = "left"
    items = mixed_items()
    got = gather(model, tokenizer, items, 8, batch_tokens=300)
    for row, asked in enumerate(items):
        ids = tokenizer(asked.prompt, return_tensors="pt").input_ids
        mask = torch.ones_like(ids)
        out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=8)
        text = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        assert got[row].text == text
        for choice, score in zip(asked.choices, got[row].option_scores, strict=True):
            whole = tokenizer(asked.prompt + choice, return_tensors="pt").input_ids
            logs = model(whole).logits.log_softmax(-1)
            places = range(ids.shape[1], whole.shape[1])
            plain = sum(float(logs[0, at - 1, whole[0, at]]) for at in places)
            assert score == pytest.approx(plain, abs=1e-4)


def test_a_row_ends_at_eos_stop_string_or_length():
    model, tokenizer = tiny.model("mistral"), tiny.tokenizer()
    items = mixed_items(8)
    plain = gather(model, tokenizer, items, 12)
    assert {a.stopped for a in plain.values()} <= {"eos", "length"}
    assert all(a.tokens == 12 for a in plain.values() if a.stopped == "length")
    stop = plain[0].text[3:5]
    cut = gather(model, tokenizer, items, 12, stop=[stop])
    assert cut[0].text == plain[0].text[: plain[0].text.index(stop)]
    assert cut[0].stopped == "stop"
    # A row that never meets the stop string is as it was.
    assert all(cut[r].text == plain[r].text for r in plain if stop not in plain[r].text)


@torch.no_grad()
def test_eos_ends_a_row_and_leaves_the_batch_right():
    """The token a row says first becomes an end: that row stops there, others go on as before."""
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    items = mixed_items(8)
    said = {}
    for row, asked in enumerate(items):
        ids = tokenizer(asked.prompt, return_tensors="pt").input_ids
        mask = torch.ones_like(ids)
        out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=8)
        said[row] = out[0, ids.shape[1] :].tolist()
    plain = gather(model, tokenizer, items, 8)
    end = said[0][0]
    model.generation_config.eos_token_id = [2, end]
    ended = gather(model, tokenizer, items, 8)
    assert (ended[0].stopped, ended[0].tokens) == ("eos", 1)
    assert any(end not in tokens for tokens in said.values())
    for row, tokens in said.items():
        if end not in tokens:
            assert ended[row].text == plain[row].text


def test_batches_do_not_depend_on_what_is_missing():
    model, tokenizer = tiny.model("qwen2"), tiny.tokenizer()
    items = mixed_items(10)
    whole = gather(model, tokenizer, items, 4, batch_tokens=120)
    some = gather(model, tokenizer, items, 4, batch_tokens=120, wanted={3})
    assert 3 in some
    assert len(some) < len(whole)
    assert all(some[row] == whole[row] for row in some)


def test_batches_hold_every_row_once_within_the_budget():
    lengths = [5, 90, 17, 17, 3, 200, 60]
    batches = plan_batches(lengths, 120)
    assert sorted(row for rows in batches for row in rows) == list(range(7))
    for rows in batches:
        assert len(rows) == 1 or max(lengths[row] for row in rows) * len(rows) <= 120


def test_a_long_prompt_is_cut_from_the_left_and_counted():
    model, tokenizer = tiny.model("llama", max_position_embeddings=40), tiny.tokenizer()
    items = [item(0, "x" * 30 + "the end of it"), item(1, "short")]
    asker = Asker(tokenizer, items, 8, positions=40)
    assert asker.notes() == ["1 prompts were cut from the left to fit the model's positions"]
    list(asker.ask(model, wanted={1}))
    assert asker.notes(), "a resumed cell is degraded like a fresh one"
    (prompt,) = tokenize(tokenizer, [item(0, "ab" * 40)], 8, positions=40)
    assert prompt.ids == tokenizer("ab" * 16).input_ids


def test_not_a_number_is_a_failure_not_an_answer():
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(RunError, match="not a number"):
        gather(model, tokenizer, [item(0, "hello")], 2)


def test_an_option_without_tokens_is_refused():
    with pytest.raises(RequestError, match="adds no token"):
        tokenize(tiny.tokenizer(), [item(0, "hello", ("", "a"))], 2)


@torch.no_grad()
def test_special_tokens_before_a_text_stay_and_those_after_it_go():
    """A tokenizer that ends every text with an end token must not end the prompt with it."""
    from tokenizers.processors import TemplateProcessing

    plain, model = tiny.tokenizer(), tiny.model("llama")
    framed = tiny.tokenizer()
    framed.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    assert framed("ab").input_ids[0] == 1
    assert framed("ab").input_ids[-1] == 2
    (prompt,) = tokenize(framed, [item(0, "hello", (" yes", " no"))], 8)
    body = plain("hello").input_ids
    assert prompt.ids == [1, *body]
    assert prompt.choices == [plain(" yes").input_ids, plain(" no").input_ids]
    (cut,) = tokenize(framed, [item(0, "ab" * 40, (" a",))], 8, positions=20)
    assert cut.ids == [1, *plain("ab" * 40).input_ids[-11:]]
    got = gather(model, framed, [item(0, "hello", (" y",))], 2)
    logs = model(torch.tensor([prompt.ids])).logits[0, -1].log_softmax(-1)
    first, second = plain(" y").input_ids
    then = model(torch.tensor([[*prompt.ids, first]])).logits[0, -1].log_softmax(-1)
    assert got[0].option_scores[0] == pytest.approx(float(logs[first] + then[second]), abs=1e-4)


def test_a_model_without_room_is_refused():
    with pytest.raises(RequestError, match="reads 8 positions"):
        tokenize(tiny.tokenizer(), [item(0, "hello")], 8, positions=8)
