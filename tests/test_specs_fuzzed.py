"""Study files, steps and levels of any shape: read, or refused in a sentence; no hang, no bomb."""

from __future__ import annotations

import pytest
from tools.fuzz import spec


@pytest.mark.parametrize("name", spec.GOLDEN)
def test_what_once_failed(name):
    assert spec.golden(name).outcome == "sentence", spec.golden(name)


def test_a_short_run():
    trials = list(spec.trials(300, seed=17))
    assert [trial for trial in trials if trial.failed] == []
    assert {trial.outcome for trial in trials} == {"read", "sentence"}


@pytest.mark.parametrize("name", ["aliases of aliases", "merges of merges", "nested brackets"])
def test_a_bomb_is_refused_in_little_memory(name, tmp_path):
    """In an address space with room for little more than Python itself."""
    import resource
    import subprocess
    import sys

    path = tmp_path / "study.yaml"
    path.write_text(spec.GOLDEN[name])
    script = (
        "import sys\n"
        "from resect.spec import Study\n"
        "from resect.errors import RequestError\n"
        "try:\n    Study.load(sys.argv[1])\n"
        "except RequestError as error:\n    print(error)\n"
        "status = open('/proc/self/status').read().split()\n"
        "print(status[status.index('VmHWM:') + 1])\n"  # ru_maxrss outlives exec
    )
    command = [sys.executable, "-c", script, str(path)]
    shown = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (5, 5)),
    )
    sentence, peak = shown.stdout.strip().splitlines()
    assert "is not valid YAML" in sentence
    assert int(peak) < 256 << 10
