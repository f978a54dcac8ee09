"""HIPS autograd as an engine: `gradaccord run --engine gradaccord_autograd.py:prepare`."""

# autograd is not annotated.
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false

from importlib.metadata import version

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from autograd.extend import defvjp, primitive

from gradaccord import Engine, Evaluation, Unsupported, emit, missing

SAME = "add subtract multiply divide negative exp log sin cos tanh sqrt square sum mean matmul reshape where"
NAMES = {name: getattr(anp, name) for name in SAME.split()} | {
    "pow": anp.power,
    "getitem": lambda x, index: x[index],
    "constant": float,
}


@primitive
def show(x, key, seen):
    """x itself; on the way back, what flows to it is noted in `seen`."""
    return x


def noted(answer, x, key, seen):
    def back(g):
        seen[key] = g
        return g

    return back


defvjp(show, noted, argnums=[0])


def prepare(graph, dtype):
    for op in missing(graph, NAMES):
        raise Unsupported(f"this adapter has no `{op}`")
    names = [node.name for node in graph.nodes]
    program = emit(graph, NAMES, names, tagged=True)
    output = names.index(graph.output.name)
    wanted = [k for k, node in enumerate(graph.inputs) if node.kind == "float" and not node.constant]

    def array(number, name):
        return np.asarray(number, dtype).reshape(graph[name].shape)

    def evaluate(inputs, cotangent):
        arrays = [inputs[node.name] for node in graph.inputs]
        values = program(lambda k, x: x, *arrays)

        def plain(*arrays):
            return program(lambda k, x: x, *arrays)[output]

        seen = {graph.output.name: cotangent}

        def tagged(*arrays):
            shown = {}

            def use(k, x):
                name = graph.argument(graph.uses[k])
                if name not in shown:
                    shown[name] = show(x, name, seen)  # what flows to the node: its adjoint
                return show(shown[name], k, seen)  # what flows to this use of it: a term

            return program(use, *arrays)[output]

        pull, _ = make_vjp(plain, wanted)(*arrays)
        gradients = pull(cotangent)
        pull, _ = make_vjp(tagged, wanted)(*arrays)
        pull(cotangent)
        reads = [graph.argument(use) for use in graph.uses]
        return Evaluation(
            "ok",
            values={
                node.name: array(value, node.name) if node.kind == "float" else value
                for node, value in zip(graph.nodes, values, strict=True)
            },
            gradients={node.name: array(g, node.name) for node, g in zip(graph.wanted, gradients, strict=True)},
            # What the output does not depend on was never noted: structural zeros.
            terms={
                use: array(seen.get(k, np.zeros(graph[name].shape)), name)
                for k, (use, name) in enumerate(zip(graph.uses, reads, strict=True))
            },
            adjoints={name: array(seen.get(name, np.zeros(graph[name].shape)), name) for name in graph.active},
        )

    return evaluate


engine = Engine(prepare, optimiser=None, version=lambda: f"autograd {version('autograd')}")
