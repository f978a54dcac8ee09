"""What people write from habit for the words of a case file, each with the right one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..words import nearest

WORDS: Mapping[str, str] = {
    # keys
    "title": "name", "id": "name", "description": "about", "summary": "about", "doc": "about", "reference": "source",
    "citation": "source", "url": "source", "variables": "inputs", "parameters": "inputs", "params": "inputs",
    "args": "inputs", "dataset": "data", "nodes": "graph", "expressions": "graph", "compute": "graph",
    "computation": "graph", "forward": "graph", "function": "call", "code": "call", "loss": "output",
    "result": "output", "buffers": "carry", "state": "carry",
    "outputs": "output", "expected": "expect", "expectations": "expect", "gradients": "gradient", "grad": "gradient",
    "grads": "gradient", "precision": "dtypes", "precisions": "dtypes", "optimizer": "update", "optimiser": "update",
    "training": "update", "known": "accept", "xfail": "accept", "ledger": "accept", "definitions": "define",
    "functions": "define", "tests": "points", "seed_vector": "cotangent", "weights": "cotangent",
    # inputs
    "size": "shape", "dims": "shape", "random": "normal", "randn": "normal", "gaussian": "normal", "rand": "uniform",
    "randint": "integers", "path": "file", "expression": "formula", "value": "values", "array": "values",
    "requires_grad": "constant", "trainable": "constant", "type": "dtype", "mu": "mean", "loc": "mean", "sigma": "std",
    "scale": "std", "stddev": "std", "min": "low", "max": "high", "a": "low", "b": "high",
    # precisions and kinds
    "double": "float64", "fp64": "float64", "f64": "float64", "float": "float64", "single": "float32",
    "fp32": "float32",
    "f32": "float32", "half": "float16", "fp16": "float16", "f16": "float16", "bf16": "bfloat16", "brain": "bfloat16",
    "int": "int64", "int32": "int64", "long": "int64", "integer": "int64", "boolean": "bool", "float32": "float64",
    # derivatives
    "jvp": "tangent", "vjp": "gradient", "hvp": "hessian_product", "hessian": "hessian_product",
    # updates
    "sgd": "descent", "gd": "descent", "gradient_descent": "descent", "gradient_ascent": "ascent",
    "heavy_ball": "momentum", "lr": "step_size", "learning_rate": "step_size", "alpha": "step_size",
    "batch_size": "batch", "epochs": "steps", "iterations": "steps", "num_steps": "steps", "method": "rule",
    "gradient_accumulation_steps": "accumulate", "accumulation_steps": "accumulate", "every_k": "accumulate",
    "every_k_schedule": "accumulate", "ema": "average", "ema_decay": "average", "polyak": "average",
}  # fmt: skip


def near(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?`, or nothing: the word that people mean by another one, else one that is spelt alike."""
    words = list(known)
    meant = WORDS.get(name.lower(), "")
    return f"Did you mean `{meant}`?" if meant in words and meant != name else nearest(name, words)
