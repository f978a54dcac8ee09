"""The pairs of optimisers that people ask about, and the page that tells of all of them: `docs/dialects.md`.

A row says what must come of it; a test holds every row and the page against what stepping both gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from .dialect import Compared, Verdict, compare
from .sides import named
from .wording import Dialect


@dataclass(frozen=True, slots=True)
class Pair:
    """Two optimisers as they are called, and whether they step alike. `short`: why, and what to set, in a line."""

    about: str
    a: str
    b: str
    verdict: Verdict
    short: str


PAIRS: tuple[Pair, ...] = (
    Pair("sgd", "torch.optim.SGD(lr=0.1)", "optax.sgd(learning_rate=0.1)", "equal", "the same"),
    Pair("momentum", "torch.optim.SGD(lr=0.1, momentum=0.9)", "optax.sgd(learning_rate=0.1, momentum=0.9)", "equal",
         "the same, changing step sizes included"),
    Pair("momentum with dampening", "torch.optim.SGD(lr=0.1, momentum=0.9, dampening=0.5)",
         "optax.sgd(learning_rate=0.1, momentum=0.9)", "definition",
         "optax has no dampening, and torch does not dampen the first gradient: dampening=0 in torch, or nothing"),
    Pair("nesterov", "torch.optim.SGD(lr=0.1, momentum=0.9, nesterov=True)",
         "optax.sgd(learning_rate=0.1, momentum=0.9, nesterov=True)", "equal", "the same"),
    Pair("coupled weight decay", "torch.optim.SGD(lr=0.1, weight_decay=0.01)", "optax.sgd(learning_rate=0.1)",
         "settings", "optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1)), as before any other optimiser"),
    Pair("coupled weight decay of adam", "torch.optim.Adam(weight_decay=0.01)",
         "optax.chain(optax.add_decayed_weights(0.01), optax.adam(learning_rate=0.001))", "equal",
         "the same: the decay stands before adam"),
    Pair("adagrad", "torch.optim.Adagrad", "optax.adagrad", "definition",
         "eps outside the root in torch, inside in optax; sums begin at 0 and at 0.1: equal only with eps=0 and the "
         "same initial_accumulator_value above 0 on both sides"),
    Pair("rmsprop", "torch.optim.RMSprop", "optax.rmsprop", "definition",
         "eps outside the root in torch, inside in optax; decay 0.99 and 0.9: set eps_in_sqrt=False, decay=0.99 in "
         "optax"),
    Pair("rmsprop, centered", "torch.optim.RMSprop(centered=True)", "optax.rmsprop(learning_rate=0.01, centered=True)",
         "definition", "as rmsprop: eps_in_sqrt=False, decay=0.99"),
    Pair("rmsprop with momentum", "torch.optim.RMSprop(momentum=0.9)",
         "optax.rmsprop(learning_rate=0.01, decay=0.99, eps_in_sqrt=False, momentum=0.9)", "equal",
         "the same while the step size stays; optax's buffer is -lr times torch's, and a schedule parts them"),
    Pair("adadelta", "torch.optim.Adadelta", "optax.adadelta", "definition",
         "optax's learning_rate=None turns no sign, so it ascends: learning_rate=1.0"),
    Pair("adam", "torch.optim.Adam", "optax.adam", "equal", "the same"),
    Pair("adamw", "torch.optim.AdamW", "optax.adamw", "settings",
         "weight_decay is 0.01 in torch, 0.0001 in optax: give it on both sides"),
    Pair("adam with decoupled decay", "torch.optim.Adam(weight_decay=0.01, decoupled_weight_decay=True)",
         "optax.adamw(learning_rate=0.001, weight_decay=0.01)", "equal", "the same: both are adamw"),
    Pair("amsgrad", "torch.optim.Adam(amsgrad=True)", "optax.amsgrad", "definition",
         "torch keeps the largest raw second moment, optax the largest corrected one: no setting but b2 = 0"),
    Pair("adamax", "torch.optim.Adamax", "optax.adamax", "equal", "the same"),
    Pair("nadam", "torch.optim.NAdam", "optax.nadam", "definition",
         "torch's momentum grows from step to step (momentum_decay=0.004), optax's stays: momentum_decay=1e6 in torch"),
    Pair("radam", "torch.optim.RAdam", "optax.radam", "definition",
         "torch adds eps before bias correction, optax after: equal only with an eps of nothing (1e-30) on both sides"),
    Pair("rprop", "torch.optim.Rprop", "optax.rprop", "definition",
         "optax applies the step that the one before found, one step late, the first one not at all: no setting"),
    Pair("adafactor", "torch.optim.Adafactor", "optax.adafactor", "definition",
         "set learning_rate=0.01, min_dim_size_to_factor=1 in optax: 7 digits agree"),
    Pair("muon", "torch.optim.Muon", "optax.contrib.muon", "definition",
         "torch orthogonalises in bfloat16, scales by another side of the matrix, corrects no bias: no setting"),
    Pair("clipping by value", "torch.nn.utils.clip_grad_value_(clip_value=1.0)", "optax.clip(max_delta=1.0)", "equal",
         "the same"),
    Pair("clipping by norm", "torch.nn.utils.clip_grad_norm_(max_norm=1.0)", "optax.clip_by_global_norm(max_norm=1.0)",
         "definition", "torch adds 1e-6 to the norm: 1e-6 / norm apart wherever it clips, and no setting"),
    Pair("step schedule", "torch.optim.lr_scheduler.StepLR(lr=0.1, step_size=4, gamma=0.5)",
         "optax.exponential_decay(init_value=0.1, transition_steps=4, decay_rate=0.5, "
         "staircase=True)", "equal", "the same"),
    Pair("multi-step schedule", "torch.optim.lr_scheduler.MultiStepLR(lr=0.1, milestones=[4, 8], gamma=0.5)",
         "optax.piecewise_constant_schedule(init_value=0.1, boundaries_and_scales={4: 0.5, 8: 0.5})", "equal", "the "
                                                                                                               "same"),
    Pair("exponential schedule", "torch.optim.lr_scheduler.ExponentialLR(lr=0.1, gamma=0.9)",
         "optax.exponential_decay(init_value=0.1, transition_steps=1, decay_rate=0.9)", "equal", "the same"),
    Pair("linear schedule",
         "torch.optim.lr_scheduler.LinearLR(lr=0.1, start_factor=0.5, end_factor=1.0, total_iters=8)",
         "optax.linear_schedule(init_value=0.05, end_value=0.1, transition_steps=8)", "equal",
         "the same: torch's factors multiply lr"),
    Pair("polynomial schedule", "torch.optim.lr_scheduler.PolynomialLR(lr=0.1, total_iters=8, power=2.0)",
         "optax.polynomial_schedule(init_value=0.1, end_value=0.0, power=2.0, transition_steps=8)", "equal", "the "
                                                                                                             "same"),
    Pair("cosine schedule", "torch.optim.lr_scheduler.CosineAnnealingLR(lr=0.1, T_max=12)",
         "optax.cosine_decay_schedule(init_value=0.1, decay_steps=12)", "definition",
         "equal up to step T_max; beyond it torch's goes up again and optax's stays"),
    Pair("one cycle", "torch.optim.lr_scheduler.OneCycleLR(lr=0.1, max_lr=0.1, total_steps=41, "
                      "pct_start=0.2682926829268293)",
         "optax.cosine_onecycle_schedule(transition_steps=41, peak_value=0.1, "
         "pct_start=0.2682926829268293)", "definition",
         "torch's phases end a step earlier: transition_steps = total_steps - 1, and pct_start to match"),
    Pair("one cycle, matched",
         "torch.optim.lr_scheduler.OneCycleLR(lr=0.1, max_lr=0.1, total_steps=41, pct_start=0.2682926829268293)",
         "optax.cosine_onecycle_schedule(transition_steps=40, peak_value=0.1, pct_start=0.25)", "equal",
         "so they are the same: (pct_start * 41 - 1) / 40 is 0.25"),
    Pair("average of weights", "torch.optim.swa_utils.get_ema_multi_avg_fn(decay=0.9)", "optax.ema(decay=0.9)",
         "definition", "torch's begins as a copy of the first weights, optax's at 0: optax.incremental_update"),
)  # fmt: skip

# Of one framework alone.
ALONE: tuple[tuple[str, str, str], ...] = (
    ("lion", "optax.lion", "b1=0.9, b2=0.99, weight_decay=0.001, decoupled"),
    ("yogi", "optax.yogi", "both moments begin at 1e-6, eps=0.001 outside the root"),
    ("adabelief", "optax.adabelief", "eps=1e-16 outside the root, eps_root=1e-16 is added to the state at every step"),
    ("lamb", "optax.lamb", "adam's step, weight decay added, times norm(x) / norm(step) of the whole tensor"),
    ("lars", "optax.lars", "the gradient times trust_coefficient norm(x) / norm(gradient), then momentum of steps"),
    ("signum", "optax.signum", "the sign of the mean gradient"),
    ("asgd", "torch.optim.ASGD", "shrinks x by lambd and averages it from step t0 on"),
    ("lbfgs", "torch.optim.LBFGS, optax.lbfgs",
     ("both exist and are two: torch keeps 100 pairs and evaluates up to 20 times inside step(closure); optax keeps "
      "10 and "
     "searches along the line by default. They read the function, so that given gradients say nothing of them")),
)  # fmt: skip


@cache
def stepped(pair: Pair) -> Compared:
    """A pair, stepped and compared."""
    return compare(named(pair.a), named(pair.b))


def records() -> Iterator[dict[str, Any]]:
    """The pairs as data, one after the other."""
    for pair in PAIRS:
        yield {"about": pair.about, "short": pair.short, **Dialect(stepped(pair)).record()}


def page() -> str:
    """`docs/dialects.md`."""
    return "\n".join([*_head(), *_table(), "", *_alone(), "", *_sections()]).rstrip() + "\n"


def _head() -> Iterator[str]:
    yield HEAD


def _table() -> Iterator[str]:
    yield "| optimiser | torch | optax | alike | why, and what to set |"
    yield "|---|---|---|---|---|"
    for pair in PAIRS:
        alike = _alike(stepped(pair))
        first, second = named(pair.a).path, named(pair.b).path
        yield f"| [{pair.about}](#{anchor(pair)}) | `{first}` | `{second}` | {alike} | {pair.short} |"


def _alike(found: Compared) -> str:
    if found.equal:
        return "yes" + (", while the step size stays" if any("stays" in one for one in found.caveats) else "")
    if found.remedies:
        return "with settings" if any(one.whole for one in found.remedies) else "only at an extreme"
    return "no"


def anchor(pair: Pair) -> str:
    """Where a pair's section stands on the page."""
    return "".join(letter for letter in pair.about.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def _alone() -> Iterator[str]:
    yield "Of one framework alone, or not to be stepped on given gradients:\n"
    for name, path, words in ALONE:
        yield f"- **{name}** (`{path.replace(', ', '`, `')}`): {words}."


def _sections() -> Iterator[str]:
    for pair in PAIRS:
        yield f"## {pair.about}\n"
        yield Dialect(stepped(pair)).markdown(level=3).replace("### ", "", 1)


HEAD = """\
# Dialects: optimisers of torch and optax side by side

"The same weights, the same data, and after some steps the losses differ." Most often it is the optimiser's own
definition: where eps stands, how bias is corrected, what the first step dampens, what decay multiplies. This page says
it for torch 2.13.0 and optax 0.2.8. It is made by `gradaccord dialect --all --markdown`, which steps both on the same
gradients in float64 (tiny, zero, huge, alternating ones; whole matrices) and in exact arithmetic; a test holds it
against that. For optimisers, settings or versions of your own:

    gradaccord dialect torch.optim.RMSprop optax.rmsprop --set lr=0.1
    gradaccord dialect "torch.optim.SGD(momentum=0.9, dampening=0.5)" optax.sgd --set b.momentum=0.9
    gradaccord dialect my_optimiser.py:make "adam(eps=1e-7)"

One of your own is judged from Python by `gradaccord.check_optimiser`: [optimisers.md](optimisers.md).

An `optax` optimiser has no default learning rate; where none is given here, torch's was taken. In torch weight decay is
part of every optimiser but Rprop, LBFGS and SparseAdam, and is added to the gradient, save in AdamW, Muon, Adafactor,
and where decoupled_weight_decay=True. In optax it is a transformation, `optax.add_decayed_weights`: before the
optimiser it is torch's coupled one. Decoupled decay is rounded otherwise: torch multiplies x, optax adds to the step.

"Alike" is said of the definition, so that rounding may differ; "with settings" where arguments of one make it the
other; "only at an extreme" where no argument does, save a setting at its end on both sides.
"""
