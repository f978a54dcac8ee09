"""What an update rule is made of: settings, choices, state, and lines in the case language. A row for each rule.

The rows stand beside this file, a file a family, each with its paper. `definition.py` makes of a row what a run steps
by: every choice made, every setting a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeAlias

from ..graph.node import Shape
from .texts import is_decimal

# Of a matrix a row has a number for each of its rows, a column one for each of its columns.
Shaped: TypeAlias = Literal["parameter", "scalar", "row", "column"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A number that a case may choose: its default as a decimal (None: must be given) and where it may lie.

    `least` is allowed itself unless `open`; `below` never is. With `nothing` it is as if there were no such setting.
    One that is `whole` is the same at every step.
    """

    default: str | None
    least: str = "0"
    below: str = "inf"
    open: bool = True
    nothing: str = "0"
    whole: bool = False

    def holds(self, number: Decimal) -> bool:
        least = Decimal(self.least)
        return (
            number.is_finite()
            and (number > least if self.open else number >= least)
            and number < Decimal(self.below)
            and (not self.whole or number == number.to_integral_value())
        )

    @property
    def expected(self) -> str:
        lower = f"above {self.least}" if self.open else f"{'of ' if self.whole else ''}at least {self.least}"
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} {lower}" + ("" if self.below == "inf" else f" and below {self.below}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A question that the known definitions of a rule answer differently; each answer with what it means in words.

    An answer is one that a framework or a paper gives. The first is that of a case that says nothing. `where` names a
    setting without which (it is 0) all answers are the same, `changing` one as long as which is constant they are.
    """

    answers: Mapping[str, str]
    where: str = ""
    changing: str = ""

    @property
    def default(self) -> str:
        return next(iter(self.answers))

    @property
    def expected(self) -> str:
        return f"one of: {', '.join(self.answers)}"


@dataclass(frozen=True, slots=True)
class Start:
    """What a state variable is before the first step: text over the settings and x; its shape is that of x, (), or that
    of x with one of its last two axes of length 1."""

    text: str = "0"
    shape: Shaped = "parameter"

    def size(self, x: Shape) -> Shape:
        """The shape of the variable beside a parameter of that shape."""
        sizes = {"scalar": (), "parameter": x, "row": (*x[:-1], 1), "column": (*x[:-2], 1, *x[-1:])}
        return sizes[self.shape]


@dataclass(frozen=True, slots=True)
class Condition:
    """`[centered: yes]`, `[momentum]` (it is not 0), `[not momentum]`: what a line stands or falls with."""

    name: str
    answer: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A statement `name = text`. `also` makes it another rounding of the same number as the line above."""

    name: str
    text: str
    conditions: tuple[Condition, ...] = ()
    also: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to move a parameter. `promise` says where the output goes for small enough steps."""

    name: str
    promise: Literal["up", "down"]
    settings: Mapping[str, Setting | Choice]
    start: Mapping[str, Start]
    lines: tuple[Line, ...]
    source: str
    text: str = field(default="", compare=False)  # the lines as they were written

    @property
    def choices(self) -> Mapping[str, Choice]:
        """The rule's own, and those that all rules have."""
        return {name: one for name, one in {**self.settings, **COMMON}.items() if isinstance(one, Choice)}

    @property
    def by_shape(self) -> bool:
        """Whether it keeps other state of matrices than of vectors; then `factored` says which."""
        return any(one.shape in ("row", "column") for one in self.start.values())

    def allowed(self, name: str) -> Setting | Choice | None:
        return self.settings.get(name) or COMMON.get(name)

    def default(self, name: str) -> str:
        allowed = self.allowed(name)
        assert allowed is not None and allowed.default is not None, f"{self.name} without {name}"
        return allowed.default

    def is_nothing(self, name: str, text: str) -> bool:
        """Whether it is as if there were no such setting."""
        allowed = self.allowed(name)
        return isinstance(allowed, Setting) and is_decimal(text) and Decimal(text) == Decimal(allowed.nothing)


RULES: dict[str, Rule] = {}


def rule(
    name: str,
    *,
    promise: Literal["up", "down"] = "down",
    settings: Mapping[str, Setting | Choice],
    start: Mapping[str, str | Start] | None = None,
    lines: str,
    source: str,
) -> None:
    """Add a row.

    The contract, stated once. Lines are read from top to bottom. They see `x` (the parameter), `g` (the gradient of
    the output with respect to it), `t` (the number of this step, from 1), the settings, the state variables and what
    stands above. A name with a start is state: its old value up to its own line, its new value below. Any other is an
    intermediate, and may be assigned again, as `g` and `u` may. A line that reads nothing but settings, `t` and scalars
    is computed once a step, in at least single precision. The last line, which moves x by u, is common to all rules
    (`LAST`) unless a rule has one of its own; `also x` of a rule without one is another rounding of that.
    """
    assert name not in RULES, f"{name} has two rows"
    starts = {key: one if isinstance(one, Start) else Start(one) for key, one in (start or {}).items()}
    text = "\n".join(line.strip() for line in lines.strip().splitlines())
    RULES[name] = Rule(
        name, promise, MappingProxyType(dict(settings)), MappingProxyType(starts), read_lines(lines), source, text
    )


_LINE = re.compile(r"(?:\[(?P<conditions>[^\]]*)\]\s*)?(?P<also>also\s+)?(?P<name>\w+)\s*=\s*(?P<text>.+)")


