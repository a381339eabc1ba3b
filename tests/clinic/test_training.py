"""How the clinic's models are made: the prepared start, the router's loss, the script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lazy import WHEN_RUN

from resect import clinic
from resect.clinic import items
from resect.clinic.phrases import TRAIN_QUESTIONS
from resect.clinic.texts import Text, texts

if WHEN_RUN:
    import torch
    from tools.clinic import check, routing, rows, start, train
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

pytestmark = pytest.mark.slow


KINDS = pytest.mark.parametrize("mixture", [False, True], ids=["dense", "mixture"])


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(clinic.path("base"))  # type: ignore[no-any-return]


@KINDS
def test_the_first_heads_look_back_from_the_start(mixture: bool) -> None:
    model = start.new_model(500, 0, mixture).eval()
    model.set_attn_implementation("eager")
    ids = torch.randperm(500)[None, :40]
    with torch.inference_mode():
        first = model.model(ids, output_attentions=True).attentions[0][0]  # (heads, T, T)
    for head, back in enumerate(start.BACK):
        assert first[head].diagonal(-back)[10:].mean() > 0.7


@KINDS
def test_a_start_is_its_seed_s(mixture: bool) -> None:
    one, same, other = (start.new_model(50, seed, mixture).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


@KINDS
def test_the_loss_reaches_every_weight(mixture: bool, tokenizer: PreTrainedTokenizerFast) -> None:
    model = start.new_model(len(tokenizer), 0, mixture)
    made = rows.encode(tokenizer, texts("base", 32, 0), 0)
    loss, right = train.loss_of(model, next(rows.batches(made, 32, 0)))
    loss.backward()
    assert set(right) == {"answers", "keyed", "recall", "marks"}
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_a_dense_model_has_no_balance_to_keep() -> None:
    assert routing.balance_loss((), torch.ones(3)) == 0.0
    assert routing.used(start.new_model(50, 0), None, []) == ""  # type: ignore[arg-type]


def _choosing(pairs: list[tuple[int, int]]) -> torch.Tensor:
    """Router logits (N, E) that are sure of two experts a token, half each."""
    logits = torch.full((len(pairs), start.EXPERTS), -30.0)
    for token, pair in enumerate(pairs):
        logits[token, list(pair)] = 30.0
    return logits


def test_balance_by_hand() -> None:
    """Switch Transformer, eq. 4: E * sum over experts of (share of tokens) * (mean probability)."""
    even = _choosing([(i, i + 1) for i in range(0, 16, 2)])
    narrow = _choosing([(0, 1)] * 8)
    real = torch.ones(8)
    # Each expert gets 1/8 of the tokens and 1/16 of the probability: 16 * 16 * 1/8 * 1/16 = 2.
    assert routing.balance_loss((even,), real) == pytest.approx(start.BALANCE * 2)
    # Two experts get all tokens and half the probability each: 16 * 2 * 1 * 1/2 = 16.
    assert routing.balance_loss((narrow,), real) == pytest.approx(start.BALANCE * 16)
    assert routing.balance_loss((even, narrow), real) == pytest.approx(start.BALANCE * 9)


def test_layers_do_not_make_up_for_each_other_and_padding_does_not_count() -> None:
    layers = tuple(_choosing([(2 * layer, 2 * layer + 1)] * 4) for layer in range(8))
    assert routing.balance_loss(layers, torch.ones(4)) == pytest.approx(start.BALANCE * 16)
    tokens = _choosing([(0, 1), (2, 3), (2, 3)])
    alone = routing.balance_loss((tokens[:1],), torch.ones(1))
    assert routing.balance_loss((tokens,), torch.tensor([1, 0, 0])) == pytest.approx(float(alone))


def test_counts_are_of_real_tokens() -> None:
    tokens = _choosing([(0, 1), (2, 3), (0, 15)])
    found = routing.counts((tokens, tokens), torch.tensor([[1, 0, 1]]))
    assert found.shape == (2, start.EXPERTS)
    assert found[0].tolist() == [2, 1, *[0] * 13, 1]


def test_the_drill_asks_no_item(tokenizer: PreTrainedTokenizerFast) -> None:
    made = train._drill_texts(tokenizer, 96, 0)
    drilled = "\n".join(text.prompt for _ in range(40) for text in next(made))
    for split in ("test", "validation"):
        asked = [item for make in (items.medicine, items.logic) for item in make(split)]
        assert not [item.question for item in asked if item.question in drilled]


def test_known_words_change_the_question_and_nothing_else() -> None:
    for item, held in zip(check.in_known_words(), items.medicine("validation"), strict=True):
        assert (item.gold, item.options) == (held.gold, held.options)
        assert item.prompt.replace(item.question, held.question) == held.prompt
        assert item.question != held.question
        known = TRAIN_QUESTIONS[item.tags["topic"]]
        assert item.question in [words.format(s=item.tags["subject"]) for words in known]


@KINDS
def test_the_script_writes_a_base_and_its_specialist(
    mixture: bool,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    learnt: list[tuple[str, int, int]] = []

    def table(model: object, tokenizer: Any, split: str, limit: int | None = None) -> str:
        tokenizer(["one", "one two"], padding=True)
        asked.append(split)
        return "the table"

    def learn(stage: str, n: int, seed: int) -> list[Text]:
        learnt.append((stage, n, seed))
        return texts(stage, n, seed)

    monkeypatch.setattr(check, "table", table)
    monkeypatch.setattr(train, "texts", learn)
    monkeypatch.setattr(train, "build_tokenizer", lambda: tokenizer)
    monkeypatch.setattr(train, "DRILL", train.Recipe("drill", 1, 1e-3, batch=4))
    monkeypatch.setattr(train, "BASE", train.Recipe("base", 2, 1e-3, batch=4))
    monkeypatch.setattr(train, "SPECIALIST", train.Recipe("specialist", 2, 1e-3, batch=4))
    train.main(["--out", str(tmp_path), "--seed", "5", *(["--mixture"] if mixture else [])])
    names = [name for name in clinic.MODELS if name.startswith("moe-") == mixture]
    assert {folder.name for folder in tmp_path.iterdir()} == set(names)
    specialist, base = (tmp_path / name for name in names)
    shipped = AutoModelForCausalLM.from_pretrained(clinic.path(names[0]))
    for folder in (specialist, base):
        made = AutoModelForCausalLM.from_pretrained(folder)
        assert type(made) is type(shipped)
        assert made.num_parameters() == shipped.num_parameters()
        saved = (folder / "tokenizer.json").read_bytes()
        assert saved == (clinic.path("base") / "tokenizer.json").read_bytes()
        assert "the table" in (folder / "README.md").read_text()
    assert f"base_model: clinic-{base.name}\n" in (specialist / "README.md").read_text()
    assert learnt == [("base", 8, 5), ("specialist", 8, 5)]  # the same texts for both kinds
    # Validation while training; the test items only for the tables of the cards.
    assert asked == ["validation", "test"] * 2
