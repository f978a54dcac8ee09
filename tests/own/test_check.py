"""A person's own function, heard and judged: what is off is named, what is right passes, what is asked is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gradaccord
from gradaccord.harness.errors import CommandError
from gradaccord.harness.hearing import definitions
from gradaccord.harness.records.rows import LinkName, Row, columns
from gradaccord.harness.records.verdicts import FINDINGS

from .doubling import doubling


class Third(torch.autograd.Function):
    """x cubed, whose backward has a factor of its own."""

    factor = 3.0

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, *gs: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gs[0] * Third.factor * x * x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Third.apply(self.layers(x)).sum()  # type: ignore[no-any-return]


X = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(5, 3)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Third, "factor", 3.000001)


def test_a_sound_model_passes_and_says_what_was_judged(net: Net) -> None:
    checked = gradaccord.check(net, X)
    assert checked.assert_sound() is checked
    assert "nothing is off in 5 gradients" in str(checked)
    assert checked.certified and "certified by its links" in " ".join(str(checked).split())
    assert {row.reference for row in checked.rows} == {None}
    asked = gradaccord.check(net, X, reference=True)
    assert asked.certified and all(row.reference is not None and row.digits for row in asked.rows)
    names = {row.name for row in checked.rows if row.quantity == "gradient"}
    assert names == {"x", "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"}


@pytest.mark.usefixtures("wrong")
def test_a_wrong_rule_is_named_with_its_line_and_the_callers(net: Net) -> None:
    checked = gradaccord.check(net, X)
    with pytest.raises(AssertionError) as raised:
        checked.assert_sound()
    text = str(raised.value)
    assert not checked.certified and "certified" not in text
    assert "the rule's backward is not the derivative of its forward" in text
    assert f"Third at {Path(__file__).name}:" in text.replace(f"{Path(__file__).parent}/", "")
    line = next(k for k, line in enumerate(Path(__file__).read_text().splitlines(), 1) if "Third.apply(self" in line)
    assert f"{Path(__file__).name}:{line}" in text
    (finding,) = checked.findings
    assert isinstance(finding.node, LinkName) and finding.node.quantity == "term"
    assert checked.place(finding).line == line


@pytest.mark.usefixtures("wrong")
def test_what_the_gradients_inherit_is_told_once_and_as_a_frame(net: Net) -> None:
    checked = gradaccord.check(net, X)
    assert len(checked.findings) == 1
    frame = checked.frame()
    assert set(frame[frame.quantity == "gradient"].verdict) <= FINDINGS
    assert frame[frame.finding].file.str.endswith(Path(__file__).name).all()
    assert [*frame.columns] == [*(name for name in columns(Row) if name != "point"), "file", "line"]
    assert "<pre" in checked._repr_html_()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    "function, x",
    [
        (torch.relu, [0.0, 1.0]),  # a kink
        (lambda x: torch.log(torch.exp(x)), [-800.0, 1.0]),  # out of the range
        (lambda x: 1e-200 * (1e-200 * x) * 1e300, [0.3, 1.0]),  # fallen to 0
    ],
)
def test_where_links_are_not_enough_the_truth_is_asked(function: Callable[..., Any], x: list[float]) -> None:
    checked = gradaccord.check(function, torch.tensor(x, dtype=torch.float64))
    assert not checked.certified and "certified" not in str(checked)
    assert any(row.reference is not None for row in checked.rows)


def test_wanted_cotangent_and_dtype_are_what_the_run_has(net: Net) -> None:
    def two(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * y, y.sum()

    y = torch.full((5, 3), 2.0, dtype=torch.float64)
    weights = (torch.ones(5, 3, dtype=torch.float64) * 3, torch.tensor(0.5, dtype=torch.float64))
    checked = gradaccord.check(two, X, y, wanted=["y"], cotangent=weights)
    gradients = checked.heard.evaluation.gradients
    assert {checked.heard.names[name] for name in gradients} == {"y"}
    np.testing.assert_allclose(next(iter(gradients.values())), 3 * X.numpy() + 0.5)
    assert gradaccord.check(net, X, dtype="float32").heard.dtype == "float32"
    assert gradaccord.check(two, X, y, wanted="y", dtype=torch.float32).heard.dtype == "float32"
    assert next(net.parameters()).dtype == torch.float64


def test_mixed_precision_is_judged_with_every_nodes_own() -> None:
    def mixed(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return torch.tanh((x @ w).float()).sum()

    x, w = X.float(), torch.linspace(-1, 1, 12).reshape(3, 4)
    checked = gradaccord.check(mixed, x, w).assert_sound()
    assert {node.dtype for node in checked.heard.graph.nodes} == {"", "bfloat16"}


def test_a_fault_of_a_float32_step_in_a_bfloat16_run_is_found() -> None:
    off = doubling(2.001)  # half a unit of bfloat16, 16,000 of float32

    def mixed(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return off.apply((x @ w).float()).to(torch.bfloat16).sum()  # type: ignore[no-any-return]

    checked = gradaccord.check(mixed, X.float(), torch.linspace(-1, 1, 12).reshape(3, 4))
    assert not checked.sound and "Off" in str(checked)


def test_the_truth_is_computed_where_it_is_asked_for(net: Net) -> None:
    def digits(**options: bool) -> set[bool]:
        rows = gradaccord.check(net, X, **options).rows  # type: ignore[arg-type]
        return {row.digits is not None for row in rows if row.quantity == "gradient"}

    assert digits() == {False}
    assert digits(reference=True) == {True}


def test_links_alone_do_not_prove_what_left_the_range() -> None:
    checked = gradaccord.check(lambda x: torch.log(torch.softmax(x, 0)).sum(), torch.tensor([0.0, 800.0]))
    assert not checked.sound
    assert {row.verdict for row in checked.findings} & {"not finite", "out of range", "overflow"}


def test_gradients_that_inherit_the_same_are_told_once() -> None:
    x, w = torch.tensor([2.0, 1.0]), torch.tensor([2.0, 3.0])
    text = str(gradaccord.check(lambda x, w: torch.relu(x + w).sum(), x, -w).assert_sound())
    assert "x and 1 more" in text and text.count("a kink") == 1


def test_a_cotangent_has_the_shape_of_the_output() -> None:
    with pytest.raises(CommandError, match=r"shape \(3, 5\) for an output of \(5, 3\)"):
        gradaccord.check(lambda x: x * 2, X, cotangent=torch.ones(3, 5))


def test_a_mask_of_infinities_is_proved_by_links_alone() -> None:
    seen = torch.tensor([[True, False], [True, True]])

    def attention(x: torch.Tensor) -> torch.Tensor:
        return (torch.softmax(x.masked_fill(~seen, -torch.inf), -1) ** 2).sum()

    checked = gradaccord.check(attention, torch.tensor([[0.5, 3.0], [1.0, -1.0]])).assert_sound()
    assert all(row.reference is None for row in checked.rows)


@pytest.fixture
def nothing_defined() -> Any:
    yield
    definitions.forget()


@pytest.mark.usefixtures("nothing_defined")
def test_a_function_that_is_defined_is_one_node_judged_by_its_text() -> None:
    x = torch.tensor([0.2, 0.7], dtype=torch.float64)
    gradaccord.define("entropy(x)", "-x * log(x)", torch=torch.special.entr)
    checked = gradaccord.check(lambda x: torch.special.entr(x).sum(), x).assert_sound()
    assert [node.op for node in checked.heard.graph.operations] == ["entropy", "sum"]
    gradaccord.define("entropy(x)", "-x * log(x) * 1.0001", torch=torch.special.entr)
    assert not gradaccord.check(lambda x: torch.special.entr(x).sum(), x).sound


@pytest.mark.parametrize(
    "signature, text, functions, said",
    [
        ("f(x)", "tahn(x)", {"torch": torch.tanh}, "Did you mean `tanh`"),
        ("f(", "x", {"torch": torch.tanh}, "a name and its operands"),
        ("tanh(x)", "x", {"torch": torch.tanh}, "is an operation already"),
        ("f(x)", "2 * x", {}, "has no function"),
        ("f(x)", "2 * x", {"torch": 3}, "expected a function"),
    ],
)
@pytest.mark.usefixtures("nothing_defined")
def test_a_definition_that_makes_no_sense_is_refused(signature: str, text: str, functions: Any, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        gradaccord.define(signature, text, **functions)


def test_a_function_of_no_framework_is_told_so() -> None:
    with pytest.raises(CommandError, match="no framework of"):
        gradaccord.check(abs, 3.0)
    with pytest.raises(CommandError, match="3 is no function"):
        gradaccord.check(3, X)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(CommandError, match="unknown framework `pytorch`"):
        gradaccord.check(lambda x: x, X, framework="pytorch")


def test_what_the_function_raises_is_the_users_own() -> None:
    with pytest.raises(RuntimeError, match=r"shape|size"):
        gradaccord.check(lambda x: x @ torch.ones(7, dtype=torch.float64), X)


class Round(torch.autograd.Function):
    """Straight through."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *gs: torch.Tensor) -> torch.Tensor:
        return gs[0]


