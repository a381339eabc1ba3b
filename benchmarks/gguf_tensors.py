"""Files that resect writes against those of llama.cpp itself: types and bytes of every tensor.

`--library` is a libllama.so with its ggml libraries beside it, of any build that is at hand:

    npm pack @node-llama-cpp/linux-x64 && tar xzf node-llama-cpp-linux-x64-*.tgz
    python benchmarks/gguf_tensors.py --library package/bins/linux-x64/libllama.*.so
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from resect.deploy import gguf_writer, tensor_types
from resect.models import loading
from resect.spec import ModelRef

SHAPES: dict[str, dict[str, Any]] = {
    "llama": {"num_hidden_layers": 16, "num_attention_heads": 8, "num_key_value_heads": 2},
    "qwen2": {"num_hidden_layers": 18, "num_attention_heads": 4, "num_key_value_heads": 4},
    "phi3": {"num_hidden_layers": 9, "num_attention_heads": 4, "num_key_value_heads": 2},
    "mixtral": {
        "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 2,
        "num_local_experts": 8, "num_experts_per_tok": 2,
    },
}  # fmt: skip
"""Models with random weights: deep, grouped and routed enough that every rule has its turn."""


class Weights(ctypes.Structure):
    """Importances of one tensor, as `llama_model_quantize` takes them."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("data", ctypes.POINTER(ctypes.c_float)),
        ("size", ctypes.c_size_t),
    )


class Params(ctypes.Structure):
    """`llama_model_quantize_params`."""

    _fields_ = (
        ("nthread", ctypes.c_int32),
        ("ftype", ctypes.c_int32),
        ("output_tensor_type", ctypes.c_int32),
        ("token_embedding_type", ctypes.c_int32),
        ("flags", ctypes.c_bool * 6),
        ("imatrix", ctypes.POINTER(Weights)),
        ("kv_overrides", ctypes.c_void_p),
        ("tensor_type", ctypes.c_void_p),
        ("prune_layers", ctypes.c_void_p),
    )


def library(path: Path) -> ctypes.CDLL:
    """llama.cpp, loaded after what it needs."""
    for part in (*path.parent.glob("libggml-base*.so"), *path.parent.glob("libggml.*so")):
        ggml = ctypes.CDLL(str(part), ctypes.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(str(path.parent).encode())
    loaded = ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
    loaded.llama_model_quantize_default_params.restype = Params
    loaded.llama_model_quantize.restype = ctypes.c_uint32
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    loaded.quiet = quiet(lambda *_: None)
    loaded.llama_log_set(loaded.quiet, None)
    loaded.llama_backend_init()
    return loaded


def peer(
    loaded: ctypes.CDLL, source: Path, out: Path, kind: str, importance: dict[str, Any] | None
) -> None:
    """Quantize a file by llama.cpp itself."""
    params = loaded.llama_model_quantize_default_params()
    params.nthread, params.ftype = 1, int(tensor_types.FILE_TYPES[kind][0])
    if importance is not None:
        rows = [
            Weights(name.encode(), v.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), v.size)
            for name, v in importance.items()
        ]
        params.imatrix = (Weights * (len(rows) + 1))(*rows, Weights())
    failed = loaded.llama_model_quantize(
        str(source).encode(), str(out).encode(), ctypes.byref(params)
    )
    if failed:
        raise SystemExit(f"llama.cpp itself cannot make {kind} of {source.name}")


def models(quick: bool) -> dict[str, PreTrainedModel]:
    """The models by name."""
    made = {}
    torch.manual_seed(0)
    for family, fields in list(SHAPES.items())[: 1 if quick else None]:
        config = AutoConfig.for_model(
            family, vocab_size=2048, hidden_size=256, intermediate_size=256, pad_token_id=0,
            eos_token_id=1, bos_token_id=1, tie_word_embeddings=family == "qwen2", **fields,
        )  # fmt: skip
        made[family] = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return made


def tensors(path: Path) -> dict[str, tuple[str, bytes]]:
    """Type and bytes of every tensor of a file."""
    return {t.name: (t.tensor_type.name, t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def importances(path: Path) -> dict[str, Any]:
    """Random importances of every matrix in a file."""
    draw = np.random.default_rng(0)
    return {
        t.name: draw.random(int(t.shape[0]) * int(t.shape[2] if len(t.shape) > 2 else 1)).astype(
            np.float32
        )
        for t in gguf.GGUFReader(path).tensors
        if t.name.startswith("blk.") and len(t.shape) > 1
    }


def main() -> None:
    """Compare every type with and without importances; one row a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    loaded = library(asked.library)
    clinic = loading.load(ModelRef.of(role="model", id="clinic:specialist"), "cpu")
    rows = []
    for name, model in {"clinic:specialist": clinic.model, **models(asked.quick)}.items():
        with tempfile.TemporaryDirectory() as folder:
            for row in compared(loaded, name, model, clinic.tokenizer, Path(folder)):
                rows.append(row)
                line = json.dumps(row) if asked.json else "  ".join(map(str, row.values()))
                print(line, flush=True)
    if any(row["equal"] < row["tensors"] for row in rows):
        raise SystemExit(1)


def compared(
    loaded: ctypes.CDLL, name: str, model: PreTrainedModel, tokenizer: Any, folder: Path
) -> Iterator[dict[str, Any]]:
    """The rows of one model."""
    half = folder / "F16.gguf"
    gguf_writer.write(model, tokenizer, half, "F16")
    for kind in [kind for kind in tensor_types.FILE_TYPES if kind != "F16"]:
        for importance in (None, importances(half)):
            if importance is None and kind in tensor_types.NEED_IMPORTANCE:
                continue
            peer(loaded, half, folder / "peer.gguf", kind, importance)
            gguf_writer.write(model, tokenizer, folder / "own.gguf", kind, importance)
            own, other = tensors(folder / "own.gguf"), tensors(folder / "peer.gguf")
            equal = sum(own[key] == other[key] for key in other)
            if own.keys() != other.keys():
                equal = 0
            yield {
                "name": f"{name} {kind}{'' if importance is None else ' weighed'}",
                "ratio": equal / len(other),
                "peer": "llama.cpp",
                "machine": platform.machine(),
                "tensors": len(other),
                "equal": equal,
                "types": sum(own[key][0] == other[key][0] for key in other),
            }


if __name__ == "__main__":
    main()
