"""The listener for torch: a function or module runs once as it is, and once heard."""

# torch's annotations are partial: its functions are passed around here as `Any`.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false
# Some of what is read here torch has no public name for.
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import reduce
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import torch

from ...harness.graph.node import Use
from ...harness.hearing.heard import Ask, Heard, Listener, Place, Refused
from ...harness.hearing.recording import Recording
from ...harness.hearing.structure import leaves as leaves_of
from ...harness.hearing.structure import with_leaves
from ...harness.records.cotangent import default_cotangent
from ...harness.records.evaluation import Array, Evaluation
from .definitions import heard_definitions
from .engine import version
from .hearing import Hearing
from .holding import arrays, holding, state, within
from .nodes import array, of_one_call
from .places import Places, raised_at
from .rules import heard_rules
from .state import Program, leaves
from .tensors import to_torch

Tensor: TypeAlias = torch.Tensor


def hear(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], ask: Ask) -> Heard:
    """A run of `function(*args, **kwargs)` as graph and evaluation; see `harness/hearing/heard.py`.

    Several outputs are one: the floats of them flat and behind one another, in the widest of their precisions. Raises
    Refused for what cannot be heard; what the function raises goes through.
    """
    program = Program(function, args, kwargs, ask)
    start = perf_counter()
    output, gradients, seed = _plain(program)
    middle = perf_counter()
    heard = _heard(program, seed)
    end = perf_counter()
    graph, dtype, hearing, evaluation, outputs = heard
    names = {node: name for node, name in hearing.recording.names.items() if node in graph.by_name}
    by_node = {node: gradients[name] for node, name in names.items() if name in gradients}
    kept = {node.name: by_node[node.name] for node in graph.wanted}
    if not _same(program, output, gradients, hearing, evaluation, seed):
        raise Refused("a function that answers differently each time", remedy="Fix what it draws or remembers.")
    values = {node.name: hearing.recording.values[node.name] for node in graph.nodes}
    evaluation = replace(evaluation, values=values, gradients=kept, output=output)
    return Heard(
        graph,
        {node.name: values[node.name] for node in graph.inputs},
        array(seed).astype(values[graph.output.name].dtype),
        evaluation,
        dtype,
        names,
        {node.name: hearing.recording.places[node.name] for node in graph.nodes},
        outputs,
        tuple(hearing.notes),
        {"plain": middle - start, "heard": end - middle},
        "compiled" if _compiled(program) else "",
    )


def _plain(program: Program) -> tuple[Array, dict[str, Array], Tensor]:
    """Output and gradients by the user's own program, and the seed that they are pulled back with."""
    with program.fresh() as (inputs, call):
        try:
            output = joined(float_outputs(call()))
        except RuntimeError as error:
            if "a leaf Variable that requires grad" not in str(error):
                raise
            raise Refused(
                "a change in place of an input or parameter whose gradient is wanted: autograd forbids it",
                raised_at(error),
                "Change a clone, or name in `wanted` those whose gradient counts.",
            ) from None
        if not output.requires_grad:
            raise Refused("no float among the outputs that depends on a wanted input", remedy=_floats(program))
        seed = _seed(output, program.ask.cotangent)
        wanted = [leaf for leaf in inputs if leaf.wanted]
        tensors, seeded = [leaf.tensor for leaf in wanted], _as_users_do(output, seed)
        try:
            got = torch.autograd.grad(output, tensors, seeded, allow_unused=True, materialize_grads=True)
        except RuntimeError as error:
            if "use_reentrant=True" not in str(error):
                raise
            raise Refused("a checkpoint that is reentrant", remedy="Set use_reentrant=False.") from None
        gradients = {leaf.name: array(g) for leaf, g in zip(wanted, got, strict=True)}
        return array(output), gradients, seed


def _floats(program: Program) -> str:
    return f"Wanted are: {', '.join(sorted(program.wanted)) or 'none; no input or parameter is a float that trains'}."


