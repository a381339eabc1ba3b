"""Metrics of bias, of confidence and of what may fail before skill does."""

from __future__ import annotations

from collections.abc import Mapping

from resect.catalog.quantity import Quantity

TRUST_METRICS: Mapping[str, Quantity] = {
    # which answers a model leans to
    "shares": Quantity(
        "Answers given", "the share of each answer", "neither", "share", "all items",
        "Share of all items answered with each label; the dotted line in the same colour is how "
        "often that label is right. What is missing to 100 % is no answer.",
        group="bias",
    ),
    "positive_share": Quantity(
        "Positive answers", "the share of positive answers", "neither", "share", "answers given",
        "Of the answers given, how many are the task’s positive label.",
        group="bias",
    ),
    "sensitivity": Quantity(
        "Sensitivity d′", "sensitivity", "higher", "score", "answers given",
        "How well the answers given separate positive items from the others, whatever the bias: "
        "0 means not at all.",
        group="bias",
    ),
    "criterion": Quantity(
        "Criterion c", "the criterion", "neither", "score", "answers given",
        "The bias of the answers given: below 0 the model gives the positive label too often, "
        "above 0 too rarely.",
        group="bias",
    ),
    "letter_bias": Quantity(
        "Letter bias", "letter bias", "lower", "score", "the letters",
        "Spread of recall over the letters: 0 means that no position of the right option is "
        "favoured. What noise alone shows on as many items is taken off.",
        group="bias",
    ),
    "lean": Quantity(
        "Lean", "the lean", "lower", "share", "answers given",
        "Half the sum over labels of |share of answers − share of gold|, without what noise shows.",
        group="bias",
    ),
    # whether answers stay, and whether probabilities can be believed
    "flips": Quantity(
        "Flips", "flips", "lower", "share", "all items",
        "Share of items answered right by the intact model and wrong here, or the reverse. "
        "Accuracy can stay the same while answers change.",
        group="trust",
    ),
    "wrong_and_confident": Quantity(
        "Confident errors", "confident errors", "lower", "share", "all items",
        "Share of all items answered wrong with a probability of 80 % or more.",
        group="trust", views=("options",),
    ),
    "wrong_if_confident": Quantity(
        "Wrong if confident", "errors among confident answers", "lower", "share",
        "confident answers",
        "Of the items answered with a probability of 80 % or more, the share answered wrong; the "
        "table says how many these are.",
        group="trust", views=("options",),
    ),
    "confident": Quantity(
        "Confident", "the confident share", "neither", "share", "all items",
        "Share of items answered with a probability of 80 % or more: the coverage of the errors "
        "above.",
        group="trust", views=("options",),
    ),
    "risk_coverage": Quantity(
        "Risk and coverage", "the area under risk and coverage", "lower", "score", "all items",
        "Mean share of wrong answers over all coverages, the most confident answers kept first: 0 "
        "is perfect, and a model that cannot tell has its share of errors.",
        group="trust", views=("options",),
    ),
    "calibration_error": Quantity(
        "Calibration error", "the calibration error", "lower", "share", "all items",
        "Distance between stated probability and share right, in up to 15 bins of equal mass. What "
        "noise alone shows on as many items is taken off, and the table has the error as counted "
        "too: an interval that starts at 0 can be of a calibrated model.",
        group="trust", views=("options",),
    ),
    "brier": Quantity(
        "Brier score", "the Brier score", "lower", "score", "all items",
        "Squared error of the probabilities over all options: 0 is perfect, 2 the worst.",
        group="trust", views=("options",),
    ),
    "auroc": Quantity(
        "AUROC", "telling its errors apart", "higher", "score", "pairs of a right and a wrong item",
        "How often a right answer has more confidence than a wrong one (AUROC): 0.5 is chance.",
        group="trust", views=("options",),
    ),
    # reliability: what may fail before skill does
    "answered": Quantity(
        "Answered", "answering", "higher", "share", "all items",
        "Share of items that got an answer.",
        group="reliability", views=("text",),
    ),
    "calibration": Quantity(
        "Calibration", "calibration", "higher", "share", "all items",
        "One minus the calibration error.",
        group="reliability", views=("options",),
    ),
    "consistency": Quantity(
        "Consistency", "choosing the same option wherever it stands", "higher", "share",
        "questions asked again",
        "Share of questions for which the same option is chosen after the options change places.",
        group="reliability",
    ),
    "grounding": Quantity(
        "Grounding", "answering from the context", "higher", "share", "items first answered right",
        "Of the items first answered right, the share whose answer changes when the context is "
        "another item’s.",
        group="reliability",
    ),
    "grounded": Quantity(
        "Grounded", "answering from the context", "higher", "share", "all items asked again",
        "The same as grounding, of all items.",
        group="reliability",
    ),
    "preference": Quantity(
        "Preference", "preferring the true answer to a made-up one", "higher", "share",
        "questions asked in both orders",
        "The true answer is preferred to a made-up one in both orders.",
        group="reliability",
    ),
    "completeness": Quantity(
        "Completeness", "saying what the reference says", "higher", "share",
        "content words of the reference",
        "Share of the reference’s content words that the text includes.",
        group="reliability", views=("text",),
    ),
    "abstention": Quantity(
        "Abstention J", "abstaining only where there is no answer", "higher", "score",
        "items that offer to abstain",
        "Abstains on questions without an answer, minus abstains on those with one.",
        group="reliability",
    ),
}  # fmt: skip
