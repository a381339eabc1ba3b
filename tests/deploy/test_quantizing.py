"""Quantized tensors are llama.cpp's, byte for byte; which type a tensor gets is by its rules."""

from __future__ import annotations

import ctypes

import gguf
import numpy as np
import pytest
import tiny
import xllamacpp.xllamacpp
from gguf import GGMLQuantizationType as Type
from lazy import WHEN_RUN

from resect.errors import RequestError

if WHEN_RUN:
    from resect.deploy import gguf_writer, quantizer, tensor_types

TYPES = [
    Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q2_K, Type.Q3_K, Type.Q4_K,
    Type.Q5_K, Type.Q6_K, Type.IQ4_NL, Type.IQ4_XS, Type.IQ3_XXS, Type.IQ3_S, Type.IQ2_S,
    Type.IQ2_XS,
]  # fmt: skip


def by_llama_cpp(values, kind, importance):
    """The same rows by the library that serves them."""
    chunk = ctypes.CDLL(xllamacpp.xllamacpp.__file__).ggml_quantize_chunk
    chunk.restype = ctypes.c_size_t
    rows, width = values.shape
    out = np.zeros(quantizer.bytes_of(values.shape, kind), np.uint8)
    pointer = ctypes.POINTER(ctypes.c_float)
    weights = None if importance is None else importance.ctypes.data_as(pointer)
    written = chunk(
        ctypes.c_int(int(kind)), values.ctypes.data_as(pointer), ctypes.c_void_p(out.ctypes.data),
        ctypes.c_int64(0), ctypes.c_int64(rows), ctypes.c_int64(width), weights,
    )  # fmt: skip
    assert written == out.size
    return out


CASES = [(kind, True) for kind in TYPES]
CASES += [(kind, False) for kind in TYPES if kind != Type.IQ2_XS]  # it needs importances


@pytest.mark.parametrize(("kind", "weighed"), CASES, ids=str)
def test_rows_are_llama_cpps_byte_for_byte(kind, weighed):
    draw = np.random.default_rng(0)
    values = draw.standard_normal((4, 512), np.float32)
    importance = draw.random(512, np.float32) if weighed else None
    own = quantizer.quantized(values, kind, importance)
    assert own.tobytes() == by_llama_cpp(values, kind, importance).tobytes()


def test_experts_are_weighed_each_by_its_own():
    draw = np.random.default_rng(0)
    values, importance = (
        draw.standard_normal((3, 4, 256), np.float32),
        draw.random((3, 256), np.float32),
    )
    packed = quantizer.quantized(values, Type.Q4_K, importance)
    for expert in range(3):
        alone = quantizer.quantized(values[expert], Type.Q4_K, importance[expert])
        assert packed[expert].tobytes() == alone.tobytes()


def types_of(path):
    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}


def test_rows_that_fit_no_block_fall_back(tmp_path):
    model = tiny.model("mistral", hidden_size=64, intermediate_size=256, tie_word_embeddings=True)
    gguf_writer.write(model, tiny.tokenizer(), tmp_path / "m.gguf", "Q4_K_M")
    types = types_of(tmp_path / "m.gguf")
    assert types["token_embd.weight"] == "Q8_0"  # it is the output too: rows of 64
    assert types["blk.0.attn_q.weight"] == "Q5_0"  # instead of Q4_K
    assert types["blk.1.ffn_down.weight"] == "Q6_K"  # rows of 256, the last of its kind
    assert types["blk.0.attn_norm.weight"] == "F32"


def test_types_that_need_importances_are_refused_without(tmp_path):
    for kind in tensor_types.NEED_IMPORTANCE:
        with pytest.raises(RequestError, match="imatrix=calibration"):
            gguf_writer.write(tiny.model("mistral"), tiny.tokenizer(), tmp_path / "m", kind)
    with pytest.raises(RequestError, match="did you mean Q4_K_M"):
        tensor_types.check("Q4_KM", False)
