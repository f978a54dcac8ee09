"""optax's own optimisers, by the names of the update rules."""

# jax and optax are annotated in part: their functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import optax

from ...harness.records.evaluation import Advance, Array, Moved, Unsupported
from ...harness.rules.definition import Definition
from ...harness.rules.framework import Group, native_groups
from ...harness.rules.native import Native
from ...harness.rules.schedules import Schedule
from ...harness.rules.texts import names_in
from .precision import mode, to_jax

RATE = {"learning_rate": "step_size"}
DECAY = {"weight_decay": "weight_decay"}
BETAS = {**RATE, "b1": "beta1", "b2": "beta2", "eps": "eps"}
ROOT = {**BETAS, "eps_root": "eps_root"}
DECOUPLED = {"decay": "decoupled"}
MOMENTS = {"m": "mu", "v": "nu"}
PLAIN = {"nesterov": False, "mu_dtype": None}


def _of(state: Any, name: str) -> Any:
    """What optax keeps under a name of its own; a parameter may have that name, too."""

    def own(path: Sequence[Any], value: object) -> bool:
        return isinstance(path[-1], optax.tree_utils.NamedTupleKey)

    return optax.tree_utils.tree_get(state, name, filtering=own)


def _trace(state: Any, runs: Definition, parameters: Mapping[str, Any]) -> Any:
    """The momentum buffer behind the step size: what it adds up are steps, of gradients only as long as that is one."""
    trace = _of(state, "trace")
    if trace is None or "step_size" in runs.formulas:
        return trace
    return jax.tree.map(lambda b: b / -float(runs.constants["step_size"]), trace)


def _means(*, of_rows: bool) -> Any:
    """The means of the rows, or of the columns, of each matrix, in the shape that they have beside it."""

    def of(state: Any, runs: Definition, parameters: Mapping[str, Any]) -> Any:
        short, long = (_of(state, name) for name in ("v_row", "v_col"))
        matrices = {name: x for name, x in parameters.items() if "row" in runs.at(x.shape).state}
        rows_are_short = {name: x.shape[0] <= x.shape[1] for name, x in matrices.items()}
        kept = {name: (short if rows_are_short[name] == of_rows else long)[name] for name in matrices}
        return {name: mean.reshape((-1, 1) if of_rows else (1, -1)) for name, mean in kept.items()}

    return of


def _squares(state: Any, runs: Definition, parameters: Mapping[str, Any]) -> Any:
    squares = _of(state, "v")
    return {name: squares[name] for name, x in parameters.items() if "v" in runs.at(x.shape).state}


