"""One term of torch's backward pass, off by a hook, anywhere in the attention case: seen and named."""

from __future__ import annotations

from typing import Any

import pytest
from gradaccord.harness.case import load, shipped
from gradaccord.harness.judge import judge
from gradaccord.harness.rows import FINDINGS
from gradaccord.harness.subject import Subject

torch = pytest.importorskip("torch")

CASE = load(shipped() / "layers" / "attention.yaml")
FACTOR = {"float64": 1 + 1e-12, "float32": 1 + 1e-5}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("k", range(len(CASE.graph.uses)))
def test_a_factor_on_one_term_is_pinned_to_its_use(k: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from gradaccord.engines.pytorch import engine

    about = Subject(CASE.name, 0, dtype, CASE.graph, CASE.inputs(0, dtype), CASE.cotangent(dtype))
    evaluate = engine.prepare(about.graph, dtype)
    assert not [row for row in judge(about, "torch", evaluate(about.inputs, about.cotangent)) if row.finding]

    tagged = 0
    view_as = torch.Tensor.view_as

    def hooked(tensor: Any, other: Any) -> Any:
        nonlocal tagged
        tag = view_as(tensor, other)
        if tagged == k:
            tag.register_hook(lambda g: g * FACTOR[dtype])
        tagged += 1
        return tag

    monkeypatch.setattr(torch.Tensor, "view_as", hooked)
    rows = judge(about, "torch", evaluate(about.inputs, about.cotangent))
    use = about.graph.uses[k]
    off = [row for row in rows if row.verdict in FINDINGS]
    assert off and {row.node for row in off} == {f"term of {about.graph.argument(use)} in {use}"}
