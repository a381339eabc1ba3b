"""A GGUF file answers as in transformers, in every family; what cannot is refused."""

from __future__ import annotations

import gguf
import pytest
import tiny
from gguf_served import fields_of, log_probabilities, plain_log_probabilities
from lazy import WHEN_RUN
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from resect.errors import RequestError, RunError

if WHEN_RUN:
    import torch
    from transformers import PreTrainedTokenizerFast

    from resect.deploy import gguf_writer, vocabulary

OWN = {
    "qwen3_moe": {"norm_topk_prob": True},
    "olmoe": {"num_key_value_heads": 4},
    "gemma2": {"tie_word_embeddings": True},
    "gemma3_text": {"tie_word_embeddings": True},
    "llama": {
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
        },
        "attention_bias": True,
    },
    "gpt_oss": {
        "hidden_size": 64, "intermediate_size": 64,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
}  # fmt: skip
FAMILIES = (
    "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "mixtral", "qwen3_moe",
    "olmoe", "gpt_oss",
)  # fmt: skip


def alive(model):
    """Biases that are not zero, norms that are not one: what is left out would not be noticed."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if name.endswith("bias") or "norm" in name or name.endswith("sinks"):
                values.add_(torch.randn(values.shape, generator=generator) * 0.1)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_family_answers_as_in_transformers(family, tmp_path):
    model = alive(tiny.model(family, **OWN.get(family, {})))
    written = gguf_writer.write(model, tiny.tokenizer(), tmp_path / "model.gguf", "F16")
    ids = torch.randint(3, 259, (40,), generator=torch.Generator().manual_seed(2)).tolist()
    found = log_probabilities(written.path, ids, range(10, 20))
    assert found == pytest.approx(plain_log_probabilities(model, ids, range(10, 20)), abs=0.01)
    assert fields_of(written.path)["resect.weights"] == written.weights


def test_weights_are_named_the_same_in_every_type_and_otherwise_for_other_weights(tmp_path):
    names = []
    for kind, seed in (("F16", 0), ("Q8_0", 0), ("Q8_0", 1)):
        model = tiny.model("mistral", seed=seed)
        names.append(gguf_writer.write(model, tiny.tokenizer(), tmp_path / "m.gguf", kind).weights)
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("family", "changes", "word"),
    [
        ("qwen3_moe", {"norm_topk_prob": False}, "norm_topk_prob"),
        ("mistral", {"hidden_act": "gelu"}, "activation"),
        ("gemma2", {"layer_types": ["full_attention"] * 2}, "window"),
        ("gemma3_text", {"query_pre_attn_scalar": 9}, "query_pre_attn_scalar"),
        ("gemma2", {"tie_word_embeddings": False}, "lm_head"),
        ("deepseek_v3", {}, "unknown family"),
    ],
)
def test_model_that_llama_cpp_runs_otherwise_is_refused(family, changes, word, tmp_path):
    with pytest.raises(RequestError, match=word):
        gguf_writer.write(
            tiny.model(family, **changes), tiny.tokenizer(), tmp_path / "m.gguf", "F16"
        )
    assert not (tmp_path / "m.gguf").exists()


def test_weight_beyond_16_bit_floats_is_refused(tmp_path):
    model = tiny.model("mistral")
    model.model.layers[0].mlp.up_proj.weight.data[0, 0] = 1e6
    with pytest.raises(RunError, match=r"blk\.0\.ffn_up\.weight"):
        gguf_writer.write(model, tiny.tokenizer(), tmp_path / "m.gguf", "F16")


def byte_level(*parts) -> PreTrainedTokenizerFast:
    made = tiny.tokenizer().backend_tokenizer
    made.pre_tokenizer = pre_tokenizers.Sequence(list(parts))
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>")


def test_splitting_rule_is_named_or_said_to_be_assumed():
    digits = byte_level(
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    )
    assert vocabulary.read(tiny.tokenizer(), 259).pre == "gpt-2"
    assert vocabulary.read(digits, 259).pre == "smollm"
    odd = vocabulary.read(byte_level(pre_tokenizers.Whitespace()), 259)
    assert odd.pre == "gpt-2"
    assert "assumed" in odd.notes()[0]


def pieces() -> PreTrainedTokenizerFast:
    """A tokenizer as SentencePiece's are stored: pieces with ▁, bytes where no piece is."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = ["▁", "a", "b", "c", "n", "i", "l", "o"]
    merges = [("i", "n"), ("▁", "a"), ("c", "l"), ("▁", "cl"), ("cl", "in"), ("▁", "clin"),
              ("▁cl", "in"), ("a", "b"), ("▁a", "b"), ("▁", "ab")]  # fmt: skip
    words += letters + [left + right for left, right in merges]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    made = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.mark.parametrize("make", [tiny.tokenizer, pieces])
def test_texts_have_the_same_ids_in_the_file(make, tmp_path):
    from gguf_served import tokenized

    tokenizer = make()
    model = tiny.model("llama", vocab_size=300)
    path = gguf_writer.write(model, tokenizer, tmp_path / "m.gguf", "F16").path
    texts = ["a clinic in lab", "abab  clin\n12 é 🚀", "", " cla", "clinclin ab</s>b"]
    assert tokenized(path, texts) == [
        tokenizer(t, add_special_tokens=False).input_ids for t in texts
    ]
    assert len(fields_of(path)["tokenizer.ggml.tokens"]) == 300


def test_chat_template_and_ends_are_in_the_file(tmp_path):
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = "{{ messages[0].content }}"
    path = tmp_path / "m.gguf"
    gguf_writer.write(tiny.model("qwen2"), tokenizer, path, "F16", origin={"source": "x"})
    fields = fields_of(path)
    assert fields["tokenizer.chat_template"] == "{{ messages[0].content }}"
    assert fields["tokenizer.ggml.eos_token_id"] == 2
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert fields["resect.source"] == "x"
    assert fields["general.file_type"] == gguf.LlamaFileType.MOSTLY_F16