# fmt: off
NATIVES: tuple[Native, ...] = (
    # optax has no optimiser that maximises; its own step for that is the learning rate with the sign left alone.
    Native("optax.scale_by_learning_rate", "ascent", RATE, given={"flip_sign": False}),
    Native("optax.sgd", "descent", RATE, given={"momentum": None}),
    Native("optax.sgd", "momentum", {**RATE, "momentum": "momentum"}, given={"nesterov": False},
           fixed={"buffer": "before", "dampening": "0"}, state={"v": "trace"}),
    Native("optax.sgd", "nesterov", {**RATE, "momentum": "momentum"}, given={"nesterov": True},
           fixed={"buffer": "before"}, state={"v": "trace"}),
    Native("optax.sign_sgd", "sign", RATE),
    Native("optax.signum", "signum", {**RATE, "beta": "beta"}, state={"m": "ema"}),
    Native("optax.lion", "lion", {**RATE, "b1": "beta1", "b2": "beta2", **DECAY}, fixed=DECOUPLED, state={"m": "mu"}),
    Native("optax.rprop", "rprop",
           {**RATE, "eta_minus": "eta_minus", "eta_plus": "eta_plus", "min_step_size": "shortest",
            "max_step_size": "longest"}, fixed={"applied": "late"},
           state={"s": "step_sizes", "p": "prev_updates"}),
    Native("optax.adagrad", "adagrad", {**RATE, "initial_accumulator_value": "initial", "eps": "eps"},
           fixed={"eps_place": "inside", "slowing": "0"}, state={"s": "sum_of_squares"}),
    Native("optax.rmsprop", "rmsprop",
           {**RATE, "decay": "rho", "eps": "eps", "initial_scale": "initial", "momentum": "momentum"},
           choices={"eps_in_sqrt": ("eps_place", {False: "outside", True: "inside"}),
                    "centered": ("centered", {False: "no", True: "yes"}),
                    "nesterov": ("nesterov", {False: "no", True: "yes"}),
                    "bias_correction": ("unbiased", {False: "no", True: "yes"})},
           fixed={"buffer": "after"}, state={"v": "nu", "m": "mu", "b": _trace}),
    Native("optax.adadelta", "adadelta", {**RATE, "rho": "rho", "eps": "eps", **DECAY}, fixed={"decay": "coupled"},
           state={"s": "e_g", "d": "e_x"}),
    # optax factors along the two largest axes and calls the means of the shorter ones rows.
    Native("optax.adafactor", "adafactor",
           {**RATE, "decay_rate": "power", "clipping_threshold": "clip_rms", "eps": "eps"},
           choices={"factored": ("factored", {True: "yes", False: "no"})},
           given={"min_dim_size_to_factor": 1, "multiply_by_parameter_scale": True, "momentum": None,
                  "weight_decay_rate": None},
           fixed={"eps_place": "added", "bound": "none", "least_scale": "0.001", "decay": "coupled"},
           state={"row": _means(of_rows=True), "column": _means(of_rows=False), "v": _squares}),
    Native("optax.adam", "adam", ROOT, given=PLAIN, fixed={"eps_place": "after"}, state=MOMENTS),
    Native("optax.adamw", "adam", {**ROOT, **DECAY}, given=PLAIN, fixed={"eps_place": "after", **DECOUPLED},
           state=MOMENTS),
    Native("optax.adamw", "adamw", {**ROOT, **DECAY}, given=PLAIN, fixed={"eps_place": "after", **DECOUPLED},
           state=MOMENTS),
    Native("optax.amsgrad", "amsgrad", ROOT,
           choices={"bias_correction_mu": ("unbiased_mean", {True: "yes", False: "no"}),
                    "bias_correction_nu": ("unbiased_square", {True: "yes", False: "no"})},
           given={"mu_dtype": None}, fixed={"largest": "corrected"}, state={**MOMENTS, "w": "nu_max"}),
    Native("optax.adamax", "adamax", BETAS, state=MOMENTS),
    Native("optax.adamaxw", "adamax", {**BETAS, **DECAY}, fixed=DECOUPLED, state=MOMENTS),
    Native("optax.nadam", "nadam", ROOT, given={"mu_dtype": None}, fixed={"momentum_schedule": "none"}, state=MOMENTS),
    Native("optax.nadamw", "nadam", {**ROOT, **DECAY}, given={"mu_dtype": None},
           fixed={"momentum_schedule": "none", **DECOUPLED}, state=MOMENTS),
    Native("optax.radam", "radam", {**ROOT, "threshold": "threshold"}, given={"nesterov": False},
           fixed={"eps_place": "after"}, state=MOMENTS),
    Native("optax.adabelief", "adabelief", ROOT, given={"nesterov": False}, state={"m": "mu", "s": "nu"}),
    Native("optax.yogi", "yogi", BETAS, fixed={"initial": "1e-6"}, state=MOMENTS),
    Native("optax.lamb", "lamb", {**BETAS, **DECAY}, given={"eps_root": 0.0}, state=MOMENTS),
    Native("optax.lars", "lars",
           {**RATE, **DECAY, "momentum": "momentum", "trust_coefficient": "trust", "eps": "eps"},
           choices={"nesterov": ("nesterov", {False: "no", True: "yes"})}, fixed={"decay": "coupled"},
           state={"b": "trace"}),
)
# fmt: on

# What optax chains before any optimiser.
AROUND = {
    "weight_decay": (), "decay": ("coupled",), "clip_value": (), "clip_norm": (), "clip_over": ("all",),
    "clip_by": ("norm",), "accumulate": (), "accumulated": ("mean", "sum"),
    "average": (), "average_begins": ("first", "start", "zero"),
}  # fmt: skip


def optimiser(rule: str, settings: Mapping[str, Any], start: Mapping[str, Array]) -> Advance:
    """optax's own optimiser for a rule, or the nearest to it. Raises Unsupported for one that it does not have."""
    return _stepping(native_groups(NATIVES, AROUND, rule, settings, start), start)


def stepping(native: Native, runs: Definition, start: Mapping[str, Array]) -> Advance:
    """optax's own optimiser at the starting parameters."""
    return _stepping([Group(native, runs, list(start))], start)


