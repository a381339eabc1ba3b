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
