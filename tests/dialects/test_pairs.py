"""`docs/dialects.md`: what it says of each pair, held against stepping both, and against facts of their sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradaccord.harness.dialects.dialect import compare
from gradaccord.harness.dialects.pairs import PAIRS, Pair, page, stepped
from gradaccord.harness.dialects.settled import settled
from gradaccord.harness.dialects.sides import named

PAGE = Path(__file__).parent.parent.parent / "docs" / "dialects.md"
QUICK = ("sgd", "momentum with dampening", "adagrad", "rmsprop", "rmsprop with momentum", "adam", "adamw", "nadam",
         "radam", "amsgrad", "rprop", "clipping by norm", "cosine schedule", "one cycle, matched")  # fmt: skip


@pytest.mark.parametrize("pair", [one for one in PAIRS if one.about in QUICK], ids=lambda pair: pair.about)
def test_a_pair_is_what_its_row_says(pair: Pair) -> None:
    assert stepped(pair).verdict == pair.verdict


@pytest.mark.slow
def test_the_page_is_what_the_command_gives() -> None:
    assert [pair.about for pair in PAIRS if stepped(pair).verdict != pair.verdict] == []
    assert PAGE.read_text() == page()


def test_the_page_has_a_section_for_every_pair_and_every_link_leads_to_one() -> None:
    text = PAGE.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [pair.about for pair in PAIRS]
    heads = {re.sub(r"[^\w-]", "", pair.about.replace(" ", "-")) for pair in PAIRS}
    assert {*re.findall(r"\]\(#([^)]*)\)", text)} == heads


# What the sources of torch 2.13.0 and optax 0.2.8 say, each by another setting than the page has. Which is equal?
FACTS: tuple[tuple[str, str, bool], ...] = (
    ("torch.optim.SGD(lr=0.1, momentum=0.9, dampening=0.1)", "optax.sgd(learning_rate=0.1, momentum=0.9)", False),
    ("torch.optim.Adagrad(lr=0.1, eps=0.0, initial_accumulator_value=0.5)",
     "optax.adagrad(learning_rate=0.1, eps=0.0, initial_accumulator_value=0.5)", True),
    ("torch.optim.Adagrad(lr=0.1, eps=0.0)",  # 0 / 0 is NaN in torch, where optax moves by 0
     "optax.adagrad(learning_rate=0.1, eps=0.0, initial_accumulator_value=0.0)", False),
    ("torch.optim.Adagrad(lr=0.1, eps=0.0, initial_accumulator_value=0.5, lr_decay=0.1)",
     "optax.adagrad(learning_rate=0.1, eps=0.0, initial_accumulator_value=0.5)", False),
    ("torch.optim.RMSprop(lr=0.1, alpha=0.9)", "optax.rmsprop(learning_rate=0.1, eps_in_sqrt=False)", True),
    ("torch.optim.RMSprop(lr=0.1, alpha=0.9)",
     "optax.rmsprop(learning_rate=0.1, eps_in_sqrt=False, initial_scale=1.0)", False),
    ("torch.optim.RMSprop(lr=0.1, alpha=0.9)",
     "optax.rmsprop(learning_rate=0.1, eps_in_sqrt=False, bias_correction=True)", False),
    ("torch.optim.Adam(lr=0.1)", "optax.adam(learning_rate=0.1, eps_root=1e-8)", False),
    ("torch.optim.Adam(lr=0.1, betas=(0.9, 0.0), amsgrad=True)", "optax.amsgrad(learning_rate=0.1, b2=0.0)", True),
    ("torch.optim.NAdam(momentum_decay=1e6)", "optax.nadam(learning_rate=0.002)", True),
    ("torch.optim.NAdam(momentum_decay=0.0)", "optax.nadam(learning_rate=0.002)", False),
    ("torch.optim.RAdam(eps=1e-30)", "optax.radam(learning_rate=0.001, eps=1e-30)", True),
    ("torch.optim.AdamW(weight_decay=0.1)", "optax.adamw(learning_rate=0.001, weight_decay=0.1)", True),
    ("torch.optim.Adam(weight_decay=0.1)", "optax.adamw(learning_rate=0.001, weight_decay=0.1)", False),
    ("torch.optim.Adadelta(lr=0.5, rho=0.8)", "optax.adadelta(learning_rate=0.5, rho=0.8)", True),
    ("optax.adam(learning_rate=0.1, nesterov=True)", "optax.nadam(learning_rate=0.1)", True),
)  # fmt: skip


@pytest.mark.parametrize("a, b, equal", FACTS)
def test_a_fact_of_the_sources(a: str, b: str, equal: bool) -> None:
    assert compare(*settled(named(a), named(b), ())).equal == equal


def test_the_product_of_nadam_is_kept_in_the_default_dtype_of_torch() -> None:
    torch = pytest.importorskip("torch")
    sides = named("torch.optim.NAdam(momentum_decay=1e6)"), named("optax.nadam(learning_rate=0.002)")
    before = torch.get_default_dtype()
    assert compare(*sides).likeness.digits < 9
    torch.set_default_dtype(torch.float64)
    try:
        assert compare(*sides).likeness.digits > 12
    finally:
        torch.set_default_dtype(before)
