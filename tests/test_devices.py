"""Models beyond one device: when they are spread, and that a spread one is cut and asked alike."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.cli import main
from resect.errors import RequestError
from resect.spec import ModelRef, Step

if WHEN_RUN:
    import torch
    from accelerate import dispatch_model

    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.step import Context
    from resect.models import devices, loading


STEPS = ["magnitude:0.5,scope=global", "wanda:0.5,inputs=pruned", "sparsegpt:0.5,inputs=dense",
         "neurons:0.25,criterion=magnitude", "heads:0.5", "blocks:0.5"]  # fmt: skip
MIXED = ["magnitude:0.5", "wanda:0.5,inputs=pruned", "experts:0.5", "experts:0.5,criterion=naee"]


@pytest.fixture
def two_gpus(monkeypatch):
    """Two CUDA devices with 4 MB free each, as far as asking torch goes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4_000_000, 8_000_000))


def test_a_model_that_fits_stays_on_one_device(two_gpus):
    assert devices.fitting("cuda", tiny.model("llama")) == "cuda"


def test_a_model_that_is_too_large_is_spread(two_gpus):
    large = loading.empty(tiny.config("llama", intermediate_size=8192))
    assert devices.fitting("cuda", large) == "spread"
    assert devices.fitting("cuda:1", tiny.model("llama")) == "cuda:1"  # picked by number: as asked
    assert devices.fitting("cpu", large) == "cpu"


def test_what_cannot_fit_is_one_sentence(two_gpus, monkeypatch):
    model = loading.empty(tiny.config("llama", vocab_size=99999))
    model.name_or_path = "/models/large"
    monkeypatch.setattr(devices, "_free_memory", lambda: 10_000_000)
    sentence = r"large does not fit: its weights need 0\.0 GB in float32, and 0\.0 GB of memory are"
    for device in ("cuda", "cuda:1", "spread", "cpu"):
        with pytest.raises(RequestError, match=sentence):
            devices.fitting(device, model)
    monkeypatch.setattr(devices, "_free_memory", lambda: None)  # a system that does not say
    assert devices.fitting("cpu", model) == "cpu"


def test_one_gpu_cannot_be_spread_over(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    large = loading.empty(tiny.config("llama", intermediate_size=4800))
    assert devices.fitting("cuda", large) == "cuda"


def test_free_memory_is_the_systems_and_the_containers(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(devices, "_GROUP", tmp_path)
    assert devices._free_memory() is None
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nHugePages_Total: 0\nMemAvailable: 5 kB\n")
    assert devices._free_memory() == 5 * 1024
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 2000\ninactive_file 100\nactive_file 10\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert devices._free_memory() == 5 * 1024
    (tmp_path / "memory.max").write_text("4000\n")
    assert devices._free_memory() == 4000 - 3000 + 110


def test_a_model_that_cannot_fit_is_refused_before_it_is_loaded(tmp_path, monkeypatch, capsys):
    source, out = tiny.save(tmp_path / "m"), tmp_path / "o"
    monkeypatch.setattr(devices, "_free_memory", lambda: 1000)
    monkeypatch.setattr(loading, "load", None)
    steps = ["--step", "random:0.3", "--step", "magnitude:0.5"]
    assert main(["compress", str(source), *steps, "--out", str(out)]) == 2
    assert "m does not fit: its weights need" in capsys.readouterr().err
    assert not out.exists()
    assert main(["compress", str(source), *steps[2:], "--out", str(out)]) == 0  # streamed


def test_spread_needs_a_gpu():
    with pytest.raises(RequestError, match="has no CUDA device"):
        devices.named("spread")


def test_spread_is_a_cuda_device(two_gpus):
    assert devices.named("spread") == "spread"
    assert devices.kind("spread") == devices.kind("cuda:1") == "cuda"
    assert devices.map_of("spread") == "auto"


def test_what_does_not_fit_on_all_devices_is_refused():
    model = tiny.model("llama")
    model.hf_device_map = {"model.layers.0": 0, "model.layers.1": "cpu"}
    with pytest.raises(RequestError, match="too large for the CUDA devices"):
        devices.check_spread(model, "big")


def test_spread_is_loaded_through_device_map(tmp_path):
    """Without a GPU `device_map="auto"` has the CPU alone: the real path, to one place."""
    ref = ModelRef(role="model", id=str(tiny.save(tmp_path / "m")))
    loaded, plain = loading.load(ref, "spread"), loading.load(ref, "cpu")
    assert devices.of(loaded.model) == "cpu"
    ids = torch.tensor([[3, 4, 5]])
    assert torch.equal(loaded.model(ids).logits, plain.model(ids).logits)


def hooked(model):
    """The model as accelerate dispatches it, a part at a time, all to the CPU."""
    names = ("embed_tokens", "layers.0", "layers.1", "norm", "rotary_emb")
    places = {**{f"model.{name}": "cpu" for name in names}, "lm_head": "cpu"}
    return dispatch_model(model, places, force_hooks=True)


@pytest.mark.parametrize(
    ("family", "step"), [*(("llama", s) for s in STEPS), *(("mixtral", s) for s in MIXED)]
)
def test_a_dispatched_model_is_cut_as_a_plain_one(family, step):
    plain = tiny.model(family)
    text = Tokens(torch.randint(3, 259, (4, 16), generator=torch.Generator().manual_seed(7)))
    cut = []
    for model in (copy.deepcopy(plain), copy.deepcopy(hooked(plain))):
        asked = Step.parse(step)
        method = methods.make(asked)
        method.prepare(model, [asked.level], Context(text))
        model, report = method.apply(model, asked.level)
        cut.append((model(text.ids[:2]).logits, report.gone, report.measured))
    assert cut[0][1:] == cut[1][1:]
    assert torch.equal(cut[0][0], cut[1][0])


def test_nothing_meets_across_two_devices():
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(folder / "pretend.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "model spread pretend:0 pretend:1",
        "prefill pretend:0",
        "caches pretend:0 pretend:1",
        "some pretend:0",
        "options pretend:0",
        "shared pretend:0",
        "moments pretend:0 pretend:1",
    ]
