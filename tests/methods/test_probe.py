"""The probe: KL and flips against two plain forward passes, and nothing left damaged."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
import tiny
from lazy import WHEN_RUN

from resect.cli import main
from resect.report import heat_map

if WHEN_RUN:
    import torch

    from resect import anatomy
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.step import Context
    from resect.running.probe import Damage, measure, pieces, rounded

    TEXT = Tokens(torch.randint(3, 259, (3, 20), generator=torch.Generator().manual_seed(3)))


def plain(model) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([model(row[None]).logits[0] for row in TEXT.ids]).double()


@pytest.mark.parametrize("damage", ["magnitude:0.7", "wanda:0.7", "round:2"])
@pytest.mark.parametrize("family", ["llama", "gemma3_text", "mixtral"])
def test_each_part_alone_against_plain_passes(family, damage):
    """Two whole forward passes in float64 probabilities, one with the part damaged by hand."""
    model = tiny.model(family, num_hidden_layers=3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = plain(model)
    parts = list(measure(model, Damage(damage), Context(TEXT)))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    wanted = pieces(anatomy.read(model).blocks, whole=False)
    assert [part.name for part in parts] == [piece.name for piece in wanted]
    assert len(parts) == 9
    for part, piece in zip(parts, wanted, strict=True):
        Damage(damage).damage_(model, piece, Context(TEXT))
        changed = {n for n, v in model.state_dict().items() if not torch.equal(v, state[n])}
        assert changed
        assert all(name.startswith(f"{piece.name}.") for name in changed)
        after = plain(model)
        model.load_state_dict(state)
        p, q = before.log_softmax(-1), after.log_softmax(-1)
        kl = float((p.exp() * (p - q)).sum(-1).mean())
        assert part.kl == pytest.approx(kl, rel=1e-3, abs=1e-6)
        assert part.flips == float((before.argmax(-1) != after.argmax(-1)).double().mean())
    assert parts[0].weights == parts[1].weights + parts[2].weights


def test_rounding_to_nearest():
    weight = torch.linspace(-1, 1, 64).reshape(1, 64)
    expected = torch.cat([(half / half.abs().max() * 3).round() * half.abs().max() / 3
                          for half in (weight[0, :32], weight[0, 32:])])  # fmt: skip
    assert torch.allclose(rounded(weight, 3)[0], expected)
    assert len(rounded(weight, 3).unique()) <= 14
    assert torch.equal(rounded(torch.zeros(2, 5), 3), torch.zeros(2, 5))


def test_the_map_shows_the_largest_darkest():
    table = {0: {"block": 1.0, "mlp": 0.01}, 1: {"block": 0.1}}
    assert heat_map.heats(table) == pytest.approx({1.0: 1.0, 0.01: 0.0, 0.1: 0.5})
    first, second, third = heat_map.lines(table).splitlines()
    assert first.split() == ["block", "block", "mlp"]
    assert second.split() == ["0", "1", "█" * 7, "0.01", "░"]
    assert third.split()[:2] == ["1", "0.1"]
    picture = ET.fromstring(heat_map.svg(table, "a <b> & c"))
    assert "a <b> & c" in [each.text for each in picture]


def test_from_the_command_line_to_an_allocation(tmp_path, capsys):
    source, out = tiny.save(tmp_path / "model", "llama"), tmp_path / "probe.json"
    text = tmp_path / "text.txt"
    text.write_text("what a model loses when one of its parts is damaged alone. " * 20)
    asked = ["probe", str(source), "--text", str(text), "--seqlen", "32", "--nsamples", "2"]
    assert main([*asked, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "self_attn" in shown
    assert (tmp_path / "probe.svg").read_text().startswith("<svg")
    rows = json.loads(out.read_text())["parts"]
    assert [row["name"] for row in rows[:3]] == [
        "model.layers.0", "model.layers.0.self_attn", "model.layers.0.mlp"
    ]  # fmt: skip
    assert main([*asked, "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    step = f"magnitude:0.5,allocation=sensitivity,probe={out}"
    assert main(["compress", str(source), "--step", step, "--out", str(tmp_path / "half")]) == 0


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("round:9", "2 to 8 bits"),
        ("neurons:0.5", "cannot damage by"),
        ("magnitude", "has no level"),
        ("magnitude:0.5,allocation=alpha", "cannot damage by"),
    ],
)
def test_a_wrong_damage_is_one_sentence(damage, sentence, tmp_path, capsys):
    asked = ["probe", str(tmp_path), "--out", str(tmp_path / "p.json"), "--damage", damage]
    assert main(asked) == 2
    assert sentence in capsys.readouterr().err
