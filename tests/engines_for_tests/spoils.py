"""A sound engine whose answers are spoilt in one way each: one function for each way."""

# pyright: basic

from dataclasses import replace

import numpy as np

from gradaccord.engines import backprop


def spoilt(change):
    def prepare(graph, dtype):
        honest = backprop.prepare(graph, dtype)
        return lambda inputs, cotangent: change(honest(inputs, cotangent), inputs)

    return prepare


def gradients(change):
    def spoil(evaluation, inputs):
        found = dict(evaluation.gradients)
        change(found)
        return replace(evaluation, gradients=found)

    return spoilt(spoil)


def counted():
    calls = []

    def change(found):
        calls.append(0)
        found["a"] = found["a"] * len(calls)

    return gradients(change)


def mutate(evaluation, inputs):
    inputs["a"][...] = 7
    return evaluation


missing = gradients(lambda found: found.pop("b"))
unknown = gradients(lambda found: found.update(z=np.zeros(())))
misshapen = gradients(lambda found: found.update(b=np.zeros((2,))))
mistyped = gradients(lambda found: found.update(b=found["b"].astype(np.float16)))
number = gradients(lambda found: found.update(b=2.0))
words = gradients(lambda found: found.update(b="two"))
objects = gradients(lambda found: found.update(b=np.array(None)))
changing = counted()
mutating = spoilt(mutate)
nothing = spoilt(lambda evaluation, inputs: replace(evaluation, gradients=None))
status = spoilt(lambda evaluation, inputs: replace(evaluation, status="splendid"))
valueless = spoilt(lambda evaluation, inputs: replace(evaluation, values={}))


def terms(factor):
    def spoil(evaluation, inputs):
        return replace(evaluation, terms={use: term * factor for use, term in evaluation.terms.items()})

    return spoilt(spoil)


bent = terms(1.5)
tilted = terms(1 + 1e-12)  # one part in 10^12
infinite = spoilt(
    lambda evaluation, inputs: replace(
        evaluation,
        adjoints={**evaluation.adjoints, "b": np.full_like(evaluation.adjoints["b"], np.inf)},
        gradients={**evaluation.gradients, "b": np.full_like(evaluation.gradients["b"], np.inf)},
    )
)
