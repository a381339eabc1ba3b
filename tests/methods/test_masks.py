"""Thresholds without sorting are those of a full sort, to the last tie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy import WHEN_RUN

from resect.errors import RequestError

if WHEN_RUN:
    import torch

    from resect.methods import chunked as pieces
    from resect.methods import masks
    from resect.methods.masks import Cutting, cuts, magnitude_bits, removed, zeros

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


@contextlib.contextmanager
def pieces_of(size: int) -> Iterator[None]:
    """Pieces of `size` weights, and two cores to share them."""
    before, cores = pieces.IN_CACHE, torch.get_num_threads()
    pieces.IN_CACHE = size
    torch.set_num_threads(2)
    try:
        yield
    finally:
        pieces.IN_CACHE = before
        torch.set_num_threads(cores)


@given(
    weights(), st.lists(st.floats(0, 0.999), min_size=1, max_size=6), st.sampled_from([7, 1 << 19])
)
@settings(max_examples=150, deadline=None)
def test_equal_to_a_full_sort_with_ties_by_position(weight, levels, size):
    counts = [removed(weight.numel(), round(level, 3)) for level in sorted(levels)]
    walked = weight.clone()
    with pieces_of(size):
        for cut, count in zip(cuts(lambda: [weight], counts), counts, strict=True):
            expected = weight.masked_fill(sorted_mask(weight, count), 0)
            straight = weight.clone()
            Cutting(cut).zero_(straight)
            Cutting(cut).zero_(walked)
            assert torch.equal(straight, expected)
            assert torch.equal(walked, expected), "walking differs from going straight"
            remaining = [part.reshape(-1).clone() for part in Cutting(cut).remaining(weight)]
            assert torch.equal(torch.cat(remaining[::-1]).view_as(weight), expected)
            assert zeros(expected) == int((expected == 0).sum())


@given(weights(), st.floats(0, 0.999), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_over_several_tensors_the_cut_is_that_of_all(weight, level, rows):
    """One threshold, and ties by position over all of them, whatever their strides."""
    count = removed(weight.numel(), round(level, 3))
    expected = weight.masked_fill(sorted_mask(weight, count), 0)
    # Views with gaps between their rows, as an expert's half of a fused tensor is.
    parts = [torch.stack([part, part], 1)[:, 0] for part in weight.split(rows)]
    with pieces_of(7):
        (cut,) = cuts(lambda: iter(parts), [count])
        cutting = Cutting(cut)
        for part in reversed(parts):
            cutting.zero_(part)
    assert torch.equal(torch.cat(parts), expected)


@given(weights(), st.floats(0, 0.999))
@settings(max_examples=40, deadline=None)
def test_tensors_as_on_a_device_are_cut_as_arrays(weight, level):
    """On a device words stay tensors; here a processor's do too."""
    count = removed(weight.numel(), round(level, 3))
    expected = weight.masked_fill(sorted_mask(weight, count), 0)
    integers = {2: (torch.int16, 0x7FFF), 4: (torch.int32, 0x7FFFFFFF)}

    def words(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
        kind, magnitude = integers[tensor.itemsize]
        return tensor.view(kind), magnitude

    with pieces_of(7), mock.patch.object(masks, "words", words):
        (cut,) = cuts(lambda: [weight], [count])
        remaining = [part.reshape(-1).clone() for part in Cutting(cut).remaining(weight)]
        assert zeros(weight) == int((weight == 0).sum())
        Cutting(cut).zero_(weight)
    assert torch.equal(torch.cat(remaining[::-1]).view_as(weight), expected)
    assert torch.equal(weight, expected)


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


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_weights_that_are_not_numbers_are_counted_and_stay(dtype):
    weight = torch.tensor([[1.0, float("nan"), 2.0, float("inf")], [-float("nan"), 0, -9, 3]])
    weight = weight.to(getattr(torch, dtype))
    cut, none = cuts(lambda: [weight], [4, 0])
    assert (cut.broken, none.broken) == (2, 2)
    Cutting(cut).zero_(weight)
    assert weight.isnan().sum() == 2
    assert weight.isinf().sum() == 1
