"""lm-evaluation-harness's own tasks here: its prompts, its choices, and exactly its accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml
import yaml_task
from lazy import WHEN_RUN

from resect import clinic, tasks
from resect.errors import RequestError
from resect.tasks import Source
from resect.tasks.contract import chosen
from resect.tasks.harness import Harness

if WHEN_RUN:
    import torch

    from resect.ask import Asker

    lm_eval = pytest.importorskip(
        "lm_eval", reason="lm_eval is not installed: parity goes unchecked"
    )


TRUSTED = True
LOCAL: dict[str, dict[str, Any]] = {
    "texts": {"fewshot_split": None},
    "letters": {
        "doc_to_text": "{{question}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. odd\nAnswer:",
        "doc_to_choice": ["A", "B", "C"],
        "description": "Pick one.\n\n",
    },
    "several": {"fewshot_split": None, "doc_to_target": "right"},
    "blank": {"doc_to_text": "Question: {{question}} ", "target_delimiter": ""},
    "words": yaml_task.WORDS,
    "free": {**yaml_task.WORDS, "doc_to_target": "question", "generation_kwargs": None},
    "likely": {"output_type": "loglikelihood", "doc_to_choice": None, "doc_to_target": "word"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """YAML files of a user's own, and their data."""
    import datasets

    root = tmp_path_factory.mktemp("harness")
    datasets.disable_progress_bars()
    for name, changes in LOCAL.items():
        yaml_task.write(root, name, 24, **changes)
    (root / "both.yaml").write_text(yaml.safe_dump({"group": "both", "task": ["texts", "letters"]}))
    return root


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[Any, Any]]:
    """A random model whose tokens are bytes, and the specialist, to which a letter is one token."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    place = clinic.path("specialist")
    return {
        "bytes": (tiny.model("mistral", seed=3), tiny.tokenizer()),
        "clinic": (
            AutoModelForCausalLM.from_pretrained(place).eval(),
            AutoTokenizer.from_pretrained(place),
        ),
    }


def theirs(pair: tuple[Any, Any], task: Any, shots: int | None, limit: int) -> list[dict[str, Any]]:
    """The harness's samples."""
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(pretrained=pair[0], tokenizer=pair[1], batch_size=4, max_length=4096)
    found = lm_eval.simple_evaluate(
        model=model,
        tasks=[task],
        task_manager=TaskManager(include_defaults=False),  # else it reads thousands of files
        num_fewshot=shots,
        limit=limit,
        log_samples=True,
        bootstrap_iters=0,
        verbosity="ERROR",
    )
    return next(iter(found["samples"].values()))


def ours(pair: tuple[Any, Any], items: list[Any], scored: str) -> tuple[list[Any], list[Any]]:
    """Option scores and the labels chosen."""
    pair[1].padding_side = "left"
    asker = Asker(pair[1], items, max_new_tokens=0)
    scores: list[Any] = [None] * len(items)
    for batch in asker.ask(pair[0]):
        for row, raw in zip(batch.rows, batch.answers, strict=True):
            scores[row] = raw.option_scores
    return scores, [chosen(i, s, scored) for i, s in zip(items, scores, strict=True)]


@pytest.mark.parametrize(
    ("name", "shots"),
    [("texts", None), ("letters", None), ("letters", 2), ("several", None), ("blank", None)],
)
@pytest.mark.parametrize("which", ["bytes", "clinic"])
@pytest.mark.slow
def test_the_same_accuracy(folder, models, name, which, shots):
    task = tasks.get(f"lm-eval:{folder / name}.yaml", TRUSTED)
    items = task.items(Source(num_fewshot=shots))
    samples = theirs(models[which], task.task, shots, 24)
    scores, labels = ours(models[which], items, task.info.scored)
    for item, sample, mine in zip(items, samples, scores, strict=True):
        asked = [context + choice for context, choice in sample["arguments"]]
        assert [item.prompt + choice for choice in item.choices] == asked
        assert mine == pytest.approx([float(r[0][0]) for r in sample["resps"]], abs=1e-3)
    right = [item.gold == label for item, label in zip(items, labels, strict=True)]
    assert right == [bool(sample["acc"]) for sample in samples]
    assert 0 < sum(right) < 24  # so that it could have differed


def test_single_and_several_tokens(folder, models):
    """Both kinds of options were among those compared."""
    letters = tasks.get(f"lm-eval:{folder / 'letters'}.yaml", TRUSTED).items(Source(limit=1))[0]
    sizes = {
        which: {len(c) for c in Asker(tokenizer, [letters], 1).prompts[0].choices}
        for which, (_, tokenizer) in models.items()
    }
    assert sizes["clinic"] == {1}
    assert sizes["bytes"] == {2}


@pytest.fixture(scope="module")
def anatomy(tmp_path_factory, data_dir) -> Path:
    """MMLU anatomy in the hub's layout, test and dev."""
    import datasets

    from resect.tasks import mmlu, offline

    root = tmp_path_factory.mktemp("mmlu")
    for rows, split in ((mmlu.TEST, "test"), (mmlu.DEV, "dev")):
        kept = [
            {
                "question": row["question"],
                "subject": row["subject"],
                "choices": row["options"],
                "answer": "ABCD".index(row["answer"]),
            }
            for row in offline.rows(data_dir, rows.file, rows.fields)
            if row["subject"] == "anatomy"
        ]
        datasets.Dataset.from_list(kept).to_parquet(root / f"{split}.parquet")
    files = "".join(f"  - split: {s}\n    path: {s}.parquet\n" for s in ("test", "dev"))
    (root / "README.md").write_text(
        f"---\nconfigs:\n- config_name: anatomy\n  data_files:\n{files}---\n"
    )
    return root


