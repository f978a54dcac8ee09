"""Loading a case takes steps in proportion to what it holds, and no recursion."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.language.expression import Parser
from gradaccord.harness.reading import yaml_text, yaml_tree
from gradaccord.harness.reading.case import Case, CaseErrors

Load = Callable[[str], Case]


def chain(n: int) -> str:
    rows = [f"  n{k}: tanh({'a' if k == 0 else f'n{k - 1}'}) + 0.5" for k in range(n)]
    return "\n".join(["name: x", "inputs: {a: 1}", "graph:", *rows]) + "\n"


def fan(n: int) -> str:
    rows = [f"  n{k}: a * {k}" for k in range(n)]
    return (
        "\n".join(
            ["name: x", "inputs: {a: 1}", "graph:", *rows, f"  f: sum(stack([{', '.join(f'n{k}' for k in range(n))}]))"]
        )
        + "\n"
    )


def events(load_text: Load, text: str) -> int:
    """How many Python functions are entered while a case loads: a measure of work that no other process disturbs."""
    count = 0

    def tracer(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tracer)
    try:
        load_text(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("shape", [chain, fan])
def test_loading_takes_steps_in_proportion_to_the_nodes(load_text: Load, shape: Callable[[int], str]) -> None:
    small, large = (events(load_text, shape(n)) for n in (100, 1000))
    assert large < 11 * small


def test_a_wrong_name_in_every_statement_costs_steps_in_proportion(load_text: Load) -> None:
    def wrong(n: int) -> str:
        return chain(n).replace("0.5", "typo")

    def errors(n: int) -> int:
        def attempt(text: str) -> Case:
            with pytest.raises(CaseErrors):
                load_text(text)
            return cast(Case, None)

        return events(attempt, wrong(n))

    assert errors(1000) < 11 * errors(100)


def test_a_chain_of_ten_thousand_nodes_loads_without_recursion(load_text: Load) -> None:
    limit = sys.getrecursionlimit()
    case = load_text(chain(5_000))
    assert len(case.graph.nodes) == 10_001
    assert sys.getrecursionlimit() == limit


def test_limits_leave_room_for_a_twenty_thousand_nodes() -> None:
    text = chain(20_000)
    assert len(text) < yaml_text.MAX_BYTES
    assert yaml_tree.MAX_WRITTEN > 2 * 20_000 + 10


def test_builders_name_inner_nodes_in_proportion_to_them() -> None:
    """A search for the next free name from 1 on would be quadratic."""

    def steps(n: int) -> int:
        builder = Builder()
        builder.input("a", ())
        found = 0

        class Counting(dict[str, Any]):
            def __contains__(self, key: object) -> bool:
                nonlocal found
                found += 1
                return super().__contains__(key)

        builder.nodes = Counting(builder.nodes)
        Parser(builder).define("f", f"stack([{', '.join(f'a * {k}' for k in range(n))}])")
        return found

    assert steps(400) < 11 * steps(40)
