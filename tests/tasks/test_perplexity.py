"""Perplexity: windows that cover a text once, and the numbers of a plain forward pass."""

from __future__ import annotations

import gzip
import json
import math

import pytest
import tiny
from lazy import WHEN_RUN

import resect
from resect import tasks
from resect.errors import RequestError
from resect.tasks import Source

if WHEN_RUN:
    import torch


TEXT = "".join(f"{'  ' if i % 7 == 0 else ' '}word{i}" for i in range(50)) + " \n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_windows_cover_a_text_once(text):
    items = tasks.get(f"perplexity:{text}@12/5").items(Source())
    assert len(items) == 10
    assert "".join(item.choices[0] for item in items) == TEXT
    before = ""
    for item in items:
        assert before.endswith(item.prompt)
        assert len(item.prompt.split()) == min(7, len(before.split()))
        assert item.prompt.rstrip() == item.prompt
        before += item.choices[0]


def test_the_release_is_covered_and_windows_of_an_article_belong_together(data_dir):
    items = tasks.get("wikitext2").items(Source(data_dir))
    with gzip.open(data_dir / "wikitext2_raw_test.jsonl.gz", "rt", encoding="utf-8") as file:
        whole = "".join(json.loads(line)["text"] for line in file)
    assert "".join(item.choices[0] for item in items) == whole
    assert len(whole.encode()) == 1290590  # the size of wiki.test.raw
    assert len({item.parent for item in items}) == 60
    assert all(len(item.choices[0].split()) <= 128 for item in items)


def test_windows_of_tokens_give_the_number_of_published_loops(text, tmp_path):
    """Chunks of the joined text, the loss of every token but a chunk's first, the rest left out."""
    folder = tiny.save(tmp_path / "model")
    study = resect.Study.of(
        models={"base": str(folder)}, recipes=[], tasks=[f"perplexity:{text}@64tok"]
    )
    (row,) = resect.run(study, tmp_path / "run").summary()["curves"]
    model, tokenizer = tiny.model("mistral"), tiny.tokenizer()
    ids = torch.tensor(tokenizer(TEXT, add_special_tokens=False).input_ids)
    chunks = ids[: len(ids) // 64 * 64].view(-1, 64)
    with torch.no_grad():
        logs = model(chunks).logits[:, :-1].log_softmax(-1)
    loss = -logs.gather(-1, chunks[:, 1:, None]).mean()
    assert row["metrics"]["perplexity"]["value"] == pytest.approx(float(loss.exp()), rel=1e-3)
    assert row["n"] == len(chunks)


def test_lines_are_joined_as_in_published_tables(data_dir):
    task = tasks.get("wikitext2@2048tok")
    assert task.info.name == "wikitext2@2048tok"
    items = task.items(Source(data_dir, token_starts=lambda text: list(range(len(text)))))
    assert items[0].prompt + items[0].choices[0][:25] == "\n\n = Robert Boulter = \n\n\n\n"
    assert {len(item.prompt + item.choices[0]) for item in items} == {2048}


@pytest.mark.parametrize("name", ["wikitext2@1tok", "wikitext2@8/9tok", "wikitext2@tok"])
def test_wrong_windows_of_tokens_are_refused(name, data_dir):
    with pytest.raises(RequestError):
        tasks.get(name).items(Source(data_dir, token_starts=lambda _: [0]))


def test_numbers_are_those_of_one_forward_pass(text, tmp_path):
    folder = tiny.save(tmp_path / "model")
    name = f"perplexity:{text}@20/10"
    study = resect.Study.of(models={"base": str(folder)}, recipes=[], tasks=[name])
    run = resect.run(study, tmp_path / "run")
    (row,) = run.summary()["curves"]
    nll, tokens = 0.0, 0
    model, tokenizer = tiny.model("mistral"), tiny.tokenizer()
    for item in tasks.get(name).items(Source()):
        start = tokenizer(item.prompt, add_special_tokens=False).input_ids or [1]
        ids = tokenizer(item.choices[0], add_special_tokens=False).input_ids
        with torch.no_grad():
            logs = model(torch.tensor([start + ids])).logits[0].log_softmax(-1)
        nll -= sum(float(logs[len(start) + i - 1, token]) for i, token in enumerate(ids))
        tokens += len(ids)
    value = {key: one["value"] for key, one in row["metrics"].items()}
    assert value["perplexity"] == pytest.approx(math.exp(nll / tokens), rel=1e-4)
    assert value["bits_per_byte"] == pytest.approx(nll / len(TEXT.encode()) / 0.6931472, rel=1e-4)
    assert value["word_perplexity"] == pytest.approx(math.exp(nll / 50), rel=1e-3)
    assert (row["view"], row["n"], row["skill"], row["accuracy"]) == ("options", 5, None, None)
    assert "perplexity" in run.summary()["headline"]["text"]


def test_form_and_fewshots_of_a_study_do_not_touch_a_text(text):
    task = tasks.get(f"perplexity:{text}@12/5")
    asked = Source(num_fewshot=3, apply_chat_template=True, system_instruction="Be brief.")
    assert task.items(asked) == task.items(Source())
    assert task.describe(asked) == task.info
    assert "windows of 12 words, each scored by its last 5" in task.info.protocol


@pytest.mark.parametrize("form", ["x@0/0", "x@4/8"])
def test_windows_that_cannot_be(form):
    with pytest.raises(RequestError, match="WHAT@WINDOW/STRIDE"):
        tasks.get(f"perplexity:{form}")


def test_a_text_that_is_not_there(tmp_path):
    with pytest.raises(RequestError, match="there is no text file"):
        tasks.get(f"perplexity:{tmp_path / 'no.txt'}").items(Source())
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"body": "x"}\n')
    with pytest.raises(RequestError, match="line 1 has no field 'text'"):
        tasks.get(f"perplexity:{bad}").items(Source())
