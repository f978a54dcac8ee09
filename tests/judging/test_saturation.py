"""Far out, where a slope is 1 to all digits: a bound that grew with the argument would let a wrong one through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gradaccord.engines.backprop import prepare
from gradaccord.harness.graph.node import Use
from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.records.evaluation import Prepare
from gradaccord.harness.records.known import NOTHING, Knowledge
from gradaccord.harness.records.rows import Row
from gradaccord.harness.running.loading import knowledge

from ..subject import subject

TEXTS = ("softplus(x)", "logaddexp(x, y)", "silu(x)", "gelu(x)", "gelu(x, approximate='tanh')", "sigmoid(x)", "tanh(x)")


def terms(about: Subject, prepare: Prepare, fault: float = 0.0, known: Knowledge = NOTHING) -> list[Row]:
    found = prepare(about.graph, about.dtype)(about.inputs, about.cotangent)
    assert found.terms is not None
    use = Use("f", 0)
    bent = np.asarray(found.terms[use] * about.cotangent.dtype.type(1 + fault))
    rows = judge(about, "x", replace(found, terms={**found.terms, use: bent}), knowledge=known)
    return [row for row in rows if row.quantity == "term" and row.use == use]


@pytest.mark.parametrize("text", TEXTS[:-2])
@pytest.mark.parametrize("dtype, fault", [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("x", [30.0, 1e3, 1e8])
def test_a_fault_shows_however_far_out(text: str, dtype: str, fault: float, x: float) -> None:
    if dtype == "float64":
        x = max(x, 50.0)  # as far out for its digits
    about = subject(text, dtype, x=x, **({"y": 0.0} if ", y" in text else {}))
    (sound,), (off,) = terms(about, prepare), terms(about, prepare, fault)
    assert sound.verdict == "agree" and off.finding


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("engine", ["backprop", "torch", "jax"])
def test_sound_slopes_pass_wherever_they_are(text: str, dtype: str, engine: str) -> None:
    frameworks = {"torch": "pytorch.engine", "jax": "jax.engine"}
    if engine in frameworks:
        pytest.importorskip(engine)
    module = pytest.importorskip(f"gradaccord.engines.{frameworks.get(engine, engine)}")
    random = np.random.default_rng(0)
    far = np.exp(random.uniform(-20, 20, 150)) * np.where(random.random(150) < 0.5, -1, 1)
    x = np.concatenate([random.normal(0, 30, 150), far])
    near = {("torch", "softplus(x)"): x < 18, ("torch", "gelu(x)"): x > -2}.get((engine, text))
    x = x if near is None else x[near]  # beyond is where torch has a defect
    about = subject(text, dtype, x=x, **({"y": x + random.normal(0, 20, x.shape)} if ", y" in text else {}))
    (row,) = terms(about, module.prepare, known=knowledge(engine))  # how far erf rounds depends on the processor
    assert row.verdict in ("agree", "lossy"), row.reason