def _stepping(groups: Sequence[Group], start: Mapping[str, Array]) -> Advance:
    """One optimiser; where parameters have settings of their own a `multi_transform`, each by the number of its
    group."""
    deep = [(start[name], runs) for _, runs, own in groups for name in own if start[name].ndim > 2]
    if any("row" in runs.at(x.shape).state for x, runs in deep):
        raise Unsupported("optax.adafactor factors along the two largest axes, not along the last two")
    clipped = _clip(groups[0].runs)
    own: dict[Hashable, Any] = {k: _made(native, runs) for k, (native, runs, _) in enumerate(groups)}
    labels = {name: k for k, (_, _, names) in enumerate(groups) for name in names}
    stepped: Any = own[0] if len(groups) == 1 else optax.multi_transform(own, labels)
    made: Any = optax.chain(*clipped, stepped) if clipped else stepped
    common = groups[0].runs
    several = common.every > 1

    def kept(k: int) -> Any:
        inner = state.inner_opt_state if several else state
        last = inner[-1] if clipped else inner
        return last if len(groups) == 1 else last.inner_states[k].inner_state

    with mode():
        if several:  # unless told, MultiSteps adds up in float32
            mean, kind = common.chosen["accumulated"] == "mean", next(iter(start.values())).dtype
            made = optax.MultiSteps(made, common.every, use_grad_mean=mean, accumulator_dtype=kind)
        parameters: Any = {name: to_jax(array) for name, array in start.items()}
        state: Any = made.init(parameters)
        averaged = _Average(common, parameters) if "average" in common.chosen else None
    done = 0

    def step(gradients: Mapping[str, Array]) -> Moved:
        nonlocal parameters, state, done
        done += 1
        # MultiSteps asks by `lax.cond`, which would compile a program at each step, and knows no schedule in Python.
        with mode(), jax.disable_jit(several):
            updates, state = made.update({name: to_jax(gradients[name]) for name in parameters}, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
            if averaged is not None and done % common.every == 0:
                averaged.enters(parameters, done // common.every)
            shown: dict[str, dict[str, Any]] = {} if averaged is None else averaged.shown()
            if several:
                shown["total"] = _total(state, common)
            for k, (native, runs, names) in enumerate(groups):
                for variable, called in native.state.items():
                    own = {name: parameters[name] for name in names}
                    if arrays := _shown(called, kept(k), runs, own):
                        shown.setdefault(variable, {}).update({name: arrays[name] for name in own if name in arrays})
            return Moved(*jax.device_get((parameters, shown)))

    return step


def _total(state: Any, runs: Definition) -> Any:
    """What optax has added up; of a running mean the part of the whole that it will be."""
    assert runs.share is not None
    part = 1.0 if runs.share == 1 else int(state.mini_step) / runs.share
    return jax.tree.map(lambda mean: mean * part, state.acc_grads)


class _Average:
    """An average of weights, by `optax.incremental_update` from a copy of them, or from 0 by `optax.ema`."""

    def __init__(self, runs: Definition, start: Any) -> None:
        self._runs, self._state = runs, None
        self._average: Any = start
        if runs.chosen["average_begins"] == "zero":
            self._state = self._ema(1).init(start)

    def enters(self, parameters: Any, t: int) -> None:
        """The parameters after the t-th step."""
        if self._state is not None:
            self._average, self._state = self._ema(t).update(parameters, self._state)
        elif t == 1 and self._runs.chosen["average_begins"] == "first":
            self._average = parameters
        else:
            self._average = optax.incremental_update(parameters, self._average, 1 - self._runs.number("average", t))

    def shown(self) -> dict[str, dict[str, Any]]:
        raw = {} if self._state is None else {"raw": self._state.ema}
        return {"averaged": self._average, **raw}

    def _ema(self, t: int) -> Any:
        return optax.ema(self._runs.number("average", t))


def _made(native: Native, runs: Definition) -> Any:
    """The optimiser, and before it its weight decay, where it has none of its own."""
    arguments = native.arguments(runs)
    read = {name for step in runs.steps for text in step.texts for name in names_in(text)}
    for name, text in runs.formulas.items():
        if name == "average" or name not in read:  # that beside it, or what state starts from as it is at first
            continue
        if native.settings.get("learning_rate") != name:
            raise Unsupported(f"optax: {native.path} with a `{name}` that changes from step to step")
        arguments["learning_rate"] = _by_count(Schedule(text))
    made = getattr(optax, native.path.rpartition(".")[2])(**arguments)
    if "weight_decay" in runs.chosen and not native.takes("weight_decay"):
        uphill = runs.row.promise == "up"
        decay = optax.add_decayed_weights(runs.number("weight_decay", 1) * (-1 if uphill else 1))
        return optax.chain(decay, made)
    return made


def _clip(runs: Definition) -> list[Any]:
    """What a definition clips, which comes before all else."""
    clipped: list[Any] = []
    if "clip_value" in runs.chosen:
        clipped.append(optax.clip(runs.number("clip_value", 1)))
    if "clip_norm" in runs.chosen:
        clipped.append(optax.clip_by_global_norm(runs.number("clip_norm", 1)))
    return clipped


def _by_count(schedule: Schedule) -> Any:
    """A schedule as optax calls it: by the number of steps that were taken before."""
    return lambda count: schedule(int(count) + 1)


def _shown(called: Any, state: Any, runs: Definition, parameters: Mapping[str, Any]) -> Any:
    """A state variable in what optax keeps of all parameters: by its name, or a function of all that is kept."""
    return _of(state, called) if isinstance(called, str) else called(state, runs, parameters)
