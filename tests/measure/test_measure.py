"""Sizes equal the saved file; the workload counts what theory says and runs in a process apart."""

from __future__ import annotations

import copy
import pickle

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RunError
from resect.models import model_files
from resect.spec import Step

if WHEN_RUN:
    import torch

    from resect.methods.step import Context
    from resect.models import checkpoint_files as checkpoint
    from resect.running.measure import energy, fresh_process, workload
    from resect.running.measure import sizes as measure

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("tied", [False, True])
def test_bytes_equal_the_saved_file(family, tied, tmp_path):
    model = tiny.model(family, dtype=torch.bfloat16, tie_word_embeddings=tied)
    found = measure.size(model)
    model.save_pretrained(tmp_path)
    saved = checkpoint.read(tmp_path)
    assert found.bytes_on_disk == saved.bytes_on_disk
    assert found.bytes_on_disk == 2 * found.parameters or found.bits_per_weight != 16
    assert found.bytes_in_memory >= found.bytes_on_disk
    headers = sum(path.stat().st_size for path in model_files.weights(tmp_path).files)
    assert found.bytes_on_disk <= headers <= found.bytes_on_disk + 64_000


def test_shapes_have_names_and_values_do_not():
    one, other = tiny.model("llama", seed=0), tiny.model("llama", seed=1)
    wider = tiny.model("llama", intermediate_size=64)
    assert measure.shape(one) == measure.shape(other)
    assert measure.shape(one) != measure.shape(wider)
    assert measure.shape(one) != measure.shape(tiny.model("llama", dtype=torch.bfloat16))


def test_zeros_are_counted_in_the_targeted_weights_only():
    model = tiny.model("mistral")
    before = measure.size(model)
    model.lm_head.weight.data.zero_()
    model.model.layers[0].mlp.up_proj.weight.data[0] = 0
    after = measure.size(model)
    assert after.zeros - before.zeros == 32
    assert before.targeted == 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 48)


def test_work_is_two_operations_a_weight_and_attention():
    model = tiny.model("llama", max_position_embeddings=256)
    found = workload.run(model)
    prompt = found["prompt_tokens"]
    assert prompt == 128
    weights = measure.size(model).targeted
    attention = 2 * 2 * 4 * 8 * prompt * 2  # scores and values, 4 heads of 8, 2 layers
    head = 2 * 32 * 259 / prompt  # logits of the last position only
    assert found["flops_per_token"] == pytest.approx(2 * weights + attention + head, rel=1e-6)
    for name in ("time_to_first_token", "seconds_per_answer", "tokens_per_second"):
        assert 0 < found[name]["low"] <= found[name]["median"] <= found[name]["high"]


def test_work_of_routed_experts_is_of_those_that_are_asked():
    model = tiny.model("mixtral", num_experts_per_tok=1)
    more = tiny.model("mixtral", num_experts_per_tok=2)
    one, two = (workload.run(m)["flops_per_token"] for m in (model, more))
    assert two - one == pytest.approx(2 * 2 * 3 * 32 * 48, rel=1e-6)


def test_a_short_model_is_measured_with_what_it_reads():
    found = workload.run(tiny.model("llama", max_position_embeddings=48))
    assert found["prompt_tokens"] == 16


@pytest.fixture(scope="module")
def wide():
    """A model that is mostly neurons, and what a process of its own measures of it."""
    model = tiny.model("mistral", num_hidden_layers=1, intermediate_size=8192)
    return model, workload.measured(model)


def test_on_the_cpu_a_fresh_process_measures(wide):
    _, found = wide
    assert found["repeats"] >= 2
    assert found["peak_memory"] >= found["idle_memory"] > 0


def test_the_peak_of_memory_falls_with_what_is_cut_out(wide):
    """By the weights, and by what they make of 8 x 128 tokens; processes differ by a few MB.

    Above what each holds before it loads: one that compiles what it imports holds more throughout.
    """
    model, before = wide
    method, cut = methods.make(Step.parse("nodes")), copy.deepcopy(model)
    method.prepare(cut, [0.75], Context())
    cut, _ = method.apply(cut, 0.75)
    weights = 3 * 32 * 6144 * 4
    after = workload.measured(cut)
    peaks = [found["peak_memory"] - found["idle_memory"] for found in (before, after)]
    assert peaks[0] - peaks[1] > 4 * weights


def test_a_process_that_fails_is_one_sentence_and_the_next_is_measured(tmp_path):
    with pytest.raises(RunError, match=r"could not be measured: FileNotFoundError: .*none"):
        fresh_process.measured(tmp_path / "none", 1)
    torch.save(tiny.model("mistral"), tmp_path / "model")
    first = fresh_process.measured(tmp_path / "model", 1)
    assert first["threads"] == 1
    fresh_process._waiting._process.kill()
    fresh_process._waiting._process.wait()
    assert fresh_process.measured(tmp_path / "model", 2)["threads"] == 2


def test_a_process_that_dies_in_the_middle_is_one_sentence(tmp_path):
    """As where the system ends it for want of memory."""
    (tmp_path / "model").write_bytes(pickle.dumps(Dies()))
    with pytest.raises(RunError, match="could not be measured: its process was ended by signal 9"):
        fresh_process.measured(tmp_path / "model", 1)


class Dies:
    """Ends the process that reads it."""

    def __reduce__(self):
        return exec, ("import os; os.kill(os.getpid(), 9)",)


def test_the_processors_counter_is_summed_and_wraps(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "_RAPL", tmp_path)
    assert energy.counter([torch.device("cpu")]) is None
    for package, start in (("intel-rapl:0", 900), ("intel-rapl:1", 100)):
        place = tmp_path / package
        place.mkdir()
        (place / "max_energy_range_uj").write_text("1000\n")
        (place / "energy_uj").write_text(f"{start}\n")
    read = energy.counter([torch.device("cpu")])
    assert read() == 0
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("50\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("300\n")
    assert read() == pytest.approx((150 + 200) / 1e6)