def _heard(program: Program, seed: Tensor) -> tuple[Any, str, Hearing, Evaluation, tuple[str, ...]]:
    places = Places(program.paths)
    ask = program.ask
    hearing = Hearing(Recording("torch"), places, defined=ask.defined, intended=ask.intended)
    with program.fresh() as (inputs, call), _quiet_compilation(), _hooks_watched(program, inputs, hearing):
        made = [hearing.nodes.input(leaf.name, leaf.tensor, moves=leaf.wanted) for leaf in inputs]
        wanted = [node for node, leaf in zip(made, inputs, strict=True) if leaf.wanted]
        places.outside = sys._getframe()
        with heard_definitions(ask.defined), heard_rules(), hearing:
            floats = float_outputs(call())
            output = joined(floats)
        output = hearing.memory.current(output)
        if not hearing.nodes.depends(output):
            last = output.grad_fn.name() if output.grad_fn is not None else "nothing"
            raise Refused(
                f"an output made where no listener hears ({last}): TorchScript or C++",
                remedy="`gradaccord.define` gives a function a meaning.",
            )
        outputs = tuple(hearing.nodes.node_of(t) for t in floats)
        graph, dtype = hearing.recording.graph(hearing.nodes.node_of(output), [*wanted, *outputs])
        if any(name in graph.by_name for name in hearing.nodes.weights):
            raise Refused(
                "an output that depends on a tensor with `requires_grad` which is no input but weighs a derivative",
                remedy="Hand it in, or detach it.",
            )
        tags = [(use, tag) for use, tag in hearing.nodes.tags if use.consumer in graph.by_name]
        active = [node.name for node in graph.nodes if node.name in graph.active]
        tensors = [*(tag for _, tag in tags), *(hearing.nodes.shown[name] for name in active)]
        pulled = _pulled_back(output, tensors, seed, keep=bool(hearing.nodes.bare))
        terms = dict(zip((use for use, _ in tags), pulled[: len(tags)], strict=True))
        adjoints = dict(zip(active, pulled[len(tags) :], strict=True))
        parts = dict[Use, list[Array]]()
        for use, out, x in hearing.nodes.bare:
            if use.consumer in graph.by_name:
                terms[use], each = of_one_call(out, x, adjoints[use.consumer])
                parts[use] = [array(part) for part in each]
    shown = {use: array(term) for use, term in terms.items()}
    evaluation = Evaluation("ok", terms=shown, adjoints={name: array(g) for name, g in adjoints.items()}, parts=parts)
    return graph, dtype, hearing, evaluation, outputs


def _pulled_back(output: Tensor, tensors: Sequence[Tensor], seed: Tensor, *, keep: bool) -> list[Tensor]:
    asked = [t for t in tensors if t is not output and t.requires_grad]
    seeded = _as_users_do(output, seed)
    got = torch.autograd.grad(output, asked, seeded, keep, allow_unused=True, materialize_grads=True) if asked else ()
    found = {id(t): g for t, g in zip(asked, got, strict=True)}
    return [seed if t is output else found[id(t)] if id(t) in found else torch.zeros_like(t) for t in tensors]


def float_outputs(value: Any) -> list[Tensor]:
    """The float tensors that a function returned. Raises Refused where there is none, or a complex one."""
    found = [t for _, t in leaves(value)]
    floats = [t for t in found if t.is_floating_point() or t.is_complex()]
    if not floats:
        kinds = ", ".join(sorted({str(t.dtype) for t in found})) or type(value).__name__
        raise Refused(f"an output without a float: {kinds}", remedy="Return a float tensor, or several.")
    if any(t.is_complex() for t in floats):
        raise Refused("an output that is complex", remedy="Return its real and its imaginary part.")
    return floats


def joined(floats: Sequence[Tensor]) -> Tensor:
    """What the gradient is taken of: the one float tensor of an output, or all of them behind one another."""
    if len(floats) == 1:
        return floats[0]
    widest = reduce(torch.promote_types, (t.dtype for t in floats))
    return torch.cat([(t if t.dtype == widest else t.to(widest)).reshape(-1) for t in floats])


