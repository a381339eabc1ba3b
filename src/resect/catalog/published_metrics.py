"""Metrics of the published study, as it defined them."""

from __future__ import annotations

from collections.abc import Mapping

from resect.catalog.quantity import Quantity

PUBLISHED_METRICS: Mapping[str, Quantity] = {
    # the published study's own
    "f1_positive": Quantity(
        "F1 of the positive label (as published)", "F1 of the positive label alone", "higher",
        "score", "all items",
        "F1 of one label alone: it rewards saying that label, right or wrong.",
        group="published", views=("text",),
    ),
    "f1_observed": Quantity(
        "F1 over observed labels (as published)", "F1 averaged over the labels observed", "higher",
        "score", "labels in gold or answers",
        "F1 averaged over the labels seen in gold or answers: unreadable texts are one more class.",
        group="published", views=("text",),
    ),
    "f1_labels": Quantity(
        "F1 over the task’s labels", "F1 averaged over the task's labels", "higher", "score",
        "the task's labels",
        "F1 averaged over the task’s labels.",
        group="published", views=("text",),
    ),
}  # fmt: skip
