"""The families that llama.cpp runs and resect writes: their names there, and what they need.

What llama.cpp fixes in its code (which layers look at a window, how attention is scaled, whether
expert weights are normalised) is compared with the config, and a model that differs is refused: it
would load and answer wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gguf
from transformers import PretrainedConfig

from resect.errors import RequestError, unknown

Config = Any
"""A text config of transformers: its fields depend on the family."""


@dataclass(frozen=True)
class Family:
    """How one model type of transformers is written.

    `permuted`: rows of query and key lie as llama.cpp rotates them, halves interleaved.
    `shift`: what is added to the weights of norms. `period`: every how many layers one looks at
    everything, 0 where all do. `transposed`: experts are stored inputs first, gate and up in
    turn. `check` refuses what llama.cpp has no place for, `extra` writes
    the fields of this family alone.
    """

    arch: gguf.MODEL_ARCH
    permuted: bool = False
    shift: float = 0.0
    period: int = 0
    activation: str = "silu"
    transposed: bool = False
    check: Callable[[Config], None] = lambda config: None
    extra: Callable[[gguf.GGUFWriter, Config], None] = lambda writer, config: None


def of(config: PretrainedConfig) -> Family:
    """The family of a config; raises `RequestError` where it cannot be written faithfully."""
    text: Config = config.get_text_config()
    family = FAMILIES.get(text.model_type)
    if family is None:
        raise unknown("family for GGUF", text.model_type, FAMILIES)
    act = getattr(text, "hidden_act", None) or getattr(text, "hidden_activation", None)
    if act is not None and act != family.activation:
        raise _differs(text, f"the activation {act}", family.activation)
    rope = _rope(text).get("rope_type", "default")
    if rope not in _ROPES:
        raise _differs(text, f"the position scaling {rope}", ", ".join(_ROPES))
    if family.period:
        _check_windows(text, family.period)
    family.check(text)
    return family


def notes(config: PretrainedConfig) -> list[str]:
    """What llama.cpp does a little otherwise, as sentences."""
    text: Config = config.get_text_config()
    family, window = FAMILIES[text.model_type], getattr(text, "sliding_window", None)
    sentences = []
    if window and not family.period and window < text.max_position_embeddings:
        sentences.append(
            f"llama.cpp has no window for {text.model_type}: beyond {window} tokens it differs"
        )
    rope = _rope(text)
    if rope.get("rope_type") == "yarn" and rope.get("truncate") is False:
        sentences.append(
            "llama.cpp rounds the range in which YaRN slows rotations: positions differ a little"
        )
    return sentences


def write_fields(writer: gguf.GGUFWriter, family: Family, config: PretrainedConfig) -> None:
    """The numbers that llama.cpp builds the model from."""
    text: Config = config.get_text_config()
    heads = text.num_attention_heads
    writer.add_block_count(text.num_hidden_layers)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(getattr(text, "num_key_value_heads", None) or heads)
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)
    writer.add_vocab_size(text.vocab_size)
    head = head_size(text)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(rotated(text))
    experts = expert_count(text)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(text.num_experts_per_tok)
    _write_rope(writer, text)
    family.extra(writer, text)


def head_size(text: Config) -> int:
    """Numbers that a head has."""
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(size)


def rotated(text: Config) -> int:
    """Numbers of a head that carry the position."""
    return int(head_size(text) * _rope(text).get("partial_rotary_factor", 1.0))


def expert_count(text: Config) -> int:
    """Experts of a layer, 0 where there are none."""
    for name in ("num_local_experts", "num_experts"):
        if count := getattr(text, name, None):
            return int(count)
    return 0


def frequencies(text: Config) -> list[float] | None:
    """By what each rotation is slowed (Llama 3's scaling); None where it is not."""
    rope = _rope(text)
    if rope.get("rope_type") != "llama3":
        return None
    size, base = rotated(text), rope["rope_theta"]
    slow, fast = rope["low_freq_factor"], rope["high_freq_factor"]
    trained, factor = rope["original_max_position_embeddings"], rope["factor"]
    slowed = []
    for place in range(0, size, 2):
        wave = 2 * math.pi * base ** (place / size)
        if wave < trained / fast:
            slowed.append(1.0)
        elif wave > trained / slow:
            slowed.append(float(factor))
        else:
            smooth = (trained / wave - slow) / (fast - slow)
            slowed.append(1 / ((1 - smooth) / factor + smooth))
    return slowed


_ROPES = ("default", "linear", "yarn", "llama3", "longrope")


def _rope(text: Config) -> Mapping[str, Any]:
    """The rotation of the layers that look at everything."""
    parameters: Mapping[str, Any] = text.rope_parameters or {}
    return parameters.get("full_attention", parameters)


def _write_rope(writer: gguf.GGUFWriter, text: Config) -> None:
    rope = _rope(text)
    writer.add_rope_freq_base(rope["rope_theta"])
    near = (text.rope_parameters or {}).get("sliding_attention")
    if near:
        writer.add_rope_freq_base_swa(near["rope_theta"])
    kind = rope.get("rope_type", "default")
    if kind in ("linear", "yarn"):
        scaling = gguf.RopeScalingType.LINEAR if kind == "linear" else gguf.RopeScalingType.YARN
        writer.add_rope_scaling_type(scaling)
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        for key, add in (
            ("beta_fast", writer.add_rope_scaling_yarn_beta_fast),
            ("beta_slow", writer.add_rope_scaling_yarn_beta_slow),
        ):
            if rope.get(key) is not None:
                add(rope[key])


def _differs(text: Config, what: str, expected: str) -> RequestError:
    return RequestError(
        f"llama.cpp runs {text.model_type} models only with {expected}, and this one has {what}: "
        "it would answer wrongly as GGUF."
    )


def _check_windows(text: Config, period: int) -> None:
    """llama.cpp fixes which layers look at a window: all but every `period`-th."""
    fixed = [
        "full_attention" if (layer + 1) % period == 0 else "sliding_attention"
        for layer in range(text.num_hidden_layers)
    ]
    if list(text.layer_types) != fixed:
        raise _differs(text, "them elsewhere", f"a window in all layers but every {period}. one")


def _check_gemma(text: Config) -> None:
    """llama.cpp scales attention by the head's size, in the largest model by the hidden size."""
    largest = {"gemma2": 46, "gemma3_text": 62}[text.model_type]
    is_largest = text.num_hidden_layers == largest
    size = text.hidden_size // text.num_attention_heads if is_largest else head_size(text)
    if text.query_pre_attn_scalar != size:
        raise _differs(
            text,
            f"query_pre_attn_scalar {text.query_pre_attn_scalar}",
            f"query_pre_attn_scalar {size}",
        )


def _write_gemma2(writer: gguf.GGUFWriter, text: Config) -> None:
    writer.add_attn_logit_softcapping(text.attn_logit_softcapping)
    writer.add_final_logit_softcapping(text.final_logit_softcapping)
    writer.add_sliding_window(text.sliding_window)


def _write_gemma3(writer: gguf.GGUFWriter, text: Config) -> None:
    writer.add_sliding_window(text.sliding_window)
    if text.final_logit_softcapping:
        writer.add_final_logit_softcapping(text.final_logit_softcapping)


def _write_phi3(writer: gguf.GGUFWriter, text: Config) -> None:
    """Phi-3 is always told what it was trained to read, and its window (0: none)."""
    rope, room = _rope(text), text.max_position_embeddings
    trained = rope.get("original_max_position_embeddings") or getattr(
        text, "original_max_position_embeddings", room
    )
    writer.add_rope_scaling_orig_ctx_len(trained)
    writer.add_sliding_window(text.sliding_window or 0)
    if rope.get("rope_type") == "longrope":
        scale = room / trained
        more = math.sqrt(1 + math.log(scale) / math.log(trained)) if scale > 1 else 1.0
        writer.add_rope_scaling_attn_factors(more)


def long_factors(text: Config) -> tuple[list[float], list[float]] | None:
    """By what rotations are slowed in long and in short texts (Phi-3's); None without."""
    rope = _rope(text)
    if rope.get("rope_type") != "longrope":
        return None
    return list(rope["long_factor"]), list(rope["short_factor"])


def _check_routed(normalised: bool) -> Callable[[Config], None]:
    def check(text: Config) -> None:
        own = bool(getattr(text, "norm_topk_prob", normalised))
        if own is not normalised:
            raise _differs(text, f"norm_topk_prob {own}", f"norm_topk_prob {normalised}")
        if getattr(text, "mlp_only_layers", None) or getattr(text, "decoder_sparse_step", 1) != 1:
            raise _differs(text, "layers without them", "experts in every layer")
        if getattr(text, "clip_qkv", None):
            raise _differs(text, "clip_qkv", "no clip_qkv")

    return check


def _write_experts(writer: gguf.GGUFWriter, text: Config) -> None:
    writer.add_expert_feed_forward_length(text.moe_intermediate_size)


def _write_gpt_oss(writer: gguf.GGUFWriter, text: Config) -> None:
    writer.add_sliding_window(text.sliding_window)
    writer.add_expert_feed_forward_length(text.intermediate_size)


_TANH = "gelu_pytorch_tanh"
FAMILIES: dict[str, Family] = {
    "llama": Family(gguf.MODEL_ARCH.LLAMA, permuted=True),
    "mistral": Family(gguf.MODEL_ARCH.LLAMA, permuted=True),
    "mixtral": Family(gguf.MODEL_ARCH.LLAMA, permuted=True),
    "qwen2": Family(gguf.MODEL_ARCH.QWEN2),
    "qwen3": Family(gguf.MODEL_ARCH.QWEN3),
    "qwen3_moe": Family(
        gguf.MODEL_ARCH.QWEN3MOE, check=_check_routed(True), extra=_write_experts
    ),
    "olmoe": Family(gguf.MODEL_ARCH.OLMOE, check=_check_routed(False)),
    "phi3": Family(gguf.MODEL_ARCH.PHI3, extra=_write_phi3),
    "gemma": Family(gguf.MODEL_ARCH.GEMMA, shift=1.0, activation=_TANH),
    "gemma2": Family(
        gguf.MODEL_ARCH.GEMMA2, shift=1.0, period=2, activation=_TANH, check=_check_gemma,
        extra=_write_gemma2,
    ),
    "gemma3_text": Family(
        gguf.MODEL_ARCH.GEMMA3, shift=1.0, period=6, activation=_TANH, check=_check_gemma,
        extra=_write_gemma3,
    ),
    "gpt_oss": Family(
        gguf.MODEL_ARCH.GPT_OSS, period=2, transposed=True, extra=_write_gpt_oss
    ),
}  # fmt: skip
"""By transformers' model type."""
