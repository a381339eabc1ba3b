"""Models that are cut short, servers that lie: every command ends with one sentence."""

from __future__ import annotations

import shutil

import pytest
from lazy import WHEN_RUN

from resect.cli import main

if WHEN_RUN:
    from tools.fuzz import servers

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ended(capsys, arguments):
    """The exit code and the one line of a command."""
    capsys.readouterr()
    code = main([*arguments, "--quiet"])
    shown = capsys.readouterr().err.strip()
    assert len(shown.splitlines()) <= 1, shown
    assert "fault of resect" not in shown
    return code, shown


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_cut_short(name, share, tiny_pair, tmp_path, capsys):
    model = tmp_path / "cut"
    shutil.copytree(tiny_pair[0], model)
    data = (model / name).read_bytes()
    (model / name).write_bytes(data[: int(share * len(data))])
    commands = (
        ["compress", "cut", "--step", "magnitude:0.5", "--out", "out"],
        ["recover", "cut", "--data", "clinic", "--out", "out"],
        ["eval", "cut", "--task", "clinic-context", "--limit", "2", "--out", "out"],
        ["inspect", "cut"],
    )
    for command in commands:
        assert ended(capsys, command)[0] == 2, command
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("turn", [0, 1, 3, 9, 15, 19])
@pytest.mark.parametrize(
    "lie",
    [b"[]", b'{"tokens": "x"}', b"\xff", b"[" * 100_000],
    ids=["list", "text", "byte", "deep"],
)
def test_a_server_that_lies(turn, lie, capsys):
    damage = servers.Damage("x", turn, lambda body: servers.answered(lie))
    with servers.server([damage]) as address:
        command = ["eval", "--base-url", address, "--task", "clinic-medicine", "--limit", "2"]
        code, shown = ended(capsys, [*command, "--out", f"out{turn}"])
    assert (code in (1, 2) and shown) or code == 0


def test_what_asks_for_terabytes(tiny_pair, tmp_path, monkeypatch, capsys):
    model = str(tiny_pair[0])
    wanda = ["compress", model, "--step", "wanda:0.5", "--calibration", "clinic", "--out", "out"]
    code, shown = ended(capsys, [*wanda, "--nsamples", "1000000000"])
    assert (code, "67,108,864 tokens" in shown) == (2, True), shown
    tune = ["recover", model, "--data", "clinic", "--out", "out", "--method"]
    code, shown = ended(capsys, [*tune, "lora,rank=1000000"])
    assert (code, "larger than every matrix" in shown) == (2, True), shown
    code, shown = ended(capsys, [*tune, "lora,examples=1000000000000000000000"])
    assert (code, "cannot take examples" in shown) == (2, True), shown
    monkeypatch.setattr("resect.models.devices._free_memory", lambda: 1_000_000)
    code, shown = ended(capsys, [*wanda, "--nsamples", "1000", "--seqlen", "512"])
    assert (code, "activations of 512,000 calibration tokens" in shown) == (2, True), shown
    assert not (tmp_path / "out").exists()


def test_a_bomb_in_the_hubs_cache(tiny_pair, tmp_path, monkeypatch):
    """What was downloaded is looked at as a folder is."""
    from resect.errors import RequestError
    from resect.models import folder_files, loading
    from resect.spec import ModelRef

    snapshot = tmp_path / "snapshot"
    shutil.copytree(tiny_pair[0], snapshot)
    config = (snapshot / "config.json").read_text()
    lines = config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 10000000')
    assert lines != config
    (snapshot / "config.json").write_text(lines)
    monkeypatch.setattr(folder_files, "cached_file", lambda _, name, **how: str(snapshot / name))
    with pytest.raises(RequestError, match="asks for num_hidden_layers"):
        loading.check(ModelRef.of(role="m", id="some/model"))
