"""What is known of pairs whose definition is in no table: why they differ, and what makes them equal.

Read in the sources of torch 2.13.0 and optax 0.2.8. What can be stepped is stepped: `equal` is told only where it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Known:
    """`why`: sentences. `equal`: arguments of each with which they step alike. `never`: why there are none."""

    why: tuple[str, ...]
    equal: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    never: str = ""
    caveats: tuple[str, ...] = field(default=())


KNOWN: Mapping[tuple[str, str], Known] = {
    ("torch.optim.Muon", "optax.contrib.muon"): Known(
        (
            "torch orthogonalises in bfloat16, whatever the parameter's precision; optax in the parameter's own: 2 to 3 "
            "digits agree at best",
            "torch scales by sqrt(max(1, rows / columns)), optax by sqrt(max(1, columns / rows)), since its weights are "
            "transposed; adjust_lr_fn='match_rms_adamw' and consistent_rms=0.2 scale alike",
            "optax corrects the bias of the Nesterov mean, torch does not; with nesterov=False the two means differ by a "
            "factor alone, which orthogonalising removes",
            "torch divides by max(norm, 1e-7), optax by norm + 1e-8",
            "weight decay is 0.1 in torch and 0 in optax by default; it is decoupled in both and scaled by lr alone",
            "torch takes matrices alone; optax steps everything else by adamw",
        ),
        never="no setting makes them equal: torch orthogonalises in bfloat16. Nearest are adjust_lr_fn='match_rms_adamw', "
        "nesterov=False, weight_decay=0.0 in torch and consistent_rms=0.2, nesterov=False in optax: some 2 digits",
    ),
    ("torch.optim.Adafactor", "optax.adafactor"): Known(
        (
            "optax factors the second moment only where two dimensions have at least min_dim_size_to_factor=128; torch "
            "factors every matrix, along its last two",
            "learning_rate=None of optax scales by nothing, not by 1e-2 as torch's default lr",
            "torch takes min(lr, 1 / sqrt(t)), which is lr for the first 1 / lr^2 steps; optax takes learning_rate as it is",
            "eps: torch bounds the second moment by eps^2 of the dtype from below, optax adds 1e-30 to squared gradients",
            "weight decay: torch multiplies x by 1 - lr * weight_decay, optax adds weight_decay_rate * x unscaled: its "
            "rate is lr * weight_decay",
            "optax computes the decay of the second moment in single precision: 7 digits agree",
        ),
        equal=({}, {"learning_rate": "lr", "min_dim_size_to_factor": 1}),
    ),
    ("torch.nn.utils.clip_grad_norm_", "optax.clip_by_global_norm"): Known(
        ("torch scales by max_norm / (norm + 1e-6), optax by max_norm / norm: 1e-6 / norm apart wherever it clips",),
        never="no setting makes them equal where they clip; where the norm is below max_norm - 1e-6 both do nothing",
        caveats=("torch adds 1e-6 to the norm: they differ where the norm is above max_norm - 1e-6",),
    ),
    ("torch.optim.swa_utils.get_ema_multi_avg_fn", "optax.ema"): Known(
        (
            "torch's average begins as a copy of the first weights; optax's begins at 0, and divides by 1 - decay^t "
            "(debias=True) or does not",
        ),
        never="no setting of optax.ema makes them equal; optax.incremental_update(new, average, step_size=1 - decay), begun "
        "with a copy of the first weights, is torch's formula",
    ),
    ("torch.optim.lr_scheduler.CosineAnnealingLR", "optax.cosine_decay_schedule"): Known(
        ("after T_max steps torch's learning rate goes up again, optax's stays where it is",),
        never="equal for steps 0 to T_max (eta_min is alpha * init_value in optax); beyond, no setting makes them equal",
    ),
    ("torch.optim.lr_scheduler.OneCycleLR", "optax.cosine_onecycle_schedule"): Known(
        (
            "torch rises until step pct_start * total_steps - 1 and ends at step total_steps - 1; optax rises until step "
            "int(pct_start * transition_steps) and ends at step transition_steps",
            "torch also cycles the momentum (cycle_momentum=True)",
        ),
        never="for the same curve set transition_steps = total_steps - 1 and pct_start = (pct_start * total_steps - 1) / "
        "(total_steps - 1) in optax, where pct_start * total_steps is whole",
    ),
    ("torch.optim.lr_scheduler.LinearLR", "optax.linear_schedule"): Known(
        ("torch's start_factor and end_factor multiply lr; optax takes the values themselves",),
        never="set init_value = lr * start_factor, end_value = lr * end_factor, transition_steps = total_iters",
    ),
}
NOTHING = Known(())


def known(a: str, b: str) -> tuple[Known, bool]:
    """What is known of a pair, and whether it is known the other way round."""
    if (b, a) in KNOWN:
        return KNOWN[b, a], True
    return KNOWN.get((a, b), NOTHING), False
