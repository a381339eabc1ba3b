"""A CPU without instructions for a 16-bit type computes in 32 bits; files keep their own type."""

from __future__ import annotations

import json

import pytest
import tiny
from lazy import WHEN_RUN

import resect
from resect.cli import main
from resect.spec import ModelRef, Recipe

if WHEN_RUN:
    import torch
    from safetensors.torch import load_file

    from resect.methods.step import Context
    from resect.models import compute_dtype, loading
    from resect.models.checkpoint_files import bytes_of
    from resect.running import compression
    from resect.running.measure import sizes
    from resect.running.standing import apply_all

    IDS = torch.arange(3, 30)[None]

SLOW, FAST = frozenset(), frozenset({"avx512_bf16"})


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(compute_dtype, "_flags", lambda: SLOW)
    return tiny.save(tmp_path / "source", "mixtral", dtype=torch.bfloat16)


def ref(folder, dtype="auto"):
    return ModelRef.of(role="model", id=str(folder), dtype=dtype)


@pytest.mark.parametrize(
    ("flags", "dtype", "expected"),
    [
        (SLOW, "auto", "float32"),
        (FAST, "auto", "bfloat16"),
        (frozenset({"amx_bf16"}), "auto", "bfloat16"),
        (SLOW, "bfloat16", "bfloat16"),  # as asked
    ],
)
def test_it_computes_in_what_the_processor_does_fast(source, monkeypatch, flags, dtype, expected):
    monkeypatch.setattr(compute_dtype, "_flags", lambda: flags)
    model = loading.load(ref(source, dtype), "cpu").model
    assert {str(p.dtype) for p in model.parameters()} == {f"torch.{expected}"}
    plain = loading.load(ref(source, "bfloat16"), "cpu").model
    plain = plain.float() if expected == "float32" else plain
    assert torch.equal(model(IDS).logits, plain(IDS).logits)
    assert loading.identify(ref(source, dtype), "cpu")[0].dtype == expected
    assert loading.identify(ref(source, dtype), "cuda")[0].dtype == "bfloat16"


def test_its_size_is_that_of_its_file(source):
    file = bytes_of(source)
    size = sizes.size(loading.load(ref(source), "cpu").model)
    assert size.bytes_on_disk == sum(size.parts.values())
    assert size.bytes_on_disk <= file <= size.bytes_on_disk + 64_000
    assert size.bytes_in_memory >= 2 * size.bytes_on_disk
    assert size.bits_per_weight == 16


@pytest.mark.parametrize(
    "steps", ["random:0.5 + magnitude:0.6", "sparsegpt:0.5", "experts:0.5", "blocks:0.5", "bnb-nf4"]
)
def test_what_is_written_has_the_types_of_the_source(source, steps, tmp_path, monkeypatch):
    """It is as large as on a CPU that is fast."""
    out, calibration = tmp_path / "out", ["--calibration", "clinic", "--nsamples", "4"]
    asked = [part for step in steps.split(" + ") for part in ("--step", step)]
    asked += [*calibration, "--seqlen", "32", "--quiet"]
    assert main(["compress", str(source), *asked, "--out", str(out)]) == 0
    before, after = (load_file(folder / "model.safetensors") for folder in (source, out))
    kept = {t.dtype for name, t in after.items() if name in before and t.dtype != torch.uint8}
    assert kept == {torch.bfloat16}
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    monkeypatch.setattr(compute_dtype, "_flags", lambda: FAST)
    assert main(["compress", str(source), *asked, "--out", str(tmp_path / "fast")]) == 0
    assert bytes_of(tmp_path / "fast") == pytest.approx(bytes_of(out), rel=0.01)


def test_a_chain_in_memory_equals_the_file_that_is_streamed(source, tmp_path):
    chain = "magnitude:0.3 + magnitude:0.5"
    for name, steps in (("streamed", "magnitude:0.5"), ("memory", chain)):
        compression.compress_to(ref(source), Recipe.of(steps=steps), tmp_path / name)
    one, other = (load_file(tmp_path / n / "model.safetensors") for n in ("streamed", "memory"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_four_bits_are_those_of_a_fast_cpu(source, tmp_path, monkeypatch):
    """The same file, and what was asked in memory is what is asked when it is loaded."""
    methods_of = {"slow": SLOW, "fast": FAST}
    for name, flags in methods_of.items():
        monkeypatch.setattr(compute_dtype, "_flags", lambda flags=flags: flags)
        compression.compress_to(ref(source), Recipe.of(steps="bnb-nf4"), tmp_path / name)
    slow, fast = (load_file(tmp_path / name / "model.safetensors") for name in methods_of)
    assert slow.keys() == fast.keys()
    assert all(torch.equal(slow[name], fast[name]) for name in slow)
    monkeypatch.setattr(compute_dtype, "_flags", lambda: SLOW)
    context = Context(None, tiny.tokenizer())
    steps = Recipe.of(steps="bnb-nf4").steps
    memory, _ = apply_all(loading.load(ref(source), "cpu").model, steps, 0, context)
    loaded = loading.load(ref(tmp_path / "slow"), "cpu").model
    assert memory.dtype == loaded.dtype == torch.float32
    assert torch.equal(memory(IDS).logits, loaded(IDS).logits)
    assert sizes.size(memory).bytes_on_disk == sizes.size(loaded).bytes_on_disk


def test_what_python_gets_has_the_type_of_the_source(source):
    assert resect.compress(str(source), "random:0.5").dtype == torch.bfloat16


def test_flags_are_read_from_the_system(tmp_path, monkeypatch):
    table = tmp_path / "cpuinfo"
    monkeypatch.setattr(compute_dtype, "_CPUINFO", table)
    assert compute_dtype._flags.__wrapped__() == SLOW
    for line, flags in (("flags\t\t: fpu avx2 amx_bf16\n", {"fpu", "avx2", "amx_bf16"}),
                        ("Features\t: fp asimd bf16\n", {"fp", "asimd", "bf16"})):  # fmt: skip
        table.write_text(f"processor\t: 0\n{line}\nprocessor\t: 1\n{line}")
        assert compute_dtype._flags.__wrapped__() == flags
