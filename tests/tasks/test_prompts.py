"""How instructions, worked examples and chat turns go around a question, and who renders them."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
import tiny
from lazy import WHEN_RUN
from tokenizers.processors import TemplateProcessing

from resect import tasks
from resect.errors import RequestError
from resect.tasks import Source

if WHEN_RUN:
    from resect.ask.tokenize import rendered, special_prefix, tokenize


CHATML = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('none') }}{% endif %}"


@pytest.fixture
def context() -> tasks.Task:
    return tasks.get("clinic-context")


def test_examples_stand_before_the_question(context):
    plain = context.items(Source(limit=3))
    shown = context.items(Source(limit=3, num_fewshot=2, system_instruction="Be brief."))
    _, first, second, _ = shown[0].prompt.split("\n\nContext: ")
    for before, after in zip(plain, shown, strict=True):
        assert after.prompt.startswith("Be brief.\n\nContext: ")
        assert after.prompt.endswith(f"\n\n{before.prompt}")
        assert before.prompt not in after.prompt[: -len(before.prompt)]
        assert (after.id, after.gold, after.choices) == (before.id, before.gold, before.choices)
        assert after.key != before.key
    for example in (first, second):
        assert example.split("Answer (yes/no/maybe):")[1] in (" yes", " no", " maybe")


def test_examples_are_of_the_validation_split(context):
    asked = {item.prompt for item in context.items(Source())}
    shown = context.items(Source(limit=1, num_fewshot=5))[0].prompt.split("\n\n")
    assert len(shown) == 6
    assert not any(part.rpartition(" ")[0] in asked for part in shown[:-1])


def test_more_examples_than_there_are(context):
    with pytest.raises(RequestError, match=r"402 worked examples.*--num_fewshot"):
        context.items(Source(limit=1, num_fewshot=500))


def test_turns_are_rendered_by_the_models_template(context):
    source = Source(limit=1, num_fewshot=1, apply_chat_template=True, system_instruction="Hello.")
    (item,) = context.items(source)
    assert [role for role, _ in item.turns] == ["system", "user", "assistant", "user"]
    assert item.choices == ("yes", "no", "maybe")
    tokenizer = tiny.tokenizer()
    with pytest.raises(RequestError, match="no chat template"):
        rendered(tokenizer, item)
    tokenizer.chat_template = CHATML
    text = rendered(tokenizer, item)
    assert text.startswith("<s><|system|>Hello.\n<|user|>Context: ")
    assert text.endswith("Answer (yes/no/maybe):\n<|assistant|>")
    (prompt,) = tokenize(tokenizer, [item], 8)
    assert tokenizer.decode(prompt.ids) == text
    assert [tokenizer.decode(choice) for choice in prompt.choices] == list(item.choices)
    begun = replace(item, turns=(*item.turns, ("assistant", "The answer is")))
    assert rendered(tokenizer, begun).endswith("Answer (yes/no/maybe):\n<|assistant|>The answer is")
    tokenizer.chat_template = NO_SYSTEM + CHATML
    assert rendered(tokenizer, item).startswith("<s><|user|>Hello.\n\nContext: ")


def test_a_begin_of_text_token_is_there_once(context):
    (item,) = context.items(Source(limit=1, apply_chat_template=True))
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = CHATML
    for written in (True, False):  # by the template as well as by the tokenizer, or not
        tokenizer.chat_template = CHATML if written else CHATML.removeprefix("{{ bos_token }}")
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
        )
        assert special_prefix(tokenizer) == [tokenizer.bos_token_id]
        for positions in (None, 100):  # whole, and cut from the left
            (prompt,) = tokenize(tokenizer, [item], 8, positions)
            assert prompt.ids.count(tokenizer.bos_token_id) == 1
            assert prompt.ids[0] == tokenizer.bos_token_id
            assert prompt.cut == (positions is not None)


def test_the_protocol_says_how_it_was_asked(context):
    said = context.describe(Source(num_fewshot=3, apply_chat_template=True, max_new_tokens=99))
    assert "3-shot (from the generated validation split), chat template" in said.protocol
    assert "at most 99 greedy tokens" in said.protocol
    assert said.max_new_tokens == 99


def test_mmlu_shows_the_dev_rows_of_the_subject_in_their_order(data_dir):
    task = tasks.get("mmlu-medical")
    items = task.items(Source(data_dir, limit=12, num_fewshot=5))
    with gzip.open(data_dir / "mmlu_dev.jsonl.gz", "rt", encoding="utf-8") as file:
        dev = [json.loads(line) for line in file]
    for item in items:
        rows = [row for row in dev if row["subject"] == item.tags["subject"]]
        subject = item.tags["subject"].replace("_", " ")
        head, *shown, _ = item.prompt.split("\n\n")
        assert head.endswith(f"about {subject}.")
        assert len(shown) == len(rows) == 5
        for text, row in zip(shown, rows, strict=True):
            assert text.startswith(row["question"].strip())
            assert text.endswith(f"Answer: {row['answer']}")
    with pytest.raises(RequestError, match="mmlu-medical has 5 worked examples"):
        task.items(Source(data_dir, limit=1, num_fewshot=6))