def rounded(x: torch.Tensor) -> torch.Tensor:
    return (Round.apply(x) * x).sum()  # type: ignore[no-any-return]


@pytest.mark.usefixtures("wrong")
def test_the_finding_of_a_straight_through_rule_asks_whether_it_is_meant(net: Net) -> None:
    asked = "a rule that is meant to be none says so, as in intended={Round: 'x'}"
    assert asked in str(gradaccord.check(rounded, X))
    assert "intended=" not in str(gradaccord.check(net, X))  # wrong, and not flat
    gradaccord.check(rounded, X, intended={Round: "x"}).assert_sound()


# --- compiled programs ------------------------------------------------------------------------------------------------


def smooth(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x @ x.T).exp().sum()


def _scaling(graph: Any, _: Any) -> Any:
    """A backend of torch.compile that is wrong by one in a hundred."""
    return lambda *args: tuple(out * 1.01 for out in graph(*args))


OTHER = "compiled gives another gradient than eager"


def test_a_compiled_function_is_held_against_what_is_heard_of_it() -> None:
    assert "compiled" in str(gradaccord.check(torch.compile(smooth, backend="eager"), X).assert_sound())
    assert OTHER in str(gradaccord.check(torch.compile(smooth, backend=_scaling), X))


@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles a rule
def test_a_module_that_compiles_itself_is_one(net: Net) -> None:
    net.compile(backend=_scaling)
    assert OTHER in str(gradaccord.check(net, X))


