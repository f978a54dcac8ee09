"""`gradaccord dialect`: which term differs, in which words, and what is done with what a person writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gradaccord.harness.cli import main
from gradaccord.harness.dialects.checking import traces_of
from gradaccord.harness.dialects.likeness import definition_of
from gradaccord.harness.dialects.sides import named

OWN = Path(__file__).parent / "own_torch.py"


def dialect(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, ["dialect", *words])


def test_eps_inside_the_root_is_named_with_the_setting_that_moves_it() -> None:
    done = dialect("torch.optim.RMSprop", "optax.rmsprop", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"]) == (1, "definition")
    assert ["u = g / (sqrt(spread) + eps)", "u = g / sqrt(spread + eps)"] in told["lines"]
    assert {"eps_place", "rho"} == {one["name"] for one in told["differences"]}
    assert told["shows"][0]["point"] == "gradients near 1e-8"
    assert [one["change"] for one in told["remedies"]] == ["decay=0.99, eps_in_sqrt=False"]


def test_other_defaults_are_not_another_definition() -> None:
    told = json.loads(dialect("torch.optim.AdamW", "optax.adamw", "--json").stdout)
    assert told["verdict"] == "settings"
    assert [(one["name"], one["a"], one["b"]) for one in told["differences"]] == [("weight_decay", "0.01", "0.0001")]
    assert dialect("torch.optim.AdamW", "optax.adamw", "--set", "weight_decay=0.1").exit_code == 0


def test_a_setting_goes_by_the_name_of_either_and_to_both() -> None:
    told = json.loads(dialect("torch.optim.Adam", "optax.adam", "--set", "lr=0.1", "--set", "b1=0.8", "--json").stdout)
    assert told["a"] == "torch.optim.Adam(lr=0.1, betas=(0.8, 0.999))"
    assert told["b"] == "optax.adam(learning_rate=0.1, b1=0.8)"
    assert told["equal"]


def test_what_is_equal_while_the_step_size_stays_says_so() -> None:
    words = ["torch.optim.RMSprop(momentum=0.9)", "optax.rmsprop(0.01, 0.99, eps_in_sqrt=False, momentum=0.9)"]
    done = dialect(*words)
    assert done.exit_code == 0
    assert "equal only as long as step_size stays the same" in " ".join(done.stdout.split())


def test_what_ascends_is_told_so() -> None:
    done = dialect("torch.optim.Adadelta", "optax.adadelta", "--quiet")
    assert done.exit_code == 1 and "opposite directions" in done.stdout


def test_a_rule_with_its_choices_is_an_optimiser_too() -> None:
    assert dialect("rmsprop(eps_place=inside, rho=0.9)", "optax.rmsprop", "--quiet").exit_code == 0


def test_an_optimiser_of_ones_own_is_found_out() -> None:
    told = json.loads(dialect(f"{OWN}:WrongEps", "torch.optim.Adam", "--json").stdout)
    assert told["definitions"][0]["rule"] == "adam" and told["definitions"][0]["eps"] == "1e-7"
    assert [one["change"] for one in told["remedies"]] == ["eps=1e-07"]


def test_it_fits_eighty_columns_and_says_where_it_shows() -> None:
    shown = dialect("torch.optim.RAdam", "optax.radam").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "gradients near 1e-8" in shown and "bias correction" in shown


def test_a_table_that_lies_is_not_believed() -> None:
    side = named("torch.optim.RMSprop")
    assert side.framework is not None
    lying = [
        replace(native, fixed={**native.fixed, "eps_place": "inside"}) if native.rule == "rmsprop" else native
        for native in side.framework.natives
    ]
    liar = replace(side, framework=replace(side.framework, natives=lying))
    traces = traces_of(side)
    assert definition_of(side, traces) is not None
    assert liar.definition is not None and definition_of(liar, traces) is None


def test_markdown_is_a_page() -> None:
    shown = dialect("torch.optim.Rprop", "optax.rprop", "--markdown").stdout
    assert shown.startswith("# `torch.optim.Rprop` and `optax.rprop(learning_rate=0.01)`")
    assert "no setting makes them equal" in shown


@pytest.mark.parametrize(
    "words, said",
    [
        (("torch.optim.Adma", "optax.adam"), "Did you mean `torch.optim.Adam`?"),
        (("torch.optim.Adam(epsilon=1)", "optax.adam"), "takes no `epsilon`"),
        (("torch.optim.Adam", "optax.adam", "--set", "betta=1"), "neither has `betta`"),
        (("torch.optim.Adam",), "expected two"),
        (("adam(eps_place=nowhere)", "optax.adam"), "eps_place: nowhere"),
        (("nothing.py:make", "optax.adam"), "no file nothing.py"),
        (("optax.adam",) * 2 + ("--json", "--quiet"), "exclude each other"),
        ((), "expected two optimisers, or --all"),
        (("--all", "--set", "lr=0.1"), "--all takes neither"),
    ],
)
def test_a_mistake_says_what_was_found_and_what_to_do(words: tuple[str, ...], said: str) -> None:
    done = dialect(*words)
    assert done.exit_code == 2
    assert said in done.stderr
