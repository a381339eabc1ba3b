"""Raw answers to items: one prefill gives option log-likelihoods and starts the greedy text."""

from resect.ask.asker import Asker, Batch
from resect.ask.batches import Budget, first_budget

__all__ = ["Asker", "Batch", "Budget", "first_budget"]
