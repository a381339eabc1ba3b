"""trackio: stored on this machine, or in a Space that `TRACKIO_SPACE_ID` names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import trackio


class OnTrackio:
    """A trackio run."""

    def __init__(self, project: str, name: str, config: Mapping[str, Any]) -> None:
        space = os.environ.get("TRACKIO_SPACE_ID")
        self.run = trackio.init(project=project, name=name, config=dict(config), space_id=space)

    def log(self, scores: Mapping[str, float], step: int) -> None:
        """Add scores by name, at a step."""
        trackio.log(dict(scores), step=step)

    def finish(self) -> None:
        """End the run."""
        trackio.finish()


start = OnTrackio
