"""`gradaccord.check_optimiser`: right optimisers pass, and of wrong ones it is said what is wrong."""

from __future__ import annotations

from typing import Any

import optax
import pytest
import torch

import gradaccord
from gradaccord.harness.dialects.checking import judged, traces_of
from gradaccord.harness.dialects.identify import rounded
from gradaccord.harness.dialects.sides import of_object
from gradaccord.harness.errors import CommandError
from gradaccord.harness.rules.definition import definition

from . import own_optax, own_torch

WRONG = [
    ("WrongEps", "eps: 1e-7"),
    ("NoBiasCorrection", "no bias were corrected"),
    ("BetasExchanged", "beta1 and beta2 are exchanged"),
    ("Ascends", "the sign of the step were turned"),
    ("SecondMomentStays", "the state were never updated in `v ="),
    ("NoRoot", "`sqrt` were left out in `d ="),
    ("CountsFromZero", "counted from 0"),
    ("CountsFromTwo", "counted from 2"),
    ("ReadsTheOldMean", "read m as it was before the step"),
]


# Of what is counted, kept or left out, one each; the others are looked for in the same way.
ALIKE = ("CountsFromTwo", "SecondMomentStays", "BetasExchanged")


@pytest.mark.parametrize(
    "name, said", [pytest.param(*one, marks=[pytest.mark.slow] * (one[0] in ALIKE)) for one in WRONG]
)
def test_what_is_wrong_is_named(name: str, said: str) -> None:
    checked = gradaccord.check_optimiser(getattr(own_torch, name), rule="adam", eps=1e-8)
    assert not checked.sound
    assert said in checked.cause
    with pytest.raises(AssertionError, match="adam, step"):
        checked.assert_sound()


def test_a_right_one_is_sound_in_every_state_variable() -> None:
    checked = gradaccord.check_optimiser(own_torch.Adam, rule="adam").assert_sound()
    assert [(one.name, one.kept, one.verdict) for one in checked.numbers] == [
        ("m", "first", "agree"), ("v", "second", "agree"), ("x", "x", "agree")
    ]  # fmt: skip


def test_coupled_decay_for_decoupled_is_another_definition() -> None:
    checked = gradaccord.check_optimiser(own_torch.CoupledDecay, rule="adamw", weight_decay=0.01)
    assert checked.cause.startswith("decay: coupled")


def test_the_state_variable_that_is_off_is_named_with_its_step() -> None:
    first = gradaccord.check_optimiser(own_torch.SecondMomentStays, rule="adam").findings[0]
    assert first.off is not None
    assert (first.name, first.kept, first.off.step) == ("v", "second", 1)


def test_a_state_variable_is_known_by_most_of_its_numbers() -> None:
    """One number of it is off, and the parameter steps by another."""
    checked = gradaccord.check_optimiser(own_torch.ShowsOneStale, rule="adam")
    assert [(one.name, one.kept, one.verdict) for one in checked.numbers] == [
        ("m", "first", "wrong"), ("v", "second", "agree"), ("x", "x", "wrong")
    ]  # fmt: skip
    off = checked.findings[0].off
    assert off is not None and (off.step, off.component) == (1, 1)
    assert checked.cause == "state that the optimiser does not show"


@pytest.mark.parametrize("stale, verdict", [(False, "agree"), (True, "wrong")])
def test_a_largest_second_moment_is_told_from_the_second_moment(stale: bool, verdict: str) -> None:
    """They have most of their numbers in common."""
    checked = gradaccord.check_optimiser(own_torch.Largest, "amsgrad", arguments={"stale": stale})
    assert [(one.name, one.kept, one.verdict) for one in checked.numbers][:3] == [
        ("m", "first", "agree"), ("v", "second", verdict), ("w", "top", "agree")
    ]  # fmt: skip


def test_settings_go_by_the_names_of_the_framework_too() -> None:
    made = {"lr": 0.1, "b1": 0.8}
    checked = gradaccord.check_optimiser(own_torch.Adam, "adam", arguments=made, lr=0.1, betas=(0.8, 0.999))
    assert checked.sound and checked.wanted.chosen["beta1"] == "0.8"
    assert not gradaccord.check_optimiser(own_torch.Adam, "adam", arguments=made, betas=(0.9, 0.999)).sound


def test_without_a_rule_it_says_which_one_it_is() -> None:
    checked = gradaccord.check_optimiser(own_torch.WrongEps)
    assert checked.sound and checked.found is not None
    assert (checked.found.rule, checked.found.chosen["eps"]) == ("adam", "1e-7")
    assert "every step is adam" in str(checked)


