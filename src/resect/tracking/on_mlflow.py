"""MLflow: where `MLFLOW_TRACKING_URI` points, else files or a database in this folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import mlflow

_MOST = 500
"""Characters of a parameter that every store of MLflow takes."""


class OnMlflow:
    """An MLflow run."""

    def __init__(self, project: str, name: str, config: Mapping[str, Any]) -> None:
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", project))
        self.run = mlflow.start_run(run_name=name)
        mlflow.log_params({key: str(value)[:_MOST] for key, value in config.items()})

    def log(self, scores: Mapping[str, float], step: int) -> None:
        """Add scores by name, at a step."""
        mlflow.log_metrics({_name(key): value for key, value in scores.items()}, step=step)

    def finish(self) -> None:
        """End the run."""
        mlflow.end_run()


def _name(name: str) -> str:
    """A name of the characters that MLflow takes."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)


start = OnMlflow
