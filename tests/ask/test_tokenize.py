"""Items to ids: where a choice begins, what is cut, what stands for an empty prompt."""

from __future__ import annotations

import pytest
import tiny
from asked import gather, item
from lazy import WHEN_RUN

from resect.errors import RequestError

if WHEN_RUN:
    import torch

    from resect.ask import Asker
    from resect.ask.tokenize import tokenize


def test_a_long_prompt_is_cut_from_the_left_and_counted():
    model, tokenizer = tiny.model("llama", max_position_embeddings=40), tiny.tokenizer()
    items = [item(0, "x" * 30 + "the end of it"), item(1, "short")]
    asker = Asker(tokenizer, items, 8, positions=40)
    assert asker.notes() == ["1 prompts were cut from the left to fit the model's positions"]
    list(asker.ask(model, wanted={1}))
    assert asker.notes(), "a resumed cell is degraded like a fresh one"
    (prompt,) = tokenize(tokenizer, [item(0, "ab" * 40)], 8, positions=40)
    assert prompt.ids == tokenizer("ab" * 16).input_ids


def test_an_option_without_tokens_is_refused():
    with pytest.raises(RequestError, match="adds no token"):
        tokenize(tiny.tokenizer(), [item(0, "hello", ("", "a"))], 2)


@tiny.no_grad
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
    with pytest.raises(RequestError, match="reads 8 tokens"):
        tokenize(tiny.tokenizer(), [item(0, "hello")], 8, positions=8)


@tiny.no_grad
def test_an_empty_prompt_is_scored_after_the_begin_or_end_token():
    """As lm-evaluation-harness scores a rolling window: every token of the text counts."""
    tokenizer, model = tiny.tokenizer(), tiny.model("llama")
    window = "a text that stands alone"
    (prompt,) = tokenize(tokenizer, [item(0, "", (window,))], 0)
    assert prompt.ids == [tokenizer.bos_token_id]
    got = gather(model, tokenizer, [item(0, "", (window,))], 0)
    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(window).input_ids]])
    logs = model(ids).logits[0].log_softmax(-1)
    plain = sum(float(logs[at, ids[0, at + 1]]) for at in range(ids.shape[1] - 1))
    assert got[0].option_scores == (pytest.approx(plain, abs=1e-3),)
    tokenizer.bos_token = None
    (prompt,) = tokenize(tokenizer, [item(0, "", (window,))], 0)
    assert prompt.ids == [tokenizer.eos_token_id]
    tokenizer.eos_token = None
    with pytest.raises(RequestError, match="empty prompt"):
        tokenize(tokenizer, [item(0, "", (window,))], 0)
