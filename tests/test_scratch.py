"""What a kill leaves lies beside the output, and the next start removes it unless it is held."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

from resect.cli import main
from resect.models import scratch
from resect.models.scratch import Scratch
from resect.running.folder import Run
from resect.spec import Study

if WHEN_RUN:
    from resect import api
    from resect.running import study_run

MAKE = "from resect.models.scratch import Scratch; print(Scratch('a').path)"

KILLED = """
import os, sys
from pathlib import Path
from resect.models.scratch import Scratch, whole_folder
with whole_folder(Path(sys.argv[1])) as folder, Scratch("quantize") as place:
    (folder / "large").write_bytes(b"x")
    (place / "large").write_bytes(b"x")
    if sys.argv[2] == "wait":
        print("ready", flush=True)
        sys.stdin.read()
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """The system's temporary folder, empty."""
    place = tmp_path_factory.mktemp("system")
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def killed(out: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(out), "now"], check=False)
    assert done.returncode == -9


def test_a_kill_leaves_nothing_but_beside_the_output_until_the_next(tmp_path, temporary):
    killed(tmp_path / "first")
    assert len(list(tmp_path.iterdir())) == 2
    assert not any(temporary.iterdir())
    with scratch.whole_folder(tmp_path / "second") as folder:
        assert list(tmp_path.iterdir()) == [folder]
        (folder / "done").write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["second"]


def test_what_a_living_process_holds_is_left_alone(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "first"), "wait"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        held = sorted(tmp_path.iterdir())
        scratch.sweep(tmp_path)
        assert sorted(tmp_path.iterdir()) == held
        assert all((path / "large").exists() for path in held)
        other.communicate(b"")
    scratch.sweep(tmp_path)
    assert not any(tmp_path.iterdir())


def test_links_and_other_peoples_folders_are_not_swept(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "precious").write_bytes(b"x")
    (tmp_path / ".link.resect-part").symlink_to("real")
    (tmp_path / ".other.part").mkdir()
    (tmp_path / ".theirs.resect-part").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    scratch.sweep(tmp_path)
    assert (tmp_path / ".theirs.resect-part").exists()
    monkeypatch.undo()
    scratch.sweep(tmp_path)
    assert not (tmp_path / ".theirs.resect-part").exists()
    assert (tmp_path / "real" / "precious").exists()
    assert (tmp_path / ".other.part").exists()


def test_scratch_goes_with_its_object(tmp_path, temporary):
    place = Scratch("moments")
    assert place.path.parent == temporary
    path = place.path
    (path / "x").write_bytes(b"x")
    del place
    assert not path.exists()
    with scratch.under(tmp_path), Scratch("measure") as path:
        assert path.parent == tmp_path
        inner = subprocess.run(
            [sys.executable, "-c", MAKE],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert Path(inner.stdout.strip()).parent == tmp_path, "workers put theirs there too"
    assert not any(tmp_path.iterdir())
    with Scratch("measure") as path:
        assert path.parent == temporary


def test_a_folder_that_another_process_sweeps_too_early_is_made_again(tmp_path, monkeypatch):
    """Between making a folder and holding it there is a moment."""
    real, times = tempfile.mkdtemp, []

    def swept(*arguments, **fields):
        made = real(*arguments, **fields)
        times.append(made)
        if len(times) == 1:
            os.rmdir(made)
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", swept)
    with scratch.under(tmp_path), Scratch("measure") as path:
        assert path.is_dir()
    assert len(times) == 2


QUANTIZED = """
import os, sys
from resect.cli import main
from resect.methods.packed import quantized
class Dies:
    def from_pretrained(*_, **__):
        os.kill(os.getpid(), 9)
quantized.AutoModelForCausalLM = Dies
main(["compress", sys.argv[1], "--step", "bnb-nf4", "--out", sys.argv[2], "--quiet"])
"""


def test_a_killed_quantizer_leaves_no_model_in_the_temporary_folder(tmp_path, temporary):
    pytest.importorskip("bitsandbytes")
    source = tiny.save(tmp_path / "model")
    place = tmp_path / "made"
    run = [sys.executable, "-c", QUANTIZED, str(source), str(place / "out")]
    assert subprocess.run(run, check=False).returncode == -9
    assert not list(temporary.rglob("*.safetensors"))
    assert list(place.rglob("*.safetensors")), "it was killed while the copy was there"
    again = ["--step", "magnitude:0.5", "--out", str(place / "other"), "--quiet"]
    assert main(["compress", str(source), *again]) == 0
    assert [path.name for path in place.iterdir()] == ["other"]


def test_a_run_keeps_its_scratch_in_its_folder(tiny_pair, tmp_path, monkeypatch):
    """What a killed one left there is gone when it goes on."""
    out, seen = tmp_path / "out", []
    out.mkdir()
    killed(out / "left")

    def execute(*_):
        seen.extend(out.glob(".*resect-part"))
        with Scratch("measure") as path:
            seen.append(path.parent)

    monkeypatch.setattr(study_run, "drive", execute)
    monkeypatch.setattr(Run, "report", lambda _: None)
    study = {"models": {"specialist": str(tiny_pair[0])}, "recipes": ["magnitude:0"]}
    api.run(Study(name="s", tasks=["clinic-context"], limit=2, **study), out)
    assert seen == [out]
