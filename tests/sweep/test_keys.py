"""What a key holds: a run folder serves an old answer only where nothing that made it changed."""

from __future__ import annotations

import copy
import gc
import hashlib
import io
import json
import pickle
import queue
import subprocess
import sys
import weakref
from dataclasses import replace
from importlib.metadata import version
from types import SimpleNamespace

import pytest
import tiny
from lazy import WHEN_RUN
from test_run import TASKS, a_study

import resect
from resect.cli import main
from resect.errors import RunError
from resect.record import digest
from resect.spec import Calibration, ModelRef
from resect.tasks import hub

if WHEN_RUN:
    from resect.ask import Asker
    from resect.methods.calibration import calibration_text
    from resect.models import loading
    from resect.recover.training_data import Source
    from resect.running import local_engine as local
    from resect.running import plan, standing
    from resect.running import walk as sweep
    from resect.running.measure import workload
    from resect.running.resolve import resolve


def fingerprint(place, **fields):
    return loading.identify(ModelRef.of(role="base", id=str(place), **fields))[0].fingerprint


def test_an_adapter_beside_the_weights_is_another_model(tmp_path):
    """transformers loads it: the logits are others, so the key has to be."""
    peft = pytest.importorskip("peft")
    place = tiny.save(tmp_path / "model")
    before = fingerprint(place)
    base = loading.load(ModelRef.of(role="base", id=str(place)), "cpu").model
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    peft.get_peft_model(base, config).save_pretrained(place)
    assert (place / "adapter_model.safetensors").is_file()
    assert fingerprint(place) != before


def test_added_tokens_and_code_that_runs_are_in_the_key(tmp_path):
    place = tiny.save(tmp_path / "model")
    before, trusting = fingerprint(place), fingerprint(place, trust_remote_code=True)
    assert before == trusting
    (place / "modeling_own.py").write_text("x = 1\n")
    assert fingerprint(place) == before  # it is not run
    first = fingerprint(place, trust_remote_code=True)
    (place / "modeling_own.py").write_text("x = 2\n")
    assert len({before, first, fingerprint(place, trust_remote_code=True)}) == 3
    (place / "added_tokens.json").write_text(json.dumps({"<new>": 259}))
    assert fingerprint(place) != before


def test_the_version_of_a_library_is_in_the_keys_of_what_it_makes_only(tiny_pair, monkeypatch):
    pytest.importorskip("peft")
    steps = ["magnitude:0.5", "magnitude:0.5 + lora,data=clinic,examples=64"]
    study = a_study(tiny_pair, recipes=steps, levels=None, tasks=TASKS[:1])
    resolved = resolve(study)

    def versions():
        return {
            cell.recipe: cell.spec.state.versions
            for sweep in plan.sweeps(resolved)
            for cell in sweep.cells
        }

    plain = ["torch", "transformers"]
    assert [list(found) for found in versions().values()] == [plain, plain, [*plain, "peft"]]
    assert versions()["none"]["torch"] == ".".join(version("torch").split(".")[:2])
    states = [c.spec.state.id for sweep in plan.sweeps(resolved) for c in sweep.cells]
    monkeypatch.setattr(plan, "version", lambda name: "99.0" if name == "peft" else version(name))
    later = [c.spec.state.id for sweep in plan.sweeps(resolved) for c in sweep.cells]
    changed = [one != other for one, other in zip(states, later, strict=True)]
    assert changed == 2 * [False, False, True]


def test_the_commit_of_a_hub_set_is_in_the_key_where_it_is_known(monkeypatch):
    asked, nothing = Calibration(data="c4"), hashlib.sha256(b"").hexdigest()
    commits = {("allenai/c4", "en"): "", ("a/b", "part"): ""}
    monkeypatch.setattr(hub, "revision", lambda *named: commits[named])
    source = Source("a/b:part")
    before = calibration_text.name_of(asked), source.fingerprint()
    assert before == (digest([asked.model_dump(), nothing]), digest([list(source), ""]))
    commits = dict.fromkeys(commits, "5f1c")
    assert calibration_text.name_of(asked) != before[0]
    assert source.fingerprint() != before[1]
    clinic = Calibration(data="clinic")
    assert calibration_text.name_of(clinic) == digest([clinic.model_dump(), nothing])


def test_a_hub_set_that_cannot_be_had_has_no_commit():
    assert hub.revision("nobody/nothing", None) == ""


