"""Names of tasks: families with arguments, `:cot`, and what an unknown one answers."""

from __future__ import annotations

import json

import pytest

from resect import tasks
from resect.cli import main
from resect.errors import RequestError
from resect.tasks import Source


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pubmedqa_test", r"unknown task 'pubmedqa_test': did you mean pubmedqa-test"),
        ("medmqa", r"did you mean medmcqa or medqa"),
        ("mmlu-anatomy", r"did you mean .*mmlu:anatomy"),
        ("mmlu:anatmy", r"unknown MMLU subject 'anatmy': did you mean anatomy"),
        ("mmlu:", r"unknown task 'mmlu:'"),
        ("medqa:5", r"unknown task 'medqa:5': did you mean medqa"),
        ("xyzzy", r"choose from .*mmlu:<subject>.*own:<file.jsonl>"),
        ("xyzzy:cot", r"unknown task 'xyzzy'"),
        ("medqa:cot:cot", r"medqa:cot has no :cot form"),
        ("lm-eval:arc_easy:cot", r"lm-eval:arc_easy has no :cot form"),
    ],
)
def test_an_unknown_name(name, sentence):
    with pytest.raises(RequestError, match=sentence):
        tasks.get(name)


def test_reasoning_changes_prompt_budget_and_views(data_dir):
    plain, reasoned = tasks.get("medqa"), tasks.get("medqa:cot")
    source = Source(data_dir, limit=2)
    for one, other in zip(plain.items(source), reasoned.items(source), strict=True):
        body = one.prompt.removesuffix("\nAnswer:")
        assert other.prompt == (
            f'{body}\nThink step by step, then end with "Final answer:" and one of '
            "A, B, C, D, E.\nReasoning:"
        )
        assert (other.id, other.gold, other.choices) == (one.id, one.gold, ())
        assert other.key != one.key
    said = reasoned.describe(Source(max_new_tokens=1000))
    assert said.max_new_tokens == 1000
    assert "reasoning asked for before the answer, zero-shot" in said.protocol
    assert "a text that the budget cut off before it is truncated" in said.protocol
    assert reasoned.reader.version == f"cot:2 {plain.reader.version}"


def test_examples_of_reasoning_must_have_some(data_dir):
    with pytest.raises(RequestError, match=r"medqa:cot has 0 worked examples"):
        tasks.get("medqa:cot").items(Source(data_dir, limit=1, num_fewshot=1))
    (item,) = tasks.get("pubmedqa-test:cot").items(Source(data_dir, limit=1, num_fewshot=2))
    assert item.prompt.count("\nFinal answer: ") == 2


def test_the_list(capsys):
    assert main(["tasks", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    keys = ["name", "kind", "summary", "protocol", "labels", "hub", "revision", "file"]
    assert all(list(row) == keys for row in rows)
    assert len(rows) == len(tasks.TASKS)
    by_name = {row["name"]: row for row in rows}
    assert by_name["medmcqa"]["hub"] == "openlifescienceai/medmcqa"
    assert by_name["mmlu:<subject>"]["file"] == "mmlu_test.jsonl.gz"
    assert main(["tasks"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(tasks.TASKS)
