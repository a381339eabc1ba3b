"""Shared by all tests: tiny models on disk, the folder of real data, one thread a worker."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from benchmark_files import DATA, NO_DATA
from hypothesis import settings
from lazy import run_imports

# How long an example takes depends on what else the machine does; it is no property of the code.
settings.register_profile("resect", deadline=None)
settings.load_profile("resect")

SKIPPED: list[str] = []
LOADED = pytest.StashKey[bool]()
"""Whether torch was there when all tests had been collected."""


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real benchmark files beside the checkout; tests that need them say what they skip."""
    if not DATA.is_dir():
        pytest.skip(NO_DATA)
    return DATA


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random specialist and base on disk."""
    import tiny

    folder = tmp_path_factory.mktemp("models")
    return tiny.save(folder / "special", seed=1), tiny.save(folder / "base", seed=2)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember what collecting has loaded."""
    session.config.stash[LOADED] = "torch" in sys.modules


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a test and its fixtures: the imports that its file put off."""
    run_imports(item.module)  # type: ignore[attr-defined]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped (a controller of several workers sees all reports)."""
    if report.skipped and "gpu" not in report.keywords:
        SKIPPED.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On CI everything is there, so a skipped test is a failure."""
    if os.environ.get("CI") and SKIPPED and not hasattr(session.config, "workerinput"):
        print(f"\nskipped on CI, where it should have run: {', '.join(SKIPPED)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line on what was left out for want of the benchmark files."""
    without = [r for r in terminalreporter.stats.get("skipped", []) if NO_DATA in str(r.longrepr)]
    if without:
        terminalreporter.write_line(
            f"{len(without)} tests of the real benchmarks were left out, as {NO_DATA}: put them "
            "there, or set RESECT_DATA (docs/tasks.md says which files and where they come from)."
        )
