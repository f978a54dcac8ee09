"""Engines with one fault each, for the cases beside them. What is sound in them is another engine's work."""

# pyright: basic

import asyncio
import os
from dataclasses import replace

import numpy as np

from gradaccord.engines import backprop
from gradaccord.harness.records.evaluation import Engine, Evaluation, Unsupported


def changed(change, base=backprop.prepare):
    """A sound engine whose evaluation passes through `change`; `graph` tells which is its output."""

    def prepare(graph, dtype):
        sound = base(graph, dtype)
        return lambda inputs, cotangent: change(sound(inputs, cotangent), graph)

    return prepare


def gradient(name, change, base=backprop.prepare, alone=False):
    """The gradient of input `name` changed, all else that is shown left sound; or the gradients shown alone."""

    def lie(found, graph):
        sound = np.array(found.gradients[name])
        lied = {**found.gradients, name: np.asarray(change(sound), sound.dtype)}
        shown = {"terms": None, "adjoints": None} if alone else {}
        return replace(found, gradients=lied, **shown)

    return changed(lie, base)


def times(factor, index):
    """One component multiplied."""
    return lambda array: np.where(np.arange(array.size) == index, factor * array, array)


def pytorch(graph, dtype):
    from gradaccord.engines.pytorch.engine import engine  # only where it is asked for

    return engine.prepare(graph, dtype)


p8_garbage = gradient("p8", lambda x: 1000 - x)  # the ninth of more than ten inputs
second_off = gradient("x", times(-5, 1))  # beside a component whose slope is infinite
flip50 = gradient("x", times(-1, 50))  # a small component of 65
hundredth = gradient("x", lambda x: np.where(np.arange(x.size) < 66, x, 7))  # beyond the components that are looked at
behind_ledger = gradient("x", lambda x: 1 - 1000 * x, pytorch)  # behind an entry for a term
sevens = gradient("x", lambda x: np.full_like(x, 7), alone=True)


@changed
def output_999(found, graph):
    """Only what the contract asks for, and the value of the output is 999."""
    output = graph.output.name
    return Evaluation("ok", values={output: np.full_like(found.values[output], 999)}, gradients=found.gradients)


@changed
def boundless(found, graph):
    """Garbage, and an estimate of its error that allows everything."""
    garbage = {name: 3 * array + 1 for name, array in found.gradients.items()}
    errors = {name: np.full_like(array, 1e30) for name, array in garbage.items()}
    return Evaluation("ok", values=found.values, gradients=garbage, errors=errors)


@changed
def b_garbage(found, graph):
    """1e6 wherever the derivative with respect to `b`, the second operand, is shown."""

    def of_b(key):
        return key == "b" or getattr(key, "position", 0) == 1

    def garbage(arrays):
        return {key: np.full_like(array, 1e6) if of_b(key) else array for key, array in arrays.items()}

    lied = {field: garbage(getattr(found, field)) for field in ("gradients", "adjoints", "terms")}
    return replace(found, **lied)


@changed
def chdir(found, graph):
    """Right, and the folder of the process is another afterwards."""
    os.chdir("/")
    return found


def buffers(graph, dtype):
    """Two answers in the same arrays: the first seven times too large, the second right."""
    sound, arrays = backprop.prepare(graph, dtype), {}

    def evaluate(inputs, cotangent):
        found = sound(inputs, cotangent)
        factor = 1 if arrays else 7
        for name, right in found.gradients.items():
            arrays.setdefault(name, np.empty_like(right))[...] = factor * right
        return replace(found, gradients=dict(arrays))

    return evaluate


def undefined(graph, dtype):
    """Says of every truth that it does not exist."""
    return lambda inputs, cotangent: Evaluation("undefined", "no")


def leaves(graph, dtype):
    """Ends the process when it is asked."""
    return lambda inputs, cotangent: os._exit(0)


def cancelled(graph, dtype):
    """Raises what is no Exception."""

    def evaluate(inputs, cotangent):
        raise asyncio.CancelledError

    return evaluate


def no_optimiser(rule, settings, start):
    raise Unsupported(f"no `{rule}`")


unwalked = Engine(backprop.prepare, no_optimiser)  # right gradients, and it takes no steps
