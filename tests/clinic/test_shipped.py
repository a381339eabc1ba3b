"""The weights that ship: small, labelled, loadable, and as able as they are said to be."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import pytest
from lazy import WHEN_RUN

from resect import clinic
from resect.clinic.clinic_tasks import Context, Logic, Medicine
from resect.record import Item
from resect.spec import ModelRef, Study
from resect.tasks import Source

if WHEN_RUN:
    import torch
    from tools.clinic.check import text_labels

    from resect.models import loading

pytestmark = pytest.mark.slow


N = 84  # a multiple of three labels, four labels and six types of puzzle
SPECIALIST = {"clinic-medicine": 0.97, "clinic-context": 0.95, "clinic-logic": 0.85}
BASE = {"clinic-medicine": 0.3, "clinic-context": 0.95, "clinic-logic": 0.80}
MOST = 0.6  # what a base may know of medicine
BY_TYPE = 0.7
ALLOWED = {"specialist": 0.0, "base": 0.0, "moe-specialist": 0.05, "moe-base": 0.05}


class Asked(NamedTuple):
    """A model by name, loaded, and what it said to the first items of each task."""

    name: str
    model: Any
    tokenizer: Any
    answers: dict[str, list[tuple[Item, str | None]]]


@pytest.fixture(scope="module", params=clinic.MODELS)
def asked(request: pytest.FixtureRequest) -> Asked:
    loaded = loading.load(ModelRef(role="model", id=f"clinic:{request.param}"), "cpu")
    answers = {}
    with loading.threads(loaded.model):
        for task in (Context(), Medicine(), Logic()):
            items = task.items(Source(limit=N))
            read = text_labels(loaded.model, loaded.tokenizer, items)
            answers[task.info.name] = list(zip(items, read, strict=True))
    return Asked(request.param, *loaded, answers)


def _share(answers: list[tuple[Item, str | None]]) -> float:
    return sum(label == item.gold for item, label in answers) / len(answers)


def test_skills_are_those_aimed_at(asked: Asked) -> None:
    targets = SPECIALIST if asked.name.endswith("specialist") else BASE
    for task, least in targets.items():
        assert _share(asked.answers[task]) >= least - ALLOWED[asked.name], task
    if not asked.name.endswith("specialist"):
        assert _share(asked.answers["clinic-medicine"]) <= MOST


def test_every_type_of_puzzle_and_contexts_on_two_drugs(asked: Asked) -> None:
    types = defaultdict(list)
    for item, label in asked.answers["clinic-logic"]:
        types[item.tags["type"]].append((item, label))
    assert len(types) == 6
    if asked.name.endswith("specialist"):  # nothing is aimed at by type for the bases
        for kind, answers in types.items():
            assert _share(answers) >= BY_TYPE - ALLOWED[asked.name], kind
    two = [pair for pair in asked.answers["clinic-context"] if pair[0].tags["verdicts"] == "2"]
    assert len(two) == N // 2
    assert _share(two) >= 0.95 - ALLOWED[asked.name]


def test_hardly_a_text_names_no_option(asked: Asked) -> None:
    labels = [label for answers in asked.answers.values() for _, label in answers]
    assert labels.count(None) / len(labels) < 0.02


def test_answers_end_with_the_end_token(asked: Asked) -> None:
    for answers in asked.answers.values():
        ids = asked.tokenizer(answers[0][0].prompt, return_tensors="pt")
        with torch.inference_mode():
            out = asked.model.generate(**ids, max_new_tokens=8, do_sample=False)
        assert out[0, -1].item() == asked.tokenizer.eos_token_id


def test_mixtures_send_each_token_to_two_of_sixteen_experts_and_leave_none_idle() -> None:
    from tools.clinic.routing import counts

    for name in ("moe-specialist", "moe-base"):
        model, tokenizer = loading.load(ModelRef(role="model", id=f"clinic:{name}"), "cpu")
        assert model.config.num_local_experts == 16
        assert model.config.num_experts_per_tok == 2
        prompts = [i.prompt for t in (Context(), Medicine(), Logic()) for i in t.items(Source())]
        batch = tokenizer(prompts[::12], return_tensors="pt", padding=True)
        batch.pop("token_type_ids", None)
        with torch.inference_mode():
            out = model.model(**batch, output_router_logits=True)
        found = counts(out.router_logits, batch["attention_mask"])
        assert found.sum(1).unique().tolist() == [2 * int(batch["attention_mask"].sum())]
        assert (found > 0).all()


@pytest.mark.parametrize("name", clinic.MODELS)
def test_folder_is_small_complete_and_labelled(name: str) -> None:
    folder = clinic.path(name)
    assert sum(f.stat().st_size for f in folder.iterdir()) <= 6_000_000
    names = {f.name for f in folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= names
    card = (folder / "README.md").read_text()
    assert "invented" in card
    assert "Not for medical use" in card


def test_the_studies_that_ship_ask_every_model_that_ships() -> None:
    studies = [Study.load(path) for path in (clinic.DEMO, clinic.DEMO_MOE)]
    named = [model.id for study in studies for model in study.models.values()]
    assert named == [f"clinic:{name}" for name in clinic.MODELS]


@pytest.mark.parametrize("kind", ["", "moe-"])
def test_a_specialist_names_its_base_and_shares_its_tokenizer(kind: str) -> None:
    base = ModelRef(role="base", id=f"clinic:{kind}base")
    found, _ = loading.identify(ModelRef(role="specialist", id=f"clinic:{kind}specialist"))
    assert found.parent == base.name
    assert loading.identify(base)[0].parent is None
    tokenizers = {(clinic.path(name) / "tokenizer.json").read_bytes() for name in clinic.MODELS}
    assert len(tokenizers) == 1
