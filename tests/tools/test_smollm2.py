"""The trainer of the real specialist: its adapter, its batches, stopping and going on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tiny
from lazy import WHEN_RUN

from resect.errors import RequestError
from resect.record import Item, RawAnswer
from resect.tasks import prompts
from resect.tasks.contract import Source
from resect.tasks.question import Question

if WHEN_RUN:
    import torch
    from tools.smollm2 import batches, check, lora, material, train
    from transformers import AutoModelForCausalLM

    from resect.ask.tokenize import rendered

pytestmark = pytest.mark.slow


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SOURCE = Source(num_fewshot=0, apply_chat_template=True)


def labelled(number: int) -> Question:
    gold = ("Supports", "Refutes", "Neutral")[number % 3]
    text = f"claim number {number}"
    return Question(f"healthver/{number}", text, gold, labels=("Supports", "Refutes", "Neutral"),
                    context="Evidence " * (number % 5 + 1))  # fmt: skip


def sentence(number: int) -> Question:
    context, shown = f"He has gout and ill{number} .", f"gout | ill{number}"
    gold = f'[["Disease", "gout"], ["Disease", "ill{number}"]]'
    return Question(f"ncbi-disease/{number}", "", gold, shown=shown, context=context)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    found = tiny.tokenizer()
    found.chat_template = CHATML
    return found


@pytest.fixture(scope="module")
def part() -> material.Part:
    yes = Question("pubmedqa/1", "Is it so?", "yes", labels=("yes", "no"), context="It is.")
    no = Question("pubmedqa/2", "Is it not?", "no", labels=("yes", "no"), context="It is.")
    explained = Question("medquad/1", "What is gout?", "A disease. " * 40)
    names = {name: [yes, no] for name in ("pubmedqa-test", "pubmedqa", "bioasq-yesno")}
    claims, sentences = list(map(labelled, range(12))), list(map(sentence, range(20)))
    extraction = dict.fromkeys(material.EXTRACTION, sentences)
    return material.Part(names | extraction | {"healthver": claims, "medquad": [explained]})


def made(part: material.Part, tokenizer: Any, seed: int = 0) -> batches.Batches:
    return batches.Batches(part, tokenizer, SOURCE, seed, 512)


def test_the_adapter_is_what_peft_reads(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "base", seed=1)
    model = AutoModelForCausalLM.from_pretrained(folder)
    plain = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.arange(40).view(2, 20)
    layers = lora.adapt_(model, 4, 8.0)
    torch.testing.assert_close(model(ids).logits, plain(ids).logits)
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, plain(ids).logits)
    for layer in layers.values():
        torch.nn.init.normal_(layer.b, std=0.1)
        layer.merge()
    size = lora.save(layers, tmp_path / "adapter", str(folder), 8.0)
    assert size > sum(2 * p.numel() for layer in layers.values() for p in layer.parameters())
    plain.load_adapter(str(tmp_path / "adapter"))
    torch.testing.assert_close(plain(ids).logits, model(ids).logits, rtol=0.02, atol=0.02)
    assert not torch.allclose(plain(ids).logits, model(ids).logits.roll(1, 0), atol=0.1)


def test_gradients_are_those_of_the_product() -> None:
    torch.manual_seed(0)
    layer = lora.Adapted(torch.nn.Linear(6, 5, bias=False), 2, 3.0)
    torch.nn.init.normal_(layer.b)
    layer.merge()
    x = torch.randn(2, 4, 6, requires_grad=True)
    weight = torch.randn(2, 4, 5)
    wanted = torch.autograd.grad(
        (x @ (layer.weight + 3.0 * layer.b @ layer.a).T * weight).sum(), [x, layer.a, layer.b]
    )
    given = torch.autograd.grad((layer(x) * weight).sum(), [x, layer.a, layer.b])
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_only_answers_are_learnt_after_the_prompt_that_is_asked(
    part: material.Part, tokenizer: Any
) -> None:
    task, question = material.task("healthver"), labelled(1)
    row = made(part, tokenizer)._labelled("healthver", question, 2.0, plain=False)
    asked = rendered(tokenizer, task.item(question, SOURCE))
    first = next(i for i, weight in enumerate(row.weights) if weight)
    assert tokenizer.decode(row.ids[:first]) == asked
    assert tokenizer.decode(row.ids[first:]).startswith("Refutes<")
    plain = made(part, tokenizer)._labelled("healthver", question, 2.0, plain=True)
    first = next(i for i, weight in enumerate(plain.weights) if weight)
    assert tokenizer.decode(plain.ids[:first]) == task.item(question, SOURCE).prompt


def test_a_sentence_in_a_conversation_is_asked_as_after_worked_examples(
    part: material.Part, tokenizer: Any
) -> None:
    name, questions = "ncbi-disease", list(map(sentence, range(5)))
    row = made(part, tokenizer)._conversation(name, questions)
    task = material.task(name)
    shots = [(task.prompt(q), task.shown(q)) for q in questions[:4]]
    before = ("", task.description(questions[4]))
    turns = prompts.conversation(before, shots, task.prompt(questions[4]))
    asked = rendered(tokenizer, Item("", "", None, turns=turns))
    assert tokenizer.decode(row.ids).startswith(asked + "gout | ill4<")
    learnt = tokenizer.decode([i for i, w in zip(row.ids, row.weights, strict=True) if w])
    assert learnt == "".join(f"gout | ill{n}<" for n in range(5))


def test_batches_are_a_function_of_seed_and_step(part: material.Part, tokenizer: Any) -> None:
    one, other = made(part, tokenizer), made(part, tokenizer)
    late = one.of(9)
    assert [one.of(step) for step in range(12)][9] == late == other.of(9)
    assert late != made(part, tokenizer, seed=1).of(9)
    rows = [row for step in range(40) for batch in one.of(step) for row in batch]
    assert {labelled(n).question in tokenizer.decode(r.ids) for n in range(12) for r in rows} == {
        True,
        False,
    }


def test_a_test_item_among_the_examples_is_refused(data_dir: Path) -> None:
    source = Source(data_dir=data_dir)
    for name in ("healthver", "ncbi-disease"):
        task = material.task(name)
        fresh = sentence(0) if name == "ncbi-disease" else labelled(0)
        asked = next(q for q in task.questions(source) if len(q.question or q.context) > 40)
        material.refuse([name], [material.Part({name: [fresh]})], source)
        with pytest.raises(RequestError, match="training data"):
            material.refuse([name], [material.Part({name: [fresh, asked]})], source)


def test_stopped_and_gone_on_gives_the_same_weights(
    part: material.Part, tokenizer: Any, tmp_path: Path
) -> None:
    base = tiny.save(tmp_path / "base", seed=1)
    lessons = made(part, tokenizer)

    def steps(trainer: train.Trainer, count: int) -> train.Trainer:
        with ThreadPoolExecutor(2) as workers:
            for _ in range(count):
                loss, _ = trainer.learn(lessons.of(trainer.step), workers)
                assert loss > 0
        return trainer

    whole = steps(train.Trainer(base, tmp_path / "whole", 8, 0), 4)
    steps(train.Trainer(base, tmp_path, 8, 0), 2).save()
    second = train.Trainer(base, tmp_path, 8, 0)
    assert second.resume()
    steps(second, 2)
    assert second.step == whole.step == 4
    for one, other in zip(whole.learnt, second.learnt, strict=True):
        assert torch.equal(one, other)
    assert any(p.abs().max() > 0 for layer in whole.layers.values() for p in [layer.b])
    with pytest.raises(SystemExit, match="seed 0"):
        train.Trainer(base, tmp_path, 8, 1).resume()


class Perfect:
    """An asker whose answers are the gold ones, or nothing of the kind."""

    def __init__(self, items: list[Item], right: bool) -> None:
        self.items, self.right = items, right

    def ask(self, model: object) -> Any:
        def answer(item: Item) -> RawAnswer:
            scores = tuple(0.0 if label == item.gold else -1.0 for label in item.labels)
            wanted = item.gold if item.choices else " | ".join(m for _, m in json.loads(item.gold))
            return RawAnswer(wanted if self.right else "", "eos", 1, scores or None)

        yield list(range(len(self.items))), list(map(answer, self.items))


@pytest.mark.parametrize("right", [True, False])
def test_a_check_gives_skill_and_f1(right: bool, part: material.Part, tokenizer: Any) -> None:
    checked = check.Check(part, tokenizer, SOURCE, 9)
    checked.askers = {n: Perfect(items, right) for n, items in checked.items.items()}
    model = torch.nn.Linear(1, 1)
    with ThreadPoolExecutor(2) as workers:
        scores = {score.task: score for score in checked.scores(model, workers)}
    assert list(scores) == list(check.ASKED)
    assert scores["healthver"].n == 9
    for name in ("healthver", "bioasq-yesno", "ncbi-disease"):
        assert scores[name].skill.value == float(right)
        assert scores[name].accuracy == float(right)
        assert scores[name].silent == float(not right)
    assert scores["bioasq-yesno"].options == 1.0
    assert f"skill {float(right):.3f}" in scores["healthver"].line()
