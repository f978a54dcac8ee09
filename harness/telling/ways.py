"""How a script differentiates: for each framework, and each variant of it by name, the lines behind the computation.

In a template `{inputs}` are all parameters of the computation, `{wanted}` those with a gradient, `{output}` the result,
`{direction}` arrays beside the wanted ones. They are what the engines' rooms do, written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..records.evaluation import Derivative

CONTRACTED = """\
def contracted({wanted}):
    ({output},) = program({inputs})
    return torch.sum(cotangent * {output}) if {output}.ndim else {output}


primals, direction = ({wanted},), ({direction},)
"""
IN_JAX = """\
def run({inputs}, cotangent, direction):
    def contracted(primals):
        ({wanted},) = primals
        ({output},) = program({inputs})
        return jnp.sum(cotangent * {output}) if {output}.ndim else {output}

    primals = [{wanted}]
    return WAY


derived = RUN({inputs}, cotangent, [{direction}])"""


@dataclass(frozen=True, slots=True)
class Way:
    """Lines that make `{output}` and `gradients`, or `derived`: what is asked `along` the direction. `leaves`: inputs
    are what torch's tape begins at."""

    lines: str
    along: Derivative | None = None
    leaves: bool = False


def _torch(lines: str, along: Derivative, *, leaves: bool = False) -> Way:
    return Way(CONTRACTED + lines, along, leaves)


def _jax(way: str, along: Derivative, run: str = "run") -> Way:
    return Way(IN_JAX.replace("WAY", way).replace("RUN", run), along)


GRADIENT = "torch.func.grad(contracted, argnums=tuple(range(len(primals))))"
JVP = "jax.jvp(contracted, (primals,), (direction,))[1]"
OVER_REVERSE = "jax.jvp(jax.grad(contracted), (primals,), (direction,))[1]"

WAYS: Mapping[str, Way] = {
    "torch": Way(
        "({output},) = program({inputs})\n"
        "gradients = torch.autograd.grad({output}, [{wanted}], cotangent, materialize_grads=True)",
        leaves=True,
    ),
    "torch:forward": _torch("derived = torch.func.jvp(contracted, primals, direction)[1]", "tangent"),
    "torch:reverse-reverse": _torch(
        "first = torch.autograd.grad(contracted(*primals), primals, create_graph=True, materialize_grads=True)\n"
        "moving = [(one, along) for one, along in zip(first, direction, strict=True) if one.requires_grad]\n"
        "derived = torch.autograd.grad(\n"
        "    [one for one, _ in moving], primals, [along for _, along in moving], materialize_grads=True\n"
        ")",
        "hessian_product",
        leaves=True,
    ),
    "torch:forward-reverse": _torch(f"derived = torch.func.jvp({GRADIENT}, primals, direction)[1]", "hessian_product"),
    "torch:reverse-forward": _torch(
        "derived = torch.func.grad(\n"
        "    lambda *primals: torch.func.jvp(contracted, primals, direction)[1], argnums=tuple(range(len(primals)))\n"
        ")(*primals)",
        "hessian_product",
    ),
    "jax": Way(
        "({output},) = program({inputs})\n"
        "_, pull = jax.vjp(lambda {wanted}: program({inputs})[0], {wanted})\ngradients = pull(cotangent)"
    ),
    "jax:jit": Way(
        "@jax.jit\ndef run({inputs}, cotangent):\n"
        "    {output}, pull = jax.vjp(lambda {wanted}: program({inputs})[0], {wanted})\n"
        "    return {output}, pull(cotangent)\n\n\n{output}, gradients = run({inputs}, cotangent)"
    ),
    "jax:forward": _jax(JVP, "tangent"),
    "jax:jit-forward": _jax(JVP, "tangent", "jax.jit(run)"),
    "jax:reverse-reverse": _jax("jax.vjp(jax.grad(contracted), primals)[1](direction)[0]", "hessian_product"),
    "jax:forward-reverse": _jax(OVER_REVERSE, "hessian_product"),
    "jax:jit-forward-reverse": _jax(OVER_REVERSE, "hessian_product", "jax.jit(run)"),
    "jax:reverse-forward": _jax(
        "jax.grad(lambda primals: jax.jvp(contracted, (primals,), (direction,))[1])(primals)", "hessian_product"
    ),
}
# Names that the lines use for themselves.
USED = frozenset(
    ("contracted", "primals", "direction", "derived", "first", "moving", "one", "along", "run", "pull", "gradients")
)