def read_lines(text: str) -> tuple[Line, ...]:
    """Lines such as `[centered: yes] m = decay * m + (1 - decay) * g`."""
    lines: list[Line] = []
    for written in filter(None, map(str.strip, text.splitlines())):
        match = _LINE.fullmatch(written)
        assert match is not None, f"no line of a rule: {written}"
        conditions = tuple(map(_condition, (match["conditions"] or "").split(",") if match["conditions"] else ()))
        lines.append(Line(match["name"], match["text"].strip(), conditions, match["also"] is not None))
    return tuple(lines)


def _condition(text: str) -> Condition:
    name, _, answer = (part.strip() for part in text.partition(":"))
    negated = name.startswith("not ")
    return Condition(name.removeprefix("not ").strip(), answer or None, negated)


# --- what all rules have ----------------------------------------------------------------------------------

STEP_SIZE = Setting(None)


def fraction(default: str) -> Setting:
    """A number that weighs: 0 is allowed, 1 is not."""
    return Setting(default, below="1", open=False)


_COUPLED = "weight decay is added to the gradient, before everything else"
_DECOUPLED = "weight decay shrinks the parameter beside the step, and is in no state"
DECOUPLED = Choice({"decoupled": _DECOUPLED, "coupled": _COUPLED}, where="weight_decay")

COMMON: Mapping[str, Setting | Choice] = {
    "weight_decay": Setting("0", open=False),
    "decay": Choice({"coupled": _COUPLED, "decoupled": _DECOUPLED}, where="weight_decay"),
    "clip_value": Setting("0", open=False),
    "clip_norm": Setting("0", open=False),
    "clip_over": Choice(
        {
            "all": "the norm that is clipped is that of all gradients together",
            "each": "the norm of each gradient is clipped by itself",
        },
        where="clip_norm",
    ),
    "clip_by": Choice(
        {
            "norm": "a norm above the largest is divided out",
            "norm_and_1e-6": "1e-6 is added to a norm before it is divided out",
        },
        where="clip_norm",
    ),
    "accumulate": Setting("1", least="1", open=False, nothing="1", whole=True),
    "accumulated": Choice(
        {
            "mean": "the rule steps by the mean of the gradients that have come since its last step",
            "sum": "the rule steps by their sum",
        },
        where="accumulate",
    ),
    "average": fraction("0"),
    "average_begins": Choice(
        {
            "first": "the average begins as the parameter after the first step",
            "start": "the average begins as the parameter before the first step",
            "zero": "the average begins at 0 and is divided by what it has been given so far",
        },
        where="average",
    ),
}
# What all gradients together have: the one number of a step that no parameter knows by itself.
NORM_OF_ALL = "norm_of_all"
_CLIPPED = """
    [clip_value] g = minimum(maximum(g, -clip_value), clip_value)
    [clip_norm, clip_over: all] length = norm_of_all
    [clip_norm, clip_over: each] length = norm(g)
    [clip_norm, clip_by: norm] g = where(length < clip_norm, g, g / length * clip_norm)
    [clip_norm, clip_by: norm_and_1e-6] g = g * minimum(clip_norm / (length + 0.000001), 1)
"""
FIRST = {
    "down": read_lines(_CLIPPED + "[weight_decay, decay: coupled] g = g + weight_decay * x"),
    "up": read_lines(_CLIPPED + "[weight_decay, decay: coupled] g = g - weight_decay * x"),
}
# Decoupled decay: torch multiplies x first, optax adds it to the update.
LAST = read_lines("""
    [not weight_decay] x = x - step_size * u
    [weight_decay, decay: coupled] x = x - step_size * u
    [weight_decay, decay: decoupled] x = x * (1 - step_size * weight_decay) - step_size * u
    [weight_decay, decay: decoupled] also x = x - step_size * (u + weight_decay * x)
""")
# Gradients that are added up: of the rule's own step its number, and whether it is taken now. torch adds up what was
# divided before, optax keeps a running mean.
TURNS = read_lines("""
    [accumulate] turn = floor((t - 1) / accumulate) + 1
    [accumulate] last = t == turn * accumulate
    [accumulate, accumulated: mean] count = t - (turn - 1) * accumulate
    [accumulate, accumulated: mean] so_far = total * accumulate / maximum(count - 1, 1)
    [accumulate, accumulated: mean] g = total + g / accumulate
    [accumulate, accumulated: mean] also g = (so_far + (g - so_far) / count) * count / accumulate
    [accumulate, accumulated: sum] g = total + g
    [accumulate] total = where(last, 0, g)
""")


def lerp(old: str, new: str, weight: str) -> str:
    """`old` moved by `weight` towards `new` as torch rounds it: from the end that is nearer.

    Neither form may stand for the other: where a mean keeps most of itself a new number may be a thousand times as
    large, and reckoned from there not even the mean's sign would be sure.
    """
    return f"where({weight} < 0.5, {old} + {weight} * ({new} - {old}), {new} - ({new} - {old}) * (1 - {weight}))"


AVERAGED = read_lines(f"""
    [average, average_begins: first] begun = t == 1
    [average, average_begins: first] averaged = where(begun, x, average * averaged + (1 - average) * x)
    [average, average_begins: first] also averaged = where(begun, x, {lerp("averaged", "x", "(1 - average)")})
    [average, average_begins: start] averaged = average * averaged + (1 - average) * x
    [average, average_begins: start] also averaged = {lerp("averaged", "x", "(1 - average)")}
    [average, average_begins: zero] raw = average * raw + (1 - average) * x
    [average, average_begins: zero] averaged = raw / (1 - average ** t)
""")
# What the state of all rules starts from.
COMMON_START: Mapping[str, Start] = {"total": Start("0"), "averaged": Start("x"), "raw": Start("0")}
