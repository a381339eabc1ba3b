"""What is measured on the model itself: size, memory, speed and energy."""

from __future__ import annotations

from collections.abc import Mapping

from resect.catalog.quantity import Quantity

ARTEFACT_METRICS: Mapping[str, Quantity] = {
    # measured on the artefact
    "parameters": Quantity(
        "Parameters", "parameters", "lower", "count", "the model", "Numbers stored in the model.",
        group="measured",
    ),
    "zeros": Quantity(
        "Zeros", "zeros", "neither", "count", "all parameters", "Parameters that are exactly zero.",
        group="measured",
    ),
    "bytes_on_disk": Quantity(
        "Size on disk", "size on disk", "lower", "bytes", "the saved checkpoint",
        "Bytes of the tensors of a saved checkpoint.",
        group="measured",
    ),
    "bytes_in_memory": Quantity(
        "Size in memory", "size in memory", "lower", "bytes", "the loaded model",
        "Bytes of the loaded tensors, buffers included.",
        group="measured",
    ),
    "bits_per_weight": Quantity(
        "Bits per weight", "bits per weight", "lower", "bits", "all parameters",
        "Bits stored for each parameter, on average.",
        group="measured",
    ),
    "peak_memory": Quantity(
        "Peak memory", "peak memory", "lower", "bytes", "the fixed workload",
        "Most memory held during the fixed workload.",
        group="measured",
    ),
    "tokens_per_second": Quantity(
        "Tokens per second", "tokens per second", "higher", "tokens/s", "the fixed workload",
        "Tokens generated per second after the first, one request at a time.",
        group="measured",
    ),
    "prefill_tokens_per_second": Quantity(
        "Tokens read per second", "tokens read per second", "higher", "tokens/s",
        "the fixed workload",
        "Prompt tokens read per second.",
        group="measured",
    ),
    "time_to_first_token": Quantity(
        "Time to the first token", "the time to the first token", "lower", "ratio",
        "the fixed workload",
        "Seconds from the prompt to the first token.",
        group="measured",
    ),
    "seconds_per_answer": Quantity(
        "Seconds per answer", "seconds per answer", "lower", "ratio", "the fixed workload",
        "Seconds for one answer of the fixed workload.",
        group="measured",
    ),
    "flops_per_token": Quantity(
        "Operations per token", "operations per token", "lower", "count", "the fixed workload",
        "Floating-point operations for each token read.",
        group="measured",
    ),
    "joules_per_answer": Quantity(
        "Energy per answer", "energy per answer", "lower", "J", "the fixed workload",
        "Joules for one answer, where a counter can be read.",
        group="measured",
    ),
}  # fmt: skip
