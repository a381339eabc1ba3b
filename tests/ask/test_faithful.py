"""Models whose batches are not what their rows alone would give are found out."""

from __future__ import annotations

import json

import pytest
import tiny
from lazy import WHEN_RUN

from resect.cli import main

if WHEN_RUN:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from resect.ask import batch_check as faithful
    from resect.ask.batch_check import batching_error


# Architectures that keep their states in ways of their own.
UNKNOWN = {
    "mamba": {"hidden_size": 32, "state_size": 8},
    "mamba2": {"hidden_size": 32, "state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 1,
               "chunk_size": 8},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64},
}  # fmt: skip


def a_model(kind, **fields):
    torch.manual_seed(0)
    fields = {"num_hidden_layers": 2, "vocab_size": 259, "initializer_range": 0.3, **fields}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **fields)).eval()


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_known_families_are_asked_rightly(family, monkeypatch):
    monkeypatch.setattr(faithful, "_EXACT", 1e-5)
    monkeypatch.setattr(faithful, "_BEGINNING", 3)
    assert batching_error(tiny.model(family).eval()) is None


def test_half_precision_is_no_departure():
    assert batching_error(tiny.model("mistral").to(torch.bfloat16).eval()) is None


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_asked_wrongly_is_found(kind):
    assert batching_error(a_model(kind, **UNKNOWN[kind])).startswith(kind)


@pytest.mark.slow
def test_a_cell_of_such_a_model_is_degraded(tmp_path):
    """Its answers are kept, and everything that is said of them says what they are."""
    model = a_model("mpt", **UNKNOWN["mpt"] | {"max_seq_len": 512})
    model.save_pretrained(tmp_path / "mpt")
    tiny.tokenizer().save_pretrained(tmp_path / "mpt")
    asked = ["--task", "clinic-medicine", "--limit", "4", "--out", str(tmp_path / "run"), "--quiet"]
    assert main(["eval", str(tmp_path / "mpt"), *asked]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "degraded" in " ".join(summary["warnings"])
    assert "nats from a plain pass" in " ".join(summary["warnings"])
