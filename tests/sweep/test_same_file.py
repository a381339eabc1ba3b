"""What is judged is what is written: one hash of weights, and the command that gives it."""

from __future__ import annotations

import json
import shlex

import pytest
import tiny
from lazy import WHEN_RUN

from resect.cli import main

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    import resect
    from resect.models import compute_dtype, weight_digest

CALIBRATION = {"data": "clinic", "nsamples": 4, "seqlen": 32, "seed": 3}


def digests(run):
    return {(m["recipe"], m["level"]): m["digest"] for m in run.summary()["measurements"]}


CASES = [(recipe, slow) for recipe in ("magnitude", "sparsegpt", "neurons") for slow in (0, 1)]
CASES += [("magnitude + bnb-nf4", 0)]  # 4 bits of a widened model are not the same yet


@pytest.mark.parametrize(("recipe", "slow"), CASES)
def test_every_level_of_a_sweep_is_the_folder_that_compress_writes(
    recipe, slow, tmp_path, monkeypatch
):
    dtype = torch.bfloat16 if slow else torch.float32
    monkeypatch.setattr(compute_dtype, "is_slow", lambda kind: str(kind) == "torch.bfloat16")
    source = tiny.save(tmp_path / "source", seed=1, intermediate_size=64)
    AutoModelForCausalLM.from_pretrained(source).to(dtype).save_pretrained(source)
    study = resect.Study.of(
        models={"base": str(source)}, recipes=[recipe], levels="0.25,0.5", tasks=["clinic-logic"],
        limit=2, calibration=CALIBRATION, measure="sizes", resamples=100,
    )  # fmt: skip
    known = digests(resect.run(study, tmp_path / "run"))
    for level in (0.25, 0.5):
        first, *later = recipe.split(" + ")
        steps = [word for step in (f"{first}:{level}", *later) for word in ("--step", step)]
        out = tmp_path / str(level)
        asked = ["compress", str(source), *steps, "--calibration", "clinic", "--nsamples", "4"]
        asked += ["--seqlen", "32", "--calibration-seed", "3", "--out", str(out), "--quiet"]
        assert main(asked) == 0
        written = json.loads((out / "resect.json").read_text())["weights"]
        assert written == known[recipe, level] == weight_digest.of_files(out)
    assert known["none", 0.0] == weight_digest.of_files(source)
    assert len(set(known.values())) == 3


def test_the_card_has_the_command_of_what_passed(tmp_path, capsys):
    study = resect.Study.of(
        models={"specialist": "clinic:specialist"}, recipes=["magnitude"], levels="0.1",
        tasks=["clinic-logic"], limit=200, measure="sizes", resamples=200,
    )  # fmt: skip
    run = resect.run(study, tmp_path / "run")
    (row,) = run.summary()["commands"]
    assert f"```sh\n{row['command']}\n```" in (tmp_path / "run" / "card.md").read_text()
    words = shlex.split(row["command"])
    assert words[0] == "resect"
    assert main([*words[1:-1], str(tmp_path / "made")]) == 0
    made = json.loads((tmp_path / "made" / "resect.json").read_text())
    assert made["weights"] == row["digest"]
