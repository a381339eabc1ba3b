"""The clinic's tokenizer: byte-level BPE over its own training texts."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from resect.clinic.texts import texts

PAD, EOS = 0, 1
ENTRIES = 2048
"""At most; merging stops earlier, when every word of the world is one token."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Trained on samples of both stages, so that the specialist's names are single tokens.

    Padded on the left: the models are asked in batches, and answer at the end.
    """
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    sample = [
        text.prompt + text.answer
        for stage in ("base", "specialist")
        for text in texts(stage, 8000, 0)
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=ENTRIES,
        special_tokens=["<pad>", "<eos>"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator(sample, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="<eos>",
        padding_side="left",
        model_max_length=512,
    )
