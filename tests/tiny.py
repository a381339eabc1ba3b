"""Tiny random models of every family, on disk, with a byte-level tokenizer. CPU, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

DENSE = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3")
ROUTED = ("mixtral", "qwen3_moe", "olmoe", "gpt_oss")
FAMILIES = DENSE + ROUTED


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, and three special ones: 259 entries."""
    special = ["<pad>", "<s>", "</s>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(special + alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def config(family: str, **changes: Any) -> transformers.PretrainedConfig:
    """Two layers, hidden size 32, four heads, two of them for keys and values."""
    fields: dict[str, Any] = {
        "vocab_size": 259,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 4096,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.2,
        "tie_word_embeddings": False,
    }
    if family == "olmoe":
        fields.pop("head_dim")
    if family in ("gemma2", "gemma3_text"):
        fields.update(sliding_window=16, query_pre_attn_scalar=8)
    if family in ROUTED:
        fields.update(num_experts_per_tok=2, moe_intermediate_size=16)
        fields["num_experts" if family in ("qwen3_moe", "olmoe") else "num_local_experts"] = 4
    fields.update(changes)
    return AutoConfig.for_model(family, **fields)


def model(
    family: str, seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any
) -> PreTrainedModel:
    """A random model of a family in evaluation mode."""
    torch.manual_seed(seed)
    made = AutoModelForCausalLM.from_config(config(family, **changes), dtype=dtype)
    return made.eval()


def save(folder: Path, family: str = "mistral", seed: int = 0, **changes: Any) -> Path:
    """A model directory as `save_pretrained` leaves it."""
    model(family, seed, **changes).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
