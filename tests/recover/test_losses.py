"""The loss without logits of prompts is that of plain transformers; a teacher may be remembered."""

from __future__ import annotations

import json

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.spec import ModelRef, Step

if WHEN_RUN:
    import torch

    from resect.methods.step import Context
    from resect.models import loading
    from resect.recover import losses
    from resect.recover.teacher import Beside, Remembered, remember
    from resect.recover.training_data import Row, collate

    ROWS = [Row([3, 4, 5, 6, 7, 8], [-100] * 4 + [7, 8]), Row([9, 3, 8], [-100, 3, 8]),
            Row([5, 6, 7, 8, 9], [-100] * 4 + [9])]  # fmt: skip


@pytest.mark.parametrize("family", ["llama", "gemma2", "mixtral", "gpt_oss", "nemotron_h"])
def test_the_loss_and_its_gradients_are_those_of_plain_transformers(family):
    """The same model's own loss on the same batch, with all logits; caps on logits included."""
    batch, found = collate(ROWS, 0), []
    for plain in (True, False):
        model = tiny.model(family).train()
        model.requires_grad_(True)
        if plain:
            loss = model(**batch).loss
        else:
            seen = []
            head = model.get_output_embeddings()
            hook = head.register_forward_hook(lambda _m, _x, out: seen.append(out.shape))  # noqa: B023
            _, logits, targets = losses.learnt(model, batch)
            hook.remove()
            assert seen == [(1, 5, 259)]
            assert targets.tolist() == [7, 8, 3, 8, 9]
            loss = losses.own_loss(logits, targets)
        loss.backward()
        found.append((loss, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    (plain_loss, plain_gradients), (loss, gradients) = found
    torch.testing.assert_close(loss, plain_loss, rtol=1e-6, atol=0)
    assert gradients.keys() == plain_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain_gradients[name], rtol=1e-4, atol=1e-7)
    total = model(**batch, num_items_in_batch=torch.tensor(10)).loss
    own = losses.own_loss(*losses.learnt(model, batch)[1:], torch.tensor(10))
    torch.testing.assert_close(own, total, rtol=1e-6, atol=0)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_remembered_teacher(temperature, tmp_path):
    """All tokens kept: the same divergence. Fewer: below it, and nearer the more there are."""
    teacher, student = tiny.model("llama"), tiny.model("llama", num_hidden_layers=1)
    batch = collate(ROWS[:2], 0)
    with torch.no_grad():
        logits = losses.learnt(student, batch).logits
    whole = Beside(teacher, temperature, 0.0).distance(logits, batch)
    distances = []
    for top in (4, 64, 259, 500):
        folder = tmp_path / str(top)
        remember(teacher, [*ROWS, ROWS[0]], top, temperature, 0, folder)
        kept = Remembered(folder, temperature, 0.0)
        assert kept.ids.shape == (5, min(top, 259))
        distances.append(float(kept.distance(logits, batch)))
    assert distances[-1] == distances[-2] == pytest.approx(float(whole), rel=1e-5)
    assert 0 < distances[0] < distances[1] < distances[2]


def test_distilling_from_disk_ends_like_distilling_from_a_model_beside(tmp_path):
    source = ModelRef(role="m", id=str(tiny.save(tmp_path / "m", "llama")))
    rows = [{"question": f"What is number {i}?", "answer": f"thing {i % 5}"} for i in range(12)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ends = []
    for top in (0, 259):
        step = f"distill,data={path},steps=3,batch_size=2,lr=0.01,rank=4,held_out=0.2,top={top}"
        method, loaded = methods.make(Step.parse(step)), loading.load(source, "cpu")
        short, _ = methods.make(Step.parse("magnitude:0.3")).apply(loaded.model, 0.3)
        method.prepare(short, [], Context(None, loaded.tokenizer, source))
        ends.append(method.apply(short).model.state_dict())
    start = loading.load(source, "cpu").model.state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.allclose(ends[0][name], start[name], atol=1e-4)
    for key, value in ends[0].items():
        torch.testing.assert_close(ends[1][key], value, rtol=1e-3, atol=1e-4)
