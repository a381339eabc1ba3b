"""KL divergence of distributions over a vocabulary of which only the likeliest tokens are known.

Shapes: N places, K tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resect.stats.intervals import Floats, Mask

Ids = NDArray[np.int64]
_LEAST = 1e-12


class Top(NamedTuple):
    """The likeliest tokens of N places: `ids` and log-probabilities (N, K) in falling order."""

    ids: Ids
    logs: Floats


def at_least(p: Top, q: Top) -> Floats:
    """KL(p | q) in nats, from below, (N,): exact where all of p's tokens are among q's.

    A token of p that is not among q's is at most as likely there as the last that is. All others
    are one lump: by the log-sum inequality it diverges no more than they do.
    """
    same = p.ids[:, :, None] == q.ids[:, None, :]  # N K K
    shared = same.any(axis=2)
    there = np.where(same, q.logs[:, None, :], 0.0).sum(axis=2)
    logs = np.where(shared, there, q.logs[:, -1:])
    mass = np.exp(p.logs)
    rest_p = np.maximum(1.0 - mass.sum(axis=1), 0.0)
    seen = (np.exp(q.logs) * same.any(axis=1)).sum(axis=1)
    rest_q = np.maximum(1.0 - seen, _LEAST)
    told = (mass * (p.logs - logs)).sum(axis=1)
    lump = rest_p * np.log(np.maximum(rest_p, _LEAST) / rest_q)
    return np.asarray(np.maximum(told + lump, 0.0))


def same_first(p: Top, q: Top) -> Mask:
    """Whether the likeliest token is the same, (N,)."""
    return np.asarray(p.ids[:, 0] == q.ids[:, 0])
