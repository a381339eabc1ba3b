"""Weights & Biases: as `WANDB_MODE`, `WANDB_PROJECT` and `WANDB_DIR` say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import wandb


class OnWandb:
    """A wandb run; `level` is the axis of every score, as levels need not rise."""

    def __init__(self, project: str, name: str, config: Mapping[str, Any]) -> None:
        project = os.environ.get("WANDB_PROJECT", project)
        self.run = wandb.init(project=project, name=name, config=dict(config))
        self.run.define_metric("*", step_metric="level")

    def log(self, scores: Mapping[str, float], step: int) -> None:
        """Add scores by name, at a step."""
        self.run.log({**scores, "level": step})

    def finish(self) -> None:
        """End the run."""
        self.run.finish()


start = OnWandb