@pytest.mark.parametrize("shots", [0, 5])
@pytest.mark.slow
def test_mmlu_is_the_harness_mmlu(anatomy, models, data_dir, shots):
    """Prompts byte for byte and accuracy of `mmlu:anatomy`, against the harness's mmlu_anatomy."""
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    place = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default" / "mmlu_anatomy.yaml"
    config = {**load_yaml(place, recursive=True), "dataset_path": str(anatomy)}
    (task,) = TaskManager(include_defaults=False).load([config])["tasks"].values()
    items = tasks.get("mmlu:anatomy").items(Source(data_dir, limit=16, num_fewshot=shots))
    samples = theirs(models["bytes"], task, shots, 16)
    _, labels = ours(models["bytes"], items, "letter")
    for item, sample in zip(items, samples, strict=True):
        assert item.prompt == sample["arguments"][0][0]
    right = [item.gold == label for item, label in zip(items, labels, strict=True)]
    assert right == [bool(sample["acc"]) for sample in samples]


def test_the_other_prompts_of_the_harness(data_dir):
    """What the tasks claim in their protocol, against the harness's own functions."""
    from lm_eval.tasks.medmcqa.utils_medmcqa import doc_to_text as medmcqa_text
    from lm_eval.tasks.medqa.preprocess_medqa import doc_to_text as medqa_text
    from lm_eval.tasks.pubmedqa.preprocess_pubmedqa import doc_to_text as pubmedqa_text

    def said(name: str) -> list[Any]:
        task = tasks.get(name)
        assert "prompt of lm-evaluation-harness" in task.info.protocol
        return list(task.questions(Source(data_dir)))[:50]

    for q in said("medqa-4"):
        endings = {f"ending{n}": text for n, text in enumerate(q.options.values())}
        assert tasks.get("medqa-4").prompt(q) == medqa_text({"sent1": q.question, **endings})
    for q in said("medmcqa"):
        options = {f"op{label.lower()}": text for label, text in q.options.items()}
        assert tasks.get("medmcqa").prompt(q) == medmcqa_text({"question": q.question, **options})
    for q in said("pubmedqa-test"):
        doc = {"CONTEXTS": [q.context], "QUESTION": q.question}
        assert tasks.get("pubmedqa-test").prompt(q) == pubmedqa_text(doc)


def test_labels_options_and_several_right_answers(folder):
    texts = tasks.get(f"lm-eval:{folder / 'texts'}.yaml", TRUSTED).items(Source(limit=2))[1]
    assert (texts.labels, texts.gold) == (("A", "B", "C"), "B")
    assert texts.options == {"A": "it is even", "B": "odd", "C": "prime number 1"}
    task = tasks.get(f"lm-eval:{folder / 'several'}.yaml", TRUSTED)
    several = task.items(Source(limit=1))[0]
    assert (several.gold, dict(several.means)) == ("A", {"B": "A"})
    assert [task.read(f" {x}.", several).score for x in "ABC"] == [1.0, 1.0, 0.0]
    task = tasks.get(f"lm-eval:{folder / 'words'}.yaml", TRUSTED)
    word = task.items(Source(limit=1))[0]
    assert (word.labels, word.gold, word.choices) == (("no", "yes"), "no", ())
    assert (task.info.stop, task.info.max_new_tokens) == (("\n",), 8)
    assert task.read(" No, it is", word, "stop").value == "no"


def test_turns_for_a_chat_template(folder):
    source = Source(limit=1, num_fewshot=2, apply_chat_template=True, system_instruction="Hi.")
    (item,) = tasks.get(f"lm-eval:{folder / 'letters'}.yaml", TRUSTED).items(source)
    roles = [role for role, _ in item.turns]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert item.turns[0][1].startswith("Hi.")
    assert item.turns[-1][1].endswith("\nAnswer:")
    assert item.choices == ("A", "B", "C")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{}/likely.yaml", r"is a loglikelihood task"),
        ("{}/free.yaml", r"asks for free text"),
        ("{}/none.yaml", r"there is no task file"),
        ("{}/both.yaml", r"cannot be loaded|is a group of 2 tasks"),
        ("medqa_4optons", r"unknown lm-eval task .* did you mean medqa_4options"),
        ("medqa_4options", r"lm-eval:medqa_4options cannot be loaded"),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_read_is_one_sentence(folder, name, sentence):
    with pytest.raises(RequestError, match=sentence) as found:
        tasks.get(f"lm-eval:{name.format(folder)}", TRUSTED).items(Source())
    assert "\n" not in str(found.value)


def test_without_the_harness(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lm_eval.tasks", None)
    with pytest.raises(RequestError, match=r"pip install 'resect\[harness\]'"):
        Harness("arc_easy").items(Source())
