"""torch's backward pass, off by a hook anywhere in the attention case: seen and named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gradaccord.harness.judging.judge import judge
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.verdicts import FINDINGS

torch = pytest.importorskip("torch")

CASE = load(shipped() / "layers" / "attention.yaml")
FACTOR = {"float64": 1 + 1e-12, "float32": 1 + 1e-5}


def subject(dtype: str) -> Subject:
    return Subject(CASE.name, 0, dtype, CASE.graph, CASE.inputs(0, dtype), CASE.cotangent(dtype))


def named(about: Subject) -> set[str]:
    from gradaccord.engines.pytorch.engine import engine

    rows = judge(about, "torch", engine.prepare(about.graph, about.dtype)(about.inputs, about.cotangent))
    return {str(row.node) for row in rows if row.verdict in FINDINGS}


@pytest.mark.parametrize("dtype", FACTOR)
def test_torch_itself_is_sound_here(dtype: str) -> None:
    assert not named(subject(dtype))


@pytest.mark.parametrize("dtype", FACTOR)
@pytest.mark.parametrize("consumer", [node.name for node in CASE.graph.operations if node.name in CASE.graph.active])
def test_an_operation_whose_backward_is_off_is_named(
    consumer: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradaccord.engines.pytorch import engine as pytorch

    about = subject(dtype)
    place = [name for name in about.graph.by_name if name in about.graph.active].index(consumer)
    pulled_back = pytorch._pulled_back

    def hooked(output: Any, tensors: Sequence[Any], cotangent: Any) -> Any:
        if len(tensors) > len(about.graph.wanted):  # the tagged program, which shows its inside
            node = tensors[len(about.graph.uses) + place].grad_fn
            node.register_hook(lambda found, _: tuple(None if g is None else g * FACTOR[dtype] for g in found))
        return pulled_back(output, tensors, cotangent)

    monkeypatch.setattr(pytorch, "_pulled_back", hooked)
    uses = [use for use in about.graph.uses if use.consumer == consumer]
    assert named(about) == {f"term of {about.graph.argument(use)} in {use}" for use in uses}


@pytest.mark.parametrize("dtype", FACTOR)
@pytest.mark.parametrize("k", range(len(CASE.graph.uses)))
def test_a_term_that_changes_on_its_way_into_the_sum_is_named(
    k: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about, tagged = subject(dtype), 0
    view_as = torch.Tensor.view_as

    def hooked(tensor: Any, other: Any) -> Any:
        nonlocal tagged
        tag = view_as(tensor, other)
        if tagged == k:
            tag.register_hook(lambda g: g * FACTOR[dtype])
        tagged += 1
        return tag

    monkeypatch.setattr(torch.Tensor, "view_as", hooked)
    assert named(about) == {f"adjoint of {about.graph.argument(about.graph.uses[k])}"}
