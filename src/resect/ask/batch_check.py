"""Whether a model can be asked in batches: the same tokens read as `Asker` does and one by one.

What a padded batch, a cache and a beginning read apart do to positions and states is each
architecture's own; one that resect does not know could answer wrongly without a sign.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.ask.kv_cache import Rows, filled

_LENGTHS = (24, 17)  # tokens of the two rows
_AFTER = 3  # read after the cache was filled
_BEGINNING = 5  # of which both share so many
_EXACT, _ROUGH = 1e-3, 5e-2  # of the largest log-probability: in fp32, in less


@torch.inference_mode()
def departure(model: PreTrainedModel) -> str | None:
    """In words, how far a batch is from plain forward passes of its rows; None where it is not.

    Two rows of random tokens, one padded, then more of each out of the cache: a token, as texts
    are written, and two at once, as options are read. And the same after a beginning that both
    share, where the model allows that.
    """
    generator = torch.Generator().manual_seed(0)
    size = model.config.get_text_config().vocab_size
    first, second = (torch.randint(size, (n + _AFTER,), generator=generator) for n in _LENGTHS)
    second[:_BEGINNING] = first[:_BEGINNING]
    sequences = [first, second]
    alone = [model(ids[None].to(model.device), use_cache=False).logits[0] for ids in sequences]
    plain = torch.stack([one[-_AFTER - 1 :] for one in alone]).float().log_softmax(-1)
    name = model.config.model_type
    try:
        found = list(_ways(model, sequences))
    except (RuntimeError, TypeError, ValueError) as error:
        return f"{name} cannot be asked in batches as other models are: {error}"
    far = max(float((one - plain).abs().max()) for one in found)
    share = _EXACT if model.dtype == torch.float32 else _ROUGH
    if not far > share * (1 + float(plain.abs().max())):  # not a number: said where it is asked
        return None
    return (
        f"{name} in a batch is up to {far:.2g} nats from a plain pass of one "
        "text: its answers are not those it would give alone"
    )


def _ways(model: PreTrainedModel, sequences: list[Tensor]) -> Iterator[Tensor]:
    """Log-probabilities as `_read` gives them, read whole and after the shared beginning."""
    whole = Rows.empty(model, len(sequences))
    yield _read(whole, sequences, 0)
    if whole.can_spread(max(_LENGTHS) + _AFTER):
        shared = Rows.empty(model, 1)
        shared.read(sequences[0][None, :_BEGINNING])
        yield _read(shared.spread(len(sequences)), sequences, _BEGINNING)


def _read(rows: Rows, sequences: list[Tensor], skip: int) -> Tensor:
    """Log-probabilities (2, 4, V) at the last tokens of each row, the last three out of the cache.

    In between copies of the rows read something else, which must not be seen in these.
    """
    start = [ids[skip:-_AFTER].tolist() for ids in sequences]
    last = torch.stack([ids[-_AFTER:] for ids in sequences])
    found = [rows.read(*filled(start, left=True))]
    copies = rows.select(torch.tensor([1, 0], device=rows.mask.device))
    copies.read(last[:, 1:2])
    found += [rows.read(last[:, :1]), rows.read(last[:, 1:], keep=2)]
    return torch.cat(found, 1).log_softmax(-1)
