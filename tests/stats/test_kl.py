"""KL from the likeliest tokens: never above the true one, exact where they hold everything."""

from __future__ import annotations

import numpy as np
import pytest

from resect.record import Likely, packed, unpacked
from resect.stats.kl import Top, at_least, same_first


def top(logs, count):
    order = np.argsort(-logs, axis=1, kind="stable")[:, :count]
    return Top(order, np.take_along_axis(logs, order, axis=1))


def distributions(seed, noise, rows=200, words=500):
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((rows, words))
    both = logits, logits + noise * rng.standard_normal((rows, words))
    return [x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in both]


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0, 4.0, 40.0])
def test_is_never_above_the_true_divergence_and_follows_it(noise):
    p, q = distributions(1, noise)
    true = (np.exp(p) * (p - q)).sum(axis=1)
    found = at_least(top(p, 32), top(q, 32))
    assert (found <= true + 1e-9).all()
    assert (found >= 0).all()
    if noise in (0.1, 1.0):
        assert found.mean() > 0.3 * true.mean()
    if noise == 40.0:
        assert found.mean() > 1.0


def test_is_exact_where_everything_is_told():
    p, q = distributions(2, 2.0, words=20)
    true = (np.exp(p) * (p - q)).sum(axis=1)
    assert at_least(top(p, 20), top(q, 20)) == pytest.approx(true, abs=1e-9)


def test_models_that_share_no_token_are_far_apart():
    ids = np.arange(4)[None]
    logs = np.log(np.array([[0.7, 0.1, 0.1, 0.05]]))
    found = at_least(Top(ids, logs), Top(ids + 4, logs))
    assert found[0] == pytest.approx(0.95 * np.log(1 / 0.05) + (0.95 * np.log(1) + sum(
        m * np.log(m) for m in (0.7, 0.1, 0.1, 0.05))) + 0.05 * np.log(0.05), abs=1e-6)  # fmt: skip
    assert not same_first(Top(ids, logs), Top(ids + 4, logs))[0]


def test_places_are_stored_as_they_are():
    places = (Likely(32, (5, 1), (-0.5, -1.0)), Likely(0, (70_000,), (-0.25,)))
    assert unpacked(packed(places)) == places
    assert unpacked(b"") == ()
