"""One prefill gives what plain passes give: option scores of a forward pass, text of `generate`."""

from __future__ import annotations

import random

import pytest
import tiny
from asked import HYBRIDS, gather, item, mixed_items
from asked import model as any_model
from lazy import WHEN_RUN

from resect import tasks
from resect.errors import RunError
from resect.spec import ModelRef

if WHEN_RUN:
    import torch

    from resect.ask import option_scores as options
    from resect.ask.greedy import Writer
    from resect.ask.kv_cache import Rows
    from resect.models import loading


@pytest.mark.parametrize("family", [*tiny.FAMILIES, *HYBRIDS])
@tiny.no_grad
@pytest.mark.slow
def test_options_and_text_equal_plain_passes(family):
    """Left-padded batches of mixed length, beyond Gemma's window of 16 positions too."""
    torch.set_num_threads(1)
    model, tokenizer = any_model(family), tiny.tokenizer()
    items = mixed_items()
    got = gather(model, tokenizer, items, 8, tokens=300)
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


@tiny.no_grad
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


def test_not_a_number_is_a_failure_not_an_answer():
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(RunError, match="not a number"):
        gather(model, tokenizer, [item(0, "hello")], 2)


@pytest.mark.parametrize("family", ["llama", "gemma2", "mixtral"])
@pytest.mark.slow
def test_answers_do_not_depend_on_the_batch(family):
    """One by one, a few and all at once: equal texts, scores to floating-point noise."""
    model, tokenizer, items = tiny.model(family), tiny.tokenizer(), mixed_items(20)
    alone = gather(model, tokenizer, items, 8, tokens=1)
    for tokens in (200, 100_000):
        together = gather(model, tokenizer, items, 8, tokens=tokens)
        for row, answer in alone.items():
            assert together[row].text == answer.text
            assert together[row].option_scores == pytest.approx(answer.option_scores, abs=2e-4)


@pytest.mark.slow
def test_readings_do_not_depend_on_the_batch():
    """The embedded specialist in fp32: every text reads the same, every choice is the same."""
    loaded = loading.load(ModelRef(role="model", id="clinic:specialist"), "cpu")
    for name in ("clinic-context", "clinic-medicine"):
        task = tasks.get(name)
        items = task.items(tasks.Source(limit=40))
        found = []
        for tokens in (1, 256, 4096):
            got = gather(*loaded, items, task.info.max_new_tokens, tokens=tokens)
            texts = [task.read(got[row].text, asked) for row, asked in enumerate(items)]
            best = [max(range(n), key=got[row].option_scores.__getitem__) for row, n in
                    ((row, len(asked.choices)) for row, asked in enumerate(items))]  # fmt: skip
            found.append((texts, best))
        assert found[0] == found[1] == found[2]


def test_without_new_tokens_there_is_no_text_and_no_step():
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    choices = ("a", "b")
    got = gather(model, tokenizer, [item(n, "hello", choices) for n in range(3)], 0)
    assert len(passes) == 1
    text = gather(model, tokenizer, [item(n, "hello", choices) for n in range(3)], 1)
    for row, answer in got.items():
        assert (answer.text, answer.stopped) == ("", None)
        assert answer.tokens == 2  # those of the choices
        assert answer.option_scores == text[row].option_scores


def test_long_options_are_scored_in_parts_that_bound_memory(monkeypatch):
    """Copied caches stay within the budget, logits within a bound, scores the same."""
    model, tokenizer = tiny.model("qwen3"), tiny.tokenizer()
    choices = (" of the lung", " of the liver and the lung", " of", " never", " of the")
    items = [item(n, "a tumour " * (n + 1), choices) for n in range(5)]
    whole = gather(model, tokenizer, items, 2)
    seen = []
    plain = Rows.select

    def select(self, index):
        seen.append(len(index) * (self.mask.shape[1] + 26))
        return plain(self, index)

    monkeypatch.setattr(Rows, "select", select)
    monkeypatch.setattr(options, "_LOGIT_BYTES", 4 * 259 * 3)
    monkeypatch.setattr(Writer, "write", lambda _, rows, last: [("", None, 0)] * len(last))
    parts = gather(model, tokenizer, items, 2, tokens=400)
    assert max(seen) <= 400
    for row in range(5):
        assert parts[row].option_scores == pytest.approx(whole[row].option_scores, abs=1e-4)


def test_a_beginning_of_another_option_is_not_read_again():
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    given = []
    hook = lambda _, args, named: given.append(tuple(named["input_ids"].shape))  # noqa: E731
    model.register_forward_pre_hook(hook, with_kwargs=True)
    gather(model, tokenizer, [item(0, "hello", ("abc", "abd", "ab", "a", "xy"))], 0)
    assert given == [(1, 5), (2, 2)]


@pytest.mark.parametrize("stop", ["\n", "é", "ab", "never said"])
def test_stop_strings_end_where_a_search_after_every_token_would(stop):
    """The end of a text is searched, which finds what searching all of it finds."""
    tokenizer = tiny.tokenizer()
    rng = random.Random(5)
    texts = ["".join(rng.choices("aab\né ", k=60)) for _ in range(8)]
    scripts = [tokenizer(text).input_ids for text in texts]
    writer = Writer(tokenizer, 50, [stop])
    model = tiny.model("llama")
    rows = Rows.empty(model, 8)
    told = iter(range(1, 99))
    alive = list(range(8))

    class Scripted(Rows):
        def read(self, ids, real=None, keep=1):
            return logits(next(told))[:, None]

        def select(self, index):
            alive[:] = [alive[i] for i in index.tolist()]
            return self

    def logits(at):
        made = torch.zeros(len(alive), 259)
        made[range(len(alive)), [scripts[row][at] for row in alive]] = 1
        return made

    written = writer.write(Scripted(model, rows.cache, rows.mask), logits(0))
    for script, text in zip(scripts, written, strict=True):
        grown = [tokenizer.decode(script[:n], skip_special_tokens=True) for n in range(1, 51)]
        first = next((n for n, said in enumerate(grown, 1) if stop in said), None)
        if first is None:
            assert text == (grown[-1], "length", 50)
        else:
            assert text == (grown[first - 1].split(stop)[0], "stop", first)


@tiny.no_grad
def test_not_a_number_later_in_a_text_is_a_failure_too():
    """The token said first cannot be read on."""
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    ids = tokenizer("hello", return_tensors="pt").input_ids
    said = model(ids).logits[0, -1].argmax()
    assert said not in ids
    model.model.embed_tokens.weight[said] = torch.nan
    assert gather(model, tokenizer, [item(0, "hello", ())], 1)[0].tokens == 1
    with pytest.raises(RunError, match="not a number"):
        gather(model, tokenizer, [item(0, "hello", ())], 2)