class Inner(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ x.T)


class Outer(torch.nn.Module):
    """A model of which a part is compiled, in one of the ways that there are."""

    def __init__(self, how: str, backend: Any) -> None:
        super().__init__()
        inner = Inner()
        self.inner: Any
        if how == "the module itself":
            self.inner = inner
            inner.compile(backend=backend)
        elif how == "a module around it":
            self.inner = torch.compile(inner, backend=backend)
        else:
            self.inner = torch.compile(inner.forward, backend=backend)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x).exp().sum()


@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles a part
@pytest.mark.parametrize("how", ["the module itself", "a module around it", "a function"])
def test_a_compiled_part_is_held_against_what_is_heard_of_it(how: str) -> None:
    assert OTHER in str(gradaccord.check(Outer(how, _scaling), X))
    model = Outer(how, _scaling)
    assert OTHER in str(gradaccord.check(lambda x: model(x), X))  # noqa: PLW0108 around it another function
    assert "compiled" in str(gradaccord.check(Outer(how, "eager"), X).assert_sound())


@pytest.mark.slow  # the next one takes a sixth of the time
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_what_inductor_makes_of_a_part_passes() -> None:
    gradaccord.check(Outer("the module itself", "inductor"), X).assert_sound()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_what_inductor_makes_of_a_right_function_passes() -> None:
    gradaccord.check(torch.compile(smooth), X).assert_sound()


def test_a_rule_that_is_wrong_only_where_jax_compiles_it() -> None:
    jax = pytest.importorskip("jax")

    def planted(factor: float) -> Any:
        rule = jax.custom_vjp(jax.numpy.sin)

        def backward(x: Any, g: Any) -> tuple[Any]:
            return (g * jax.numpy.cos(x) * (factor if isinstance(g, jax.core.Tracer) else 1.0),)

        rule.defvjp(lambda x: (jax.numpy.sin(x), x), backward)
        return jax.jit(lambda x: rule(x).sum())

    x = jax.numpy.linspace(-1.0, 1.0, 6)
    gradaccord.check(planted(1.0), x).assert_sound()
    assert OTHER in str(gradaccord.check(planted(1.01), x))


# --- inputs that nothing reads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_an_input_that_does_not_reach_the_output_has_gradient_zero(framework: str) -> None:
    ones = torch.ones if framework == "torch" else pytest.importorskip("jax.numpy").ones
    checked = gradaccord.check(lambda x, y: (x * 2).sum(), ones(3), ones(2)).assert_sound()
    rows = {row.name: row for row in checked.rows if row.quantity == "gradient"}
    assert rows["y"].verdict == "agree" and not checked.heard.evaluation.gradients["y"].any()
