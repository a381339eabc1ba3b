"""The loss of a batch, with logits only where something is learnt.

A vocabulary has tens of thousands of tokens, and most places of a batch are prompt or padding: they
need no logits. The hidden states of the other places are chosen before the model's own output
layer, so that whatever a model does to its logits (caps, scales) is done to these.
Legend: B rows of a batch, T places, N places to learn, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

NOTHING = -100  # the label of a place that is not learnt


class Learnt(NamedTuple):
    """A model's output, its logits (N, V) for the tokens to learn, and these tokens (N,)."""

    output: Any
    logits: Tensor
    targets: Tensor


def learnt(model: Any, inputs: Mapping[str, Tensor]) -> Learnt:
    """Run a model on a batch: ids, mask and labels, each (B, T); places come row after row."""
    labels = inputs["labels"][:, 1:]
    wanted = labels != NOTHING
    chosen = []

    def choose(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        chosen.append(True)
        return (given[0][:, :-1][wanted][None], *given[1:])

    head = model.get_output_embeddings()
    hook = None if head is None else head.register_forward_pre_hook(choose)
    try:
        output = model(**{name: value for name, value in inputs.items() if name != "labels"})
    finally:
        if hook is not None:
            hook.remove()
    logits = output.logits[0] if chosen else output.logits[:, :-1][wanted]
    return Learnt(output, logits, labels[wanted])


def own_loss(logits: Tensor, targets: Tensor, items: Any = None) -> Tensor:
    """Cross entropy of the tokens to learn: their mean, or the sum over a step's `items` tokens."""
    loss = cross_entropy(logits.float(), targets, reduction="mean" if items is None else "sum")
    return loss if items is None else loss / items


def distance(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean T^2 KL(teacher || student) over the tokens to learn, from logits (N, V)."""
    student_logp = log_softmax(student.float() / temperature, -1)
    teacher_logp = log_softmax(teacher.float() / temperature, -1)
    return temperature**2 * kl_div(
        student_logp, teacher_logp, reduction="batchmean", log_target=True
    )