def _seed(output: Tensor, cotangent: Any) -> Tensor:
    if cotangent is None:
        return to_torch(default_cotangent(tuple(output.shape))).to(output.dtype)
    given = [torch.as_tensor(one) for one in _arrays(cotangent)]
    count = sum(one.numel() for one in given)
    if not given or count != output.numel():
        raise Refused(
            f"a cotangent of {count} numbers for outputs of {output.numel()}",
            remedy="Give weights in the structure of what the function returns, one for each float.",
        )
    if len(given) == 1 and given[0].ndim and given[0].shape != output.shape:
        shapes = f"{tuple(given[0].shape)} for an output of {tuple(output.shape)}"
        raise Refused(f"a cotangent of shape {shapes}", remedy="Give one weight for each number, in that shape.")
    return torch.cat([one.detach().to(output.dtype).reshape(-1) for one in given]).reshape(output.shape)


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, np.ndarray | float | int):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _arrays(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _arrays(one)
    elif value is not None:
        yield from (t for _, t in leaves(value))


def _as_users_do(output: Tensor, seed: Tensor) -> Tensor | None:
    return None if output.ndim == 0 and seed == 1 else seed


def _same(
    program: Program,
    output: Array,
    gradients: Mapping[str, Array],
    hearing: Hearing,
    evaluation: Evaluation,
    seed: Tensor,
) -> bool:
    """Whether the function answers the same each time: as heard, or else in one more plain run."""
    heard = {
        hearing.recording.names[n]: a for n, a in (evaluation.adjoints or {}).items() if n in hearing.recording.names
    }
    if all(np.array_equal(a, gradients[name], equal_nan=True) for name, a in heard.items()):
        return True
    again, once_more, _ = _plain(program)
    same = [np.array_equal(again, output, equal_nan=True)]
    same += [np.array_equal(gradients[name], once_more[name], equal_nan=True) for name in gradients]
    return all(same)


# --- what must not be in the way ----------------------------------------------------------------------------------


def _compiled(program: Program) -> bool:
    """Whether the function, a module that it runs on, or a function that one of these holds is compiled."""
    inner = [module for outer in program.modules.values() for module in outer.modules()]
    held = [program.function, *inner, *(thing for module in inner for thing in vars(module).values())]
    with suppress(TypeError, ValueError):  # no function in Python, or a name that has no value yet
        around = inspect.getclosurevars(program.function)
        held += [*around.nonlocals.values(), *around.globals.values()]
    return any(map(_is_compiled, held))


def _is_compiled(thing: Any) -> bool:
    by_itself = isinstance(thing, torch.nn.Module) and thing._compiled_call_impl is not None  # `module.compile()`
    return by_itself or hasattr(thing, "_torchdynamo_orig_callable") or type(thing).__name__ == "OptimizedModule"


def _quiet_compilation() -> Any:
    """What is compiled runs eagerly while it is heard."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


@contextmanager
def _hooks_watched(program: Program, inputs: Sequence[Any], hearing: Hearing) -> Generator[None]:
    """Hooks that were there before may look at gradients, and not change them."""
    tables: list[dict[Any, Any]] = []
    for module in program.modules.values():
        for inner in module.modules():
            tables += [inner._backward_hooks, inner._backward_pre_hooks]
    tables += [leaf.tensor._backward_hooks for leaf in inputs if leaf.tensor._backward_hooks]
    before = [dict(table) for table in tables]
    for table in tables:
        for key, hook in table.items():
            table[key] = hearing.watched(hook, Place(call=f"hook {getattr(hook, '__name__', '')}".strip()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for table, hooks in zip(tables, before, strict=True):
            table.update(hooks)


listener = Listener(hear, version, arrays, state, holding, leaves_of, with_leaves, within, torch.manual_seed)
