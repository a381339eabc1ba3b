"""Limits on what models ask for: bombs are refused, what real models have is not."""

from __future__ import annotations

import itertools
import json
import signal
import time

import pytest

from resect import clinic, limits
from resect.errors import RequestError
from resect.models import folder_limits

REAL = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?",
    r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+|\p{N}| ?[^\s\p{L}]+[\r\n/]*",
    r"(?=(\d{3})+(?!\d))",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
    r"[\p{Han}&&[^\p{L}]]+",
)  # fmt: skip
"""Patterns as published tokenizers have them, some of them shortened."""


@pytest.mark.parametrize("regex", REAL)
def test_patterns_of_real_tokenizers_pass(regex):
    assert not folder_limits.nests(regex)


@pytest.mark.parametrize(
    "regex", [r"(a+)+$", r"(?:a*)*", r"((ab)+c?)+", r"(x{2,})+", r"(\w+\s?)*$", r"(a|b+){11,}"]
)
def test_nested_repetition_is_seen(regex):
    assert folder_limits.nests(regex)


@pytest.mark.parametrize("name", clinic.MODELS)
def test_the_embedded_models_pass(name):
    folder_limits.check(clinic.path(name))


def config(place, **fields):
    (place / "config.json").write_text(json.dumps(fields))
    return place


def test_the_largest_real_models_pass(tmp_path):
    folder_limits.check(
        config(
            tmp_path, num_hidden_layers=126, hidden_size=16384, num_attention_heads=128,
            vocab_size=262_208, intermediate_size=53_248, n_routed_experts=384, num_experts=512,
            max_position_embeddings=10_485_760, rope_theta=1e9, moe_layers=list(range(160)),
            layer_norm_eps=1e-5, head_dim=512, first_k_dense_replace=3, num_key_value_heads=8,
        )
    )  # fmt: skip
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 1' + "0" * 30 + "}")
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
        })
    )  # fmt: skip
    folder_limits.check(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [{"num_hidden_layers": 10**7}, {"num_hidden_layers": 0}, {"text_config": {"n_layer": 1e7}},
     {"num_local_experts": 10**9}, {"num_labels": 10**9}, {"head_dim": 10**10},
     {"n_positions": 10**12}, {"x": 10**400}, {"num_hidden_layers": float("nan")},
     {"hidden_size": float("nan")}],
)  # fmt: skip
def test_what_no_model_has_is_refused(fields, tmp_path):
    with pytest.raises(RequestError, match=r"asks for|too large"):
        folder_limits.check(config(tmp_path, **fields))


def test_a_loop_and_a_heap_end_and_leave_no_limit():
    before = signal.getsignal(signal.SIGVTALRM)
    started = time.process_time()
    with pytest.raises(limits.TooMuch, match="too long"), limits.bounded(0.2, 1 << 28):
        sum(1 for _ in itertools.count())
    with pytest.raises(limits.TooMuch, match="memory"), limits.bounded(2.0, 1 << 24):
        "x" * (1 << 30)
    assert time.process_time() - started < 2
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert len("x" * (1 << 26)) == 1 << 26
    with limits.bounded(2.0, 1 << 24):
        pass
