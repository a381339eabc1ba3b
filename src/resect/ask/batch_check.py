"""Check that a model can be asked in batches: tokens read as `Asker` does, and one text at a time.

Padding, caches and shared beginnings affect positions and states differently in each architecture;
without this check, an unknown one could give wrong answers unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.ask.kv_cache import Rows, filled

_LENGTHS = (24, 17)  # tokens of the two rows
_AFTER = 3  # tokens read after the cache was filled
_BEGINNING = 5  # tokens that both rows share
_EXACT, _ROUGH = 1e-3, 5e-2  # allowed share of the largest log-probability: in fp32, in 16 bits


@torch.inference_mode()
def batching_error(model: PreTrainedModel) -> str | None:
    """A sentence on how far a batch is from plain forward passes of its rows; None where it is not.

    Two rows of random tokens, one of them padded, are read, and then more with the cache: one
    token, as texts are generated, and two at once, as options are read. Then the same after a
    shared beginning, where the model allows that.
    """
    generator = torch.Generator().manual_seed(0)
    size = model.config.get_text_config().vocab_size
    first, second = (torch.randint(size, (n + _AFTER,), generator=generator) for n in _LENGTHS)
    second[:_BEGINNING] = first[:_BEGINNING]
    sequences = [first, second]
    alone = [model(ids[None].to(model.device), use_cache=False).logits[0] for ids in sequences]
    plain = torch.stack([logits[-_AFTER - 1 :] for logits in alone]).float().log_softmax(-1)
    name = model.config.model_type
    try:
        readings = list(_ways(model, sequences))
    except (RuntimeError, TypeError, ValueError) as error:
        return f"{name} cannot be asked in batches as other models are: {error}"
    deviation = max(float((logits - plain).abs().max()) for logits in readings)
    share = _EXACT if model.dtype == torch.float32 else _ROUGH
    if not deviation > share * (
        1 + float(plain.abs().max())
    ):  # NaN is reported when items are asked
        return None
    return (
        f"{name} in a batch is up to {deviation:.2g} nats from a plain pass of one text: its "
        "answers may differ from those it gives alone"
    )


def _ways(model: PreTrainedModel, sequences: list[Tensor]) -> Iterator[Tensor]:
    """Log-probabilities of `_read`, without and with a shared beginning."""
    whole = Rows.empty(model, len(sequences))
    yield _read(whole, sequences, 0)
    if whole.can_spread(max(_LENGTHS) + _AFTER):
        shared = Rows.empty(model, 1)
        shared.read(sequences[0][None, :_BEGINNING])
        yield _read(shared.spread(len(sequences)), sequences, _BEGINNING)


def _read(rows: Rows, sequences: list[Tensor], skip: int) -> Tensor:
    """Log-probabilities (2, 4, V) at the last tokens of each row, the last three with the cache.

    In between, copies of the rows read other tokens, which must not affect these.
    """
    start = [ids[skip:-_AFTER].tolist() for ids in sequences]
    last = torch.stack([ids[-_AFTER:] for ids in sequences])
    logits = [rows.read(*filled(start, left=True))]
    copies = rows.select(torch.tensor([1, 0], device=rows.mask.device))
    copies.read(last[:, 1:2])
    logits += [rows.read(last[:, :1]), rows.read(last[:, 1:], keep=2)]
    return torch.cat(logits, 1).log_softmax(-1)
