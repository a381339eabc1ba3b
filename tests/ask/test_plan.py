"""Groups that begin alike, batches within a budget, and what happens where memory runs out."""

from __future__ import annotations

import builtins

import pytest
import tiny
from asked import gather, item, mixed_items
from hypothesis import given
from hypothesis import strategies as st
from lazy import WHEN_RUN

from resect.errors import RunError

if WHEN_RUN:
    import torch

    from resect.ask import Asker, Budget
    from resect.ask.asker import out_of_memory
    from resect.ask.batches import Group, first_budget, groups, plan_batches
    from resect.ask.kv_cache import Rows


def test_batches_hold_every_row_once_within_the_budget():
    lengths = [5, 90, 17, 17, 3, 200, 60]
    batches = plan_batches(range(7), lengths, 120)
    assert sorted(row for rows in batches for row in rows) == list(range(7))
    for rows in batches:
        assert len(rows) == 1 or max(lengths[row] for row in rows) * len(rows) <= 120


def test_batches_do_not_depend_on_what_is_missing():
    model, tokenizer = tiny.model("qwen2"), tiny.tokenizer()
    items = mixed_items(10)
    whole = gather(model, tokenizer, items, 4, tokens=160)
    some = gather(model, tokenizer, items, 4, tokens=160, wanted={3})
    assert 3 in some
    assert len(some) < len(whole)
    assert all(some[row] == whole[row] for row in some)


def test_groups_are_those_that_save_enough():
    """Two subjects with examples of their own, and questions without any."""
    first = [[1, 1, 1, 1, 1, 1, n] for n in range(5)]
    second = [[1, 2, 2, 2, 2, 2, n, n] for n in range(4)]
    alone = [[3, n] for n in range(3)]
    found = groups([*first, *alone, *second], worth=15)
    assert found == [
        Group([0, 1, 2, 3, 4], 6),
        Group([8, 9, 10, 11], 6),
        Group([5, 6, 7], 0),
    ]
    assert groups([*first, *alone], worth=25) == [Group(list(range(8)), 0)]


def test_one_instruction_for_all_is_shared_by_what_is_left():
    """Pairs about one text save too little by themselves, the instruction before all is enough."""
    rows = [[7] * 10 + [pair] * 12 + [one] for pair in range(5) for one in range(2)]
    assert groups(rows, worth=50) == [Group(list(range(10)), 10)]


def test_a_row_that_is_the_beginning_itself_keeps_a_token():
    assert groups([[1, 2, 3], [1, 2, 3], [1, 2, 3, 4]], worth=4) == [Group([0, 1, 2], 2)]


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), max_size=30), st.integers(1, 9)
)
def test_groups_hold_every_row_once_and_share_what_they_say(ids, worth):
    found = groups(ids, worth)
    assert sorted(row for group in found for row in group.rows) == list(range(len(ids)))
    for rows, shared in found:
        assert len({tuple(ids[row][:shared]) for row in rows}) == 1
        assert all(len(ids[row]) > shared for row in rows)
        assert shared == 0 or (len(rows) - 1) * shared >= worth


def scarce(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """Memory for `most` tokens a pass; the sizes that were tried."""
    plain, tried = Rows.read, []

    def read(self, ids, *more, **named):
        tried.append(ids.numel())
        if ids.numel() > most:
            raise error
        return plain(self, ids, *more, **named)

    monkeypatch.setattr(Rows, "read", read)
    return tried


OUT = {
    "OutOfMemoryError": "CUDA out of memory. Tried to allocate 2.00 GiB",
    "MemoryError": "",
    "RuntimeError": "[enforce fail] DefaultCPUAllocator: not enough memory",
}


@pytest.mark.parametrize("name", OUT)
def test_batches_are_halved_where_memory_ends_and_stay_so(monkeypatch, name):
    error = getattr(torch, name, None) or getattr(builtins, name)
    error = error(OUT[name])
    model, tokenizer, items = tiny.model("mistral"), tiny.tokenizer(), mixed_items(16)
    plain = gather(model, tokenizer, items, 4, tokens=300)
    said: list[str] = []
    budget = Budget(1200, said.append)
    tried = scarce(monkeypatch, 300, error)
    got = {}
    for batch in Asker(tokenizer, items, 4, budget=budget).ask(model):
        got |= dict(zip(batch.rows, batch.answers, strict=True))
    assert budget.tokens == 300
    assert said == [
        f"memory ran out: batches of at most {n} tokens from here on." for n in (600, 300)
    ]
    assert got == plain, "the batches are those of the smaller budget"
    before = len([size for size in tried if size > 300])
    assert before == 2
    list(Asker(tokenizer, mixed_items(12), 4, budget=budget).ask(model))
    assert len([size for size in tried if size > 300]) == before, "the next task does not try again"


def test_what_is_answered_is_not_asked_again_after_halving(monkeypatch):
    model, tokenizer, items = tiny.model("llama"), tiny.tokenizer(), mixed_items(16)
    asker = Asker(tokenizer, items, 4, budget=Budget(400))
    asking = asker.ask(model)
    first = next(asking)
    scarce(monkeypatch, 100, MemoryError())
    rest = list(asking)
    rows = [row for batch in rest for row in batch.rows]
    assert set(rows) | set(first.rows) == set(range(16))
    assert len(rows) == len(set(rows))


def test_one_prompt_too_large_is_a_failure_and_other_errors_are_not_swallowed(monkeypatch):
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    scarce(monkeypatch, 20, MemoryError())
    with pytest.raises(RunError, match="one prompt of 50 tokens"):
        gather(model, tokenizer, [item(0, "x" * 50), item(1, "y" * 50)], 2)
    scarce(monkeypatch, 0, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        gather(model, tokenizer, [item(0, "x")], 2)


def test_what_torch_says_when_memory_ends_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_devices_start_from_a_budget_of_their_own():
    assert first_budget("cuda:1") == first_budget("cuda") > first_budget("cpu")
