"""Tiny random models of every family, on disk, with a byte-level tokenizer. CPU, no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

DENSE = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3")
ROUTED = (
    "mixtral", "qwen2_moe", "qwen3_moe", "qwen3_5_moe_text", "olmoe", "gpt_oss", "nemotron_h",
    "deepseek_v3",
)  # fmt: skip
FAMILIES = DENSE + ROUTED


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens, and three special ones: 259 entries."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<s>", "</s>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(special + alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


_EXPERTS = dict.fromkeys(("mixtral", "gpt_oss"), "num_local_experts") | dict.fromkeys(
    ("nemotron_h", "deepseek_v3"), "n_routed_experts"
)
_SHARED = {"shared_expert_intermediate_size": 24}
_OWN: dict[str, dict[str, Any]] = {
    "gemma2": {"sliding_window": 16, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 16, "query_pre_attn_scalar": 8},
    "qwen2_moe": {**_SHARED, "num_hidden_layers": 3, "mlp_only_layers": [0]},
    "qwen3_5_moe_text": {
        **_SHARED,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
    },
    "nemotron_h": {
        "layers_block_type": ["linear_attention", "moe", "full_attention", "moe"],
        "num_hidden_layers": 4,
        "mamba_num_heads": 4,
        "mamba_head_dim": 8,
        "ssm_state_size": 8,
        "n_groups": 2,
        "chunk_size": 8,
        "moe_shared_expert_intermediate_size": 24,
    },
    "deepseek_v3": {
        "num_hidden_layers": 3,
        "first_k_dense_replace": 1,
        "n_group": 2,
        "topk_group": 1,
        "kv_lora_rank": 16,
        "q_lora_rank": 16,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 8,
        "v_head_dim": 8,
        "head_dim": 4,
        "num_key_value_heads": 4,
    },
}
"""What a family needs besides the common fields. Qwen2-MoE's and DeepSeek's first layer is dense,
Nemotron-H has a mixture in every other block, DeepSeek routes in two groups."""


def config(family: str, experts: int = 4, **changes: Any) -> PreTrainedConfig:
    """Two layers, hidden size 32, four heads, two of them for keys and values.

    Mixtures have `experts` experts a layer, of which a token takes two.
    """
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
    if family in ("olmoe", "qwen2_moe"):
        fields.pop("head_dim")
    if family in ROUTED:
        fields.update(num_experts_per_tok=2, moe_intermediate_size=16)
        fields[_EXPERTS.get(family, "num_experts")] = experts
    fields.update(_OWN.get(family, {}))
    fields.update(changes)
    from transformers import AutoConfig

    return AutoConfig.for_model(family, **fields)


def model(
    family: str, seed: int = 0, dtype: torch.dtype | None = None, **changes: Any
) -> PreTrainedModel:
    """A random model of a family in evaluation mode."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    network = AutoModelForCausalLM.from_config(
        config(family, **changes), dtype=dtype or torch.float32
    )
    for name, buffer in network.named_buffers():
        if name.endswith("correction_bias"):  # starts at zero, where it corrects nothing
            buffer.normal_(std=0.1)
    return network.eval()


def save(folder: Path, family: str = "mistral", seed: int = 0, **changes: Any) -> Path:
    """A model directory as `save_pretrained` leaves it."""
    model(family, seed, **changes).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_mxfp4(folder: Path, **changes: Any) -> tuple[Path, dict[str, torch.Tensor]]:
    """A gpt-oss directory as it is published, experts in 4-bit blocks of 32, and its tensors."""
    import torch
    from safetensors.torch import load_file, save_file

    changes = {"hidden_size": 64, "intermediate_size": 64, **changes}
    save(folder, "gpt_oss", dtype=torch.bfloat16, **changes)
    tensors = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(0)

    def integers(low: int, high: int, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=generator).to(torch.uint8)

    for name in [n for n in tensors if n.endswith(("gate_up_proj", "down_proj"))]:
        experts, inner, out = tensors.pop(name).shape
        blocks = (experts, out, inner // 32, 16)
        tensors[f"{name}_blocks"] = integers(0, 256, blocks)
        tensors[f"{name}_scales"] = integers(118, 126, blocks[:3])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder, tensors


def no_grad(function: Callable[..., Any]) -> Callable[..., Any]:
    """`torch.no_grad` as a decorator that loads torch only when the function is called."""

    @wraps(function)
    def without_gradients(*arguments: Any, **named: Any) -> Any:
        import torch

        with torch.no_grad():
            return function(*arguments, **named)

    return without_gradients
