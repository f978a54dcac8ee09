"""What is known of pairs whose definition is in no table: why they differ, and what makes them equal.

Read in the sources of torch 2.13.0 and optax 0.2.8. What can be stepped is stepped: `equal` is told only where it
holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Known:
    """`why`: a sentence for each `- `. `equal`: arguments of each with which they step alike; a text is the other's
    argument of that name. `never`: why there are none. `caveat`: what to know where they step alike."""

    why: str = ""
    equal: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    never: str = ""
    caveat: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(" ".join(part.split()) for part in f"\n{self.why.strip()}".split("\n- ")[1:])


# fmt: off
KNOWN: Mapping[tuple[str, str], Known] = {
    ("torch.optim.Muon", "optax.contrib.muon"): Known(
"""
- torch orthogonalises in bfloat16, whatever the parameter's precision; optax in the parameter's own
- torch scales by sqrt(max(1, rows / columns)), optax by sqrt(max(1, columns / rows)), as its weights are transposed;
  adjust_lr_fn='match_rms_adamw' and consistent_rms=0.2 scale alike
- optax corrects the bias of the Nesterov mean, torch does not; with nesterov=False the two means differ by a factor
  alone, which orthogonalising removes
- torch divides by max(norm, 1e-7), optax by norm + 1e-8
- weight decay is 0.1 in torch and 0 in optax by default; in both it is decoupled and multiplied by lr alone
- torch takes matrices alone; optax steps everything else by adamw
""",
        never="no setting makes them equal, since torch orthogonalises in bfloat16. Nearest, within some percent, are "
        "adjust_lr_fn='match_rms_adamw', nesterov=False, weight_decay=0.0 in torch and consistent_rms=0.2, "
        "nesterov=False in optax",
    ),
    ("torch.optim.NAdam", "optax.nadam"): Known(
"""
- momentum_decay=0 does not switch torch's growth off, it halves beta1; 1e6 makes it beta1 from the first step on
- torch keeps the product of its momenta in its default dtype: in float64 some 6 digits agree, or all of them after
  torch.set_default_dtype(torch.float64)
""",
    ),
    ("torch.optim.Rprop", "optax.rprop"): Known(
"""
- given the same gradients, optax is one step behind: torch moves by 0.01, 0.012, ..., optax by 0, 0.01, ...
""",
        never="no setting makes them equal: optax moves by what the step before it found",
    ),
    ("torch.optim.Adam", "optax.amsgrad"): Known(
        "- the first step is the same in both; b2 = 0, where second moments remember nothing, is no amsgrad any more"
    ),
    ("torch.optim.Adagrad", "optax.adagrad"): Known(
        "- where nothing has been added up yet (sums of 0), optax moves by 0; torch does so by its eps, and gives NaN "
        "without one"
    ),
    ("torch.optim.Adafactor", "optax.adafactor"): Known(
"""
- optax factors the second moment only where two dimensions have at least min_dim_size_to_factor=128; torch factors
  every matrix, along its last two dimensions
- learning_rate=None of optax multiplies by nothing, not by 0.01 as torch's default lr
- torch takes min(lr, 1 / sqrt(t)), which is lr for the first 1 / lr^2 steps; optax takes learning_rate as it is
- torch bounds the second moment from below by the square of the dtype's eps, optax adds 1e-30 to squared gradients
- weight decay: torch multiplies x by 1 - lr * weight_decay, optax adds weight_decay_rate * x as it is, so that its rate
  is lr * weight_decay
- optax computes the decay of the second moment in single precision: 7 digits agree
""",
        equal=({}, {"learning_rate": "lr", "min_dim_size_to_factor": 1}),
    ),
    ("torch.nn.utils.clip_grad_norm_", "optax.clip_by_global_norm"): Known(
        "- torch multiplies by max_norm / (norm + 1e-6), optax by max_norm / norm: 1e-6 / norm apart where they clip",
        never="no setting makes them equal where they clip; where the norm is below max_norm - 1e-6 both do nothing",
        caveat="torch adds 1e-6 to the norm: they differ where the norm is above max_norm - 1e-6",
    ),
    ("torch.optim.swa_utils.get_ema_multi_avg_fn", "optax.ema"): Known(
        "- torch's average begins as a copy of the first weights; optax's begins at 0, and is divided by 1 - decay^t "
        "(debias=True) or is not",
        never="no setting of optax.ema makes them equal; optax.incremental_update(new, average, step_size=1 - decay), "
        "begun with a copy of the first weights, is torch's formula",
    ),
    ("torch.optim.lr_scheduler.CosineAnnealingLR", "optax.cosine_decay_schedule"): Known(
        "- after T_max steps torch's learning rate goes up again, optax's stays where it is",
        never="equal for the first T_max steps (eta_min is alpha * init_value in optax); beyond, no setting makes them "
        "equal",
        caveat="equal for the first T_max steps alone: then torch's learning rate goes up again, and optax's stays",
    ),
    ("torch.optim.lr_scheduler.OneCycleLR", "optax.cosine_onecycle_schedule"): Known(
"""
- torch rises until step pct_start * total_steps - 1 and ends at step total_steps - 1; optax rises until step
  int(pct_start * transition_steps) and ends at step transition_steps
- torch also cycles the momentum (cycle_momentum=True)
""",
        never="for the same curve set transition_steps = total_steps - 1 and pct_start = (pct_start * total_steps - 1) "
        "/ (total_steps - 1) in optax, where pct_start * total_steps is whole",
        caveat="torch also cycles the momentum (cycle_momentum=True)",
    ),
    ("torch.optim.lr_scheduler.LinearLR", "optax.linear_schedule"): Known(
        "- torch's start_factor and end_factor multiply lr; optax takes the values themselves",
        never="set init_value = lr * start_factor, end_value = lr * end_factor, transition_steps = total_iters",
    ),
}
# fmt: on
NOTHING = Known()


def known(a: str, b: str) -> tuple[Known, bool]:
    """What is known of a pair, and whether it is known the other way round."""
    if (b, a) in KNOWN:
        return KNOWN[b, a], True
    return KNOWN.get((a, b), NOTHING), False
