"""Metrics of tasks whose answers are labels, and of errors that may not rise."""

from __future__ import annotations

from collections.abc import Mapping

from resect.catalog.quantity import Quantity

LABEL_METRICS: Mapping[str, Quantity] = {
    # label tasks
    "accuracy": Quantity(
        "Accuracy", "accuracy", "higher", "share", "all items",
        "Share of all items answered right; no answer is wrong. Guessing already earns the floors. "
        "A task whose answers are no labels shows its own metric here.",
    ),
    "balanced_accuracy": Quantity(
        "Balanced accuracy", "balanced accuracy", "higher", "share", "each gold label's items",
        "Share right within each gold label, then the mean over labels; no answer counts as a "
        "guess.",
    ),
    "skill": Quantity(
        "Skill", "skill", "higher", "score", "all items",
        "A right answer counts 1, none counts 0, a wrong one −1/(k−1); averaged within each label, "
        "then over labels. Silence, guessing and a constant answer all come to 0.",
    ),
    "retention": Quantity(
        "Retention", "retention", "higher", "share", "the intact model's skill",
        "Skill divided by the same model’s intact skill. 100 % is intact, 50 % is the half-level.",
    ),
    "change": Quantity(
        "Change", "the change of accuracy", "higher", "share", "items asked at both levels",
        "Accuracy minus that of the intact model, over the items asked of both.",
    ),
    "macro_f1": Quantity(
        "Macro-F1", "macro-F1", "higher", "score", "the task's labels",
        "F1 averaged over the task’s labels, whether or not they were ever predicted.",
    ),
    "precision": Quantity(
        "Precision", "precision", "higher", "score", "the task's labels",
        "Precision averaged over the task’s labels.",
    ),
    "recall": Quantity(
        "Recall", "recall", "higher", "score", "the task's labels",
        "Recall averaged over the task’s labels.",
    ),
    "weighted_precision": Quantity(
        "Weighted precision", "weighted precision", "higher", "score", "labels by their items",
        "Precision averaged over labels, each weighted by its items.",
    ),
    "weighted_recall": Quantity(
        "Weighted recall", "weighted recall", "higher", "score", "labels by their items",
        "Recall averaged over labels, each weighted by its items: accuracy.",
    ),
    "weighted_f1": Quantity(
        "Weighted F1", "weighted F1", "higher", "score", "labels by their items",
        "F1 averaged over labels, each weighted by its items.",
    ),
    # how far the model itself is from the intact one
    "kl": Quantity(
        "KL to the intact model", "the KL divergence", "lower", "nats", "all items",
        "How far the first token of the answer is from the intact model’s, over the whole "
        "vocabulary (mean). It is computed from the 32 likeliest tokens of both and the rest as "
        "one lump, so the true value is at least this. Shown, never judged.",
    ),
    "kl_text": Quantity(
        "KL in the prompt", "the KL divergence in the prompt", "lower", "nats",
        "places in the prompts",
        "The same at places 8, 16 and 32 tokens before the answer.",
    ),
    "same_top": Quantity(
        "Same first token", "the share with the same first token", "higher", "share", "all items",
        "Share of items where the likeliest first token is that of the intact model.",
    ),
    # what kind of text came back
    "no_answer": Quantity(
        "No answer", "the share without an answer", "lower", "share", "all items",
        "Share of items whose text held no answer that could be read.",
        views=("text",),
    ),
    "format_loss": Quantity(
        "Format loss", "format loss", "lower", "share", "all items",
        "Share of items right by options and not by text: still known, no longer said.",
        views=("text",),
    ),
    "forgotten": Quantity(
        "Forgotten", "the forgotten share", "lower", "share", "all items",
        "Share of items that the intact model knew, now right neither by options nor by text.",
        views=("text",),
    ),
    "cut_off": Quantity(
        "Cut off", "the share cut off", "lower", "share", "all texts",
        "Share of texts that only the token limit ended.",
        group="answer", views=("text",),
    ),
    "trapped": Quantity(
        "Never ends", "the share that never ends", "lower", "share", "all texts",
        "Share of texts that loop or are debris and that only the token limit ended.",
        group="answer", views=("text",),
    ),
    # errors that may not rise
    "missed": Quantity(
        "Missed", "missed", "lower", "share", "items of one gold label",
        "Share of the items of a label that were not answered with it; no answer is a miss.",
    ),
    "said_wrongly": Quantity(
        "Said wrongly", "wrongly said", "lower", "share", "items of other gold labels",
        "Share of the items of other labels that were answered with a label.",
    ),
    "right_to_wrong": Quantity(
        "Right to wrong", "from right to wrong", "lower", "share", "all items",
        "Share of items that the intact model had right and the damaged one has wrong.",
    ),
    "subgroup": Quantity(
        "Subgroup", "the loss in a subgroup", "lower", "share", "items of one tag",
        "What the utility of the items of one tag fell by.",
    ),
    "utility": Quantity(
        "Utility", "utility", "higher", "score", "labels alike",
        "1 less what an answer costs; its mean within each gold label, then over the labels.",
    ),
    "confident_error": Quantity(
        "Confident errors", "the confident-error rate", "lower", "share", "all items",
        "Share of all items answered wrong with a probability of 80 % or more.",
        views=("options",),
    ),
}  # fmt: skip
