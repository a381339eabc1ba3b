"""Thresholds without sorting are those of a full sort, to the last tie."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resect.errors import RequestError
from resect.methods.masks import cut_, cuts, magnitude_bits, removed

DTYPES = (torch.bfloat16, torch.float16, torch.float32)


@st.composite
def weights(draw: st.DrawFn) -> torch.Tensor:
    """Random values, many of them equal, with both zeros, infinities and subnormals."""
    dtype = draw(st.sampled_from(DTYPES))
    seed = draw(st.integers(0, 2**31))
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, columns, generator=generator) * draw(
        st.sampled_from([1e-9, 0.02, 5.0])
    )
    heavy = draw(st.sampled_from([1, 3, 10_000]))  # distinct magnitudes
    values = (values * heavy).round() / heavy if heavy < 10_000 else values
    if draw(st.booleans()):
        values.view(-1)[0] = -0.0
        values.view(-1)[-1] = float("inf")
    return values.to(dtype)


def sorted_mask(weight: torch.Tensor, count: int) -> torch.Tensor:
    """The reference: a stable sort of |w|, the first `count` positions."""
    order = torch.sort(weight.abs().float().view(-1), stable=True).indices
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[order[:count]] = True
    return mask.view_as(weight)


@given(weights(), st.lists(st.floats(0, 0.999), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_equal_to_a_full_sort_with_ties_by_position(weight, levels):
    counts = [removed(weight.numel(), round(level, 3)) for level in sorted(levels)]
    walked = weight.clone()
    for cut, count in zip(cuts(lambda: [weight], counts), counts, strict=True):
        expected = weight.masked_fill(sorted_mask(weight, count), 0)
        straight = weight.clone()
        cut_(straight, cut)
        cut_(walked, cut)
        assert torch.equal(straight, expected)
        assert torch.equal(walked, expected), "walking differs from going straight"


@pytest.mark.parametrize("dtype", DTYPES)
def test_over_several_tensors_the_threshold_is_that_of_all(dtype):
    torch.manual_seed(0)
    parts = [torch.randn(50, 30).to(dtype), torch.randn(7, 11).to(dtype)]
    whole = torch.cat([p.reshape(-1) for p in parts])
    (cut,) = cuts(lambda: iter(parts), [777])
    order = whole.abs().float().sort().values
    assert cut.bits == int(magnitude_bits(order[776].to(dtype).reshape(1)))


@pytest.mark.parametrize(
    ("total", "level", "count"),
    [(100, 0.29, 29), (1000, 0.57, 570), (100, 0.58, 58), (7, 0.5, 3), (10, 0.0, 0), (3, 0.999, 2)],
)
def test_counts_are_exact_decimals(total, level, count):
    assert removed(total, level) == count


def test_bits_order_like_magnitudes():
    values = torch.tensor([0.0, -0.0, 1e-40, -1e-3, 0.5, -1.0, float("inf"), float("nan")])
    for dtype in DTYPES:
        bits = magnitude_bits(values.to(dtype))
        assert bits.tolist() == sorted(bits.tolist())
        assert bits[0] == bits[1] == 0


def test_other_types_are_refused_in_a_sentence():
    with pytest.raises(RequestError, match="bfloat16, float16 or float32"):
        magnitude_bits(torch.zeros(3, dtype=torch.float64))