@pytest.mark.slow
def test_a_transformation_of_optax() -> None:
    assert gradaccord.check_optimiser(own_optax.rmsprop(), "rmsprop", rho=0.9, lr=0.01).sound
    inside = gradaccord.check_optimiser(own_optax.rmsprop(inside=True), "rmsprop", rho=0.9, lr=0.01)
    assert inside.cause == "eps_place: inside (eps stands inside the root)"
    other = gradaccord.check_optimiser(own_optax.rmsprop(eps=1e-6), "rmsprop", rho=0.9, lr=0.01)
    assert other.cause == "eps: 0.000001"
    forgets = gradaccord.check_optimiser(own_optax.rmsprop(keeps=False), "rmsprop", rho=0.9, lr=0.01)
    assert not forgets.sound


def test_a_function_of_the_parameters() -> None:
    def make(parameters: Any) -> Any:
        return own_torch.Adam(parameters, lr=0.1)

    assert gradaccord.check_optimiser(make, "adam").sound


def test_the_parameters_may_have_any_name_and_the_learning_rate_be_a_tensor() -> None:
    made = gradaccord.check_optimiser(lambda ps: torch.optim.SGD(ps, lr=torch.tensor(0.25)), "descent")
    assert made.sound and made.wanted.chosen["step_size"] == "0.25"


def test_a_fitted_number_is_rounded_to_none_that_its_rule_does_not_have() -> None:
    """With a weight of 1 adam never moves; but 1 is none of its weights."""
    still = traces_of(of_object(lambda parameters: torch.optim.SGD(parameters, lr=0.0)))
    nearly = definition("adam", {"beta2": "0.9999999999", "eps_place": "before"})
    assert rounded(nearly, still, names=("beta2",)) is None


@pytest.mark.parametrize(
    "words, said",
    [
        ({"rule": "adma"}, "adma"),
        ({"rule": "adam", "epsilon": 1}, "epsilon"),
        ({"rule": "adam", "state": {"q": "first"}}, "no state variable of adam"),
        ({"rule": "adam", "state": {"m": "none"}}, "keeps no `none`"),
        ({"eps": 1e-8}, "name it"),
    ],
)
def test_a_mistake_is_told(words: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        gradaccord.check_optimiser(own_torch.Adam, **words)


@pytest.mark.parametrize("times, cause", [(1.1, "step_size: 0.11"), (-1.0, "as if the sign of the step were turned")])
def test_a_step_by_what_was_added_up_is_looked_at(times: float, cause: str) -> None:
    def made(times: float) -> Any:
        def make(parameters: Any) -> Any:
            return own_torch.EveryThird(parameters, times=times)

        return gradaccord.check_optimiser(make, "descent", step_size=0.1, accumulate=3)

    assert made(1.0).sound
    wrong = made(times)
    assert wrong.cause == cause and [(one.name, one.off.step) for one in wrong.findings if one.off] == [("x", 3)]


@pytest.mark.parametrize("settings", [{}, {"accumulate": 3}], ids=["each", "third"])
def test_a_mistake_beside_a_schedule_is_named(settings: dict[str, Any]) -> None:
    def make(parameters: Any) -> Any:
        return own_torch.Slowing(parameters, every=settings.get("accumulate", 1))

    checked = gradaccord.check_optimiser(make, "descent", step_size="0.1 / t", **settings)
    assert checked.cause == "as if the sign of the step were turned"


def test_state_that_is_one_number_where_each_has_its_own_is_off() -> None:
    traces = traces_of(of_object(optax.novograd(0.1)))
    numbers = judged(definition("adam", {"step_size": "0.1"}), traces, {"m": "mu", "v": "nu"})
    assert {one.name: one.verdict for one in numbers}["v"] == "wrong"


def test_an_optimiser_that_evaluates_by_itself_cannot_be_stepped() -> None:
    with pytest.raises(TypeError, match="LBFGS evaluates the function within its step"):
        gradaccord.check_optimiser(torch.optim.LBFGS, "descent")


def test_another_count_of_gradients_is_named() -> None:
    checked = gradaccord.check_optimiser(own_torch.EveryThird, "descent", step_size=0.1, accumulate=4)
    assert checked.cause == "accumulate: 3"


def test_clipping_that_was_not_asked_for_is_named() -> None:
    made = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.001))
    assert gradaccord.check_optimiser(made, "adam").cause == "clip_norm: 1"


class NeedsRate(torch.optim.SGD):
    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)


@pytest.mark.parametrize(
    "make, said",
    [
        (torch.optim.SGD([torch.zeros(1)], lr=0.1), "made already"),
        (NeedsRate, "needs `lr`"),
        (3, "no optimiser that is known"),
        (lambda: None, "no optimiser that is known"),
    ],
    ids=["made", "needs", "number", "nothing"],
)
def test_what_is_no_optimiser_is_told(make: Any, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        gradaccord.check_optimiser(make)


def test_it_is_a_table_too() -> None:
    frame = gradaccord.check_optimiser(own_torch.NoRoot, "adam").frame()
    assert [*frame["verdict"]] == ["agree", "agree", "wrong"]
