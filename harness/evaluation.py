"""The contract with engines under the name that engines outside of this project import it by."""

from .records.evaluation import (
    DTYPES,
    Along,
    Array,
    Derivative,
    Engine,
    Evaluate,
    Evaluation,
    Inputs,
    Moved,
    Optimiser,
    Prepare,
    PrepareAlong,
    Status,
    Step,
    Unsupported,
    Variant,
)

__all__ = [
    "DTYPES",
    "Along",
    "Array",
    "Derivative",
    "Engine",
    "Evaluate",
    "Evaluation",
    "Inputs",
    "Moved",
    "Optimiser",
    "Prepare",
    "PrepareAlong",
    "Status",
    "Step",
    "Unsupported",
    "Variant",
]
