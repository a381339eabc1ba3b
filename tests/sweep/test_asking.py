"""How a whole study is asked: chat templates, worked examples, an instruction, a budget."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

from resect import Study
from resect.cli import main
from resect.errors import RequestError

if WHEN_RUN:
    from resect import run


TEMPLATES = {
    "special": "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}",
    "base": "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> dict[str, Path]:
    """Two models with chat templates of their own."""
    root = tmp_path_factory.mktemp("chat")
    for seed, (name, template) in enumerate(TEMPLATES.items()):
        tiny.save(root / name, seed=seed)
        tokenizer = tiny.tokenizer()
        tokenizer.chat_template = template
        tokenizer.save_pretrained(root / name)
    return {name: root / name for name in TEMPLATES}


def study(pair: dict[str, Path], **changes) -> Study:
    return Study.of(
        models={"specialist": str(pair["special"]), "base": str(pair["base"])},
        recipes=[],
        tasks=["clinic-context"],
        limit=6,
        device="cpu",
        resamples=100,
        **changes,
    )


def test_items_are_the_same_whatever_the_template(pair, tmp_path):
    asked = study(pair, apply_chat_template=True, num_fewshot=1, system_instruction="Be brief.")
    found = run(asked, tmp_path / "chat")
    rows = found.answers()
    assert len(rows) == 12
    assert rows.groupby("item")["model"].nunique().tolist() == [2] * 6
    assert set(rows["prompt"].str.startswith("Be brief.\n\nContext: ")) == {True}
    with found.reading() as store:
        item = next(iter(store.items().values()))
        (info,) = store.tasks().values()
    assert [role for role, _ in item.turns] == ["system", "user", "assistant", "user"]
    assert "1-shot (from the generated validation split), chat template" in info.protocol
    assert "with a system instruction" in info.protocol
    plain = run(study(pair, num_fewshot=1, system_instruction="Be brief."), tmp_path / "plain")
    assert set(plain.answers()["item"]).isdisjoint(rows["item"])
    one, other = (r.answers()["option_scores"].tolist() for r in (found, plain))
    assert one != other


def test_another_budget_is_another_asking(pair, tmp_path):
    short = run(study(pair, max_new_tokens=2), tmp_path / "run").answers()
    longer = run(study(pair, max_new_tokens=4), tmp_path / "run").answers()
    assert set(short["item"]) == set(longer["item"])
    assert set(short["tokens"]) <= {1, 2}
    assert max(longer["tokens"]) > 2


def test_a_model_without_a_template_is_refused_before_anything_is_written(tmp_path, tiny_pair):
    asked = study({"special": tiny_pair[0], "base": tiny_pair[1]}, apply_chat_template=True)
    with pytest.raises(RequestError, match="no chat template: leave out --apply_chat_template"):
        run(asked, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mark", ["-", "_"])
def test_options_in_both_spellings(pair, tmp_path, mark, capsys):
    names = ["num-fewshot", "system-instruction", "max-new-tokens", "apply-chat-template"]
    shots, system, budget, chat = (f"--{name.replace('-', mark)}" for name in names)
    arguments = ["eval", str(pair["base"]), "--task", "clinic-logic:cot", "--limit", "2"]
    arguments += [system, "Be brief.", budget, "9", chat, "--out", str(tmp_path / "run"), "--json"]
    assert main(arguments) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert "chat template of the model, with a system instruction, at most 9" in task["protocol"]
    assert main([*arguments, shots, "-1"]) == 2
    assert "num_fewshot" in capsys.readouterr().err


def test_auto_is_on_where_all_models_have_a_template(pair, tiny_pair, tmp_path):
    both = run(study(pair, apply_chat_template="auto"), tmp_path / "both").summary()
    assert "chat template of the model" in both["tasks"][0]["protocol"]
    mixed = {"special": pair["special"], "base": tiny_pair[1]}
    one = run(study(mixed, apply_chat_template="auto"), tmp_path / "one").summary()
    assert "plain completion" in one["tasks"][0]["protocol"]


def test_the_switch_takes_a_value_or_none(pair, tmp_path, capsys):
    asked = ["eval", str(pair["base"]), "--task", "clinic-logic", "--limit", "2", "--json"]
    for number, (switch, form) in enumerate([
        (["--apply-chat-template"], "chat template"), (["--apply_chat_template", "auto"], "chat"),
        (["--apply-chat-template=off"], "plain completion"),
    ]):  # fmt: skip
        assert main([*asked, *switch, "--out", str(tmp_path / str(number))]) == 0
        assert form in json.loads(capsys.readouterr().out)["tasks"][0]["protocol"]
    assert main([*asked, "--apply-chat-template=maybe", "--out", str(tmp_path / "no")]) == 2
    assert "apply_chat_template" in capsys.readouterr().err