# ── measurements ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def taken(monkeypatch):
    """The workload in no time; how often it was run."""
    runs = []

    def measured(model):
        runs.append(1)
        return {"peak_memory": 9, "tokens_per_second": {"median": float(len(runs))}}

    monkeypatch.setattr(workload, "measured", measured)
    return runs


def test_what_a_study_asks_more_of_a_measured_state_is_measured(tiny_pair, tmp_path, taken):
    def speeds(measure):
        fields = {"levels": "0,0.3,0.6", "tasks": TASKS, "limit": 2, "measure": measure}
        study = a_study(tiny_pair, models={"base": str(tiny_pair[1])}, **fields)
        asked = []

        def watch(planned, events):
            asked.append([len(sweep.cells) for sweep in planned])
            yield from events

        run = resect.run(study, tmp_path / "run", watch=watch)
        rows = run.summary()["measurements"]
        return asked, [row["tokens_per_second"] for row in rows]

    assert speeds("sizes") == ([[6]], [None, None, None])
    assert speeds("shapes") == ([[1]], [1.0, 1.0, 1.0])  # one cell measures for its shape
    assert speeds("shapes") == ([[]], [1.0, 1.0, 1.0])
    assert speeds("full") == ([[2]], [1.0, 2.0, 3.0])  # the two levels that are lacking
    assert speeds("full") == speeds("sizes") == ([[]], [1.0, 2.0, 3.0])
    assert len(taken) == 3


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────


def test_a_run_without_one_answer_ends_with_a_page(tiny_pair, tmp_path, monkeypatch, capsys):
    """As of a model whose output is not a number."""

    def failing(self, *batch):
        raise RunError("the model's output is not a number")

    monkeypatch.setattr(Asker, "_answer", failing)
    study = tmp_path / "study.yaml"
    study.write_text(a_study(tiny_pair, tasks=TASKS[:1], levels="0,0.5").dump())
    assert main(["run", str(study), "--anyway", "--out", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert "4 of 4 cells failed (the model's output is not a number)" in said
    assert "has no answers to show" in said
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "failed at level 0 (the model&#39;s output is not a number)" in page
    assert "There is nothing to analyse" in page


def test_an_error_that_does_not_come_through_a_pipe_is_said():
    """Unpickling an exception that wants two arguments raises in whoever reads."""
    done = subprocess.run(
        [sys.executable, "-c", STRANGE], input=pickle.dumps(None), capture_output=True
    )
    assert done.returncode == 1
    assert pickle.loads(done.stdout) == ("failed", "a worker ended with Two: first")
    assert b"Traceback" in done.stderr


STRANGE = """
import sys
from resect.running import walk as sweep
from resect.running import worker

class Two(Exception):
    def __init__(self, one, other):
        super().__init__(one)

def walk(*_):
    raise Two("first", "second")

sweep.walk = walk
sys.exit(worker.main())
"""


class Unreadable:
    def __reduce__(self):
        return len, ()  # a TypeError where it is read


def test_what_cannot_be_read_is_a_lost_worker(tmp_path):
    worker = object.__new__(local._Worker)
    worker.news = queue.Queue()
    worker.process = SimpleNamespace(stdout=io.BytesIO(pickle.dumps(("event", Unreadable()))))
    worker._read()
    assert worker.news.get_nowait() == (worker, "lost", None)


# ── memory ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("steps", ["wanda,inputs=pruned", "wanda,inputs=pruned + magnitude:0.1"])
def test_a_sweep_holds_the_intact_model_and_one_copy(steps, tiny_pair, monkeypatch):
    """One level's model is gone before the next one's is made."""
    study = a_study(
        tiny_pair, models={"base": str(tiny_pair[1])}, recipes=[steps], tasks=TASKS[:1], limit=2,
        calibration={"data": "clinic", "nsamples": 2, "seqlen": 32},
    )  # fmt: skip
    (one,) = plan.sweeps(resolve(study))
    cells = tuple(replace(cell, missing=frozenset({0, 1})) for cell in one.cells)
    made, alive = [], []

    def copied(model):
        gc.collect()
        alive.append(sum(ref() is not None for ref in made))
        found = copy.deepcopy(model)
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(standing, "copy", SimpleNamespace(deepcopy=copied))
    events = list(sweep.walk(replace(one, cells=cells), print))
    assert {e.result.status for e in events if isinstance(e, sweep.Finished)} == {"success"}
    assert alive == [0, 0, 0]
