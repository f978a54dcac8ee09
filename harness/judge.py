"""An engine's evaluation held against the truth, link by link, becomes rows with verdicts.

Knows `truth/` and `evaluation.py`; knows no engine and no report. Every comparison is written so that
NaN cannot pass: sound means `score <= 1`, and everything else is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evaluation import DTYPES, Array, Evaluation, Inputs
from .graph.expression import text_of
from .graph.graph import Constant, Graph, Node, Use
from .rows import FINDINGS, PairRow, Quantity, Row, Verdict
from .truth.links import Numerals, Operand, Residual, Step, adjoint, adjoint_of_enclosures, step
from .truth.reference import Number, Reference, reference
from .truth.rounding import FORMATS, LOWER, Format

Floats = NDArray[np.float64]

# Ascending: the verdict of a chain of links is that of its worst.
SEVERITY: tuple[Verdict, ...] = (
    "agree", "lossy", "not judged", "undefined", "convention", "imprecise", "wrong", "not finite", "overflow",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """One case at one point in one dtype: what engines are asked, and the truth of it, computed once."""

    case: str
    point: int
    dtype: str
    graph: Graph
    inputs: Inputs
    cotangent: Array

    @cached_property
    def truth(self) -> Reference:
        return reference(self.graph, self.inputs, self.cotangent)

    @cached_property
    def texts(self) -> Mapping[str, str]:
        return text_of(self.graph)

    @property
    def form(self) -> Format:
        return FORMATS[self.dtype]


@dataclass(frozen=True, slots=True)
class Link:
    """What was found at one link, at its worst component."""

    quantity: Quantity
    name: str
    use: Use | None
    order: int
    verdict: Verdict
    score: float
    index: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        if self.use is not None:
            return f"term of {self.name} in {self.use}"
        return f"{self.quantity} of {self.name}"


def worse(links: Iterable[Link]) -> Link:
    """The link that decides: the gravest verdict; of those off the first, of sound ones the highest score."""

    def gravity(link: Link) -> tuple[int, float]:
        severity = SEVERITY.index(link.verdict)
        return severity, -link.order if link.verdict in FINDINGS else link.score

    return max(links, key=gravity)


@dataclass
class _Chain:
    """All links of one evaluation, and for every quantity the worst link up to it."""

    subject: Subject
    evaluation: Evaluation
    numerals: dict[str, Numerals] = field(default_factory=dict)
    values: dict[str, Link] = field(default_factory=dict)
    terms: dict[Use, Link] = field(default_factory=dict)
    adjoints: dict[str, Link] = field(default_factory=dict)
    own: dict[object, Link] = field(default_factory=dict)
    order: int = 0

    def judge_values(self) -> None:
        graph, values = self.subject.graph, self.evaluation.values
        self.numerals = {name: Numerals(array, self.subject.form) for name, array in values.items()}
        for node in graph.nodes:
            if node.name not in values:
                continue
            if node.op == "input":
                link = self._input(node)
            else:
                names = [arg for arg in node.args if isinstance(arg, str)]
                if not all(name in values for name in names):
                    continue
                operands = [self.numerals[name] for name in names]
                engine, now = self.numerals[node.name], self.step(node)

                def read(form: Format, now: Step = now, operands: Any = operands, engine: Any = engine) -> Residual:
                    return now.value(operands, engine, form)

                link = self._link("value", node.name, None, read)
            self.own["value", node.name] = link
            upstream = [self.values[arg] for arg in node.args if isinstance(arg, str) and arg in self.values]
            self.values[node.name] = worse([link, *upstream])

    def step(self, node: Node) -> Step:
        graph = self.subject.graph
        operands = tuple(
            arg if isinstance(arg, Constant) else Operand(graph[arg].shape, graph[arg].kind, arg in graph.active)
            for arg in node.args
        )
        return step(node.op, node.params, operands)

    def judge_adjoints(self, shown: Mapping[str, Array]) -> None:
        """Backwards: each adjoint against the sum of its terms, then the terms of the node's operands."""
        graph, evaluation, form = self.subject.graph, self.evaluation, self.subject.form
        enclosures: dict[str, list[Any]] = {}
        output = graph.output.name
        for node in reversed(graph.nodes):
            if node.name not in shown:
                continue
            g = Numerals(shown[node.name], form)
            upstream = [self.terms[use] for use in graph.uses_of[node.name] if use in self.terms]
            seed = [self.subject.cotangent] if node.name == output else []
            if evaluation.terms is not None:
                parts = [*seed, *(evaluation.terms[use] for use in graph.uses_of[node.name])]

                def read(form: Format, g: Numerals = g, parts: Sequence[Array] = parts) -> Residual:
                    return adjoint(g, parts, form)
            else:
                balls = [*enclosures.pop(node.name, []), *(Numerals(s, form).exact for s in seed)]

                def read(form: Format, g: Numerals = g, balls: Sequence[Any] = balls) -> Residual:  # type: ignore[no-redef]
                    return adjoint_of_enclosures(g, balls, form)

            link = self._link("adjoint", node.name, None, read)
            self.own["adjoint", node.name] = link
            self.adjoints[node.name] = worse([link, *upstream])
            if node.op != "input" and node.name in self.values:
                self._judge_terms(node, g, enclosures)

    def _judge_terms(self, node: Node, g: Numerals, enclosures: dict[str, list[Any]]) -> None:
        graph, terms = self.subject.graph, self.evaluation.terms
        now = self.step(node)
        names = [arg for arg in node.args if isinstance(arg, str)]
        if not now.active or not all(name in self.numerals for name in names):
            return
        operands, y = [self.numerals[name] for name in names], self.numerals[node.name]
        uses = [Use(node.name, position) for position in now.active]
        before = [self.values[node.name], self.adjoints[node.name]]
        if terms is None:
            found = now.enclosures(operands, y, g, self.subject.form)
            for use, ball in zip(uses, found, strict=True):
                enclosures.setdefault(graph.argument(use), []).append(ball)
                self.terms[use] = worse(before)
            return
        engine = [Numerals(terms[use], self.subject.form) for use in uses]
        cached: dict[str, list[Residual]] = {}

        def read(form: Format, which: int) -> Residual:
            if form.name not in cached:
                cached[form.name] = now.terms(operands, y, g, engine, form)
            return cached[form.name][which]

        for which, use in enumerate(uses):
            link = self._link("term", graph.argument(use), use, lambda form, which=which: read(form, which))
            self.own["term", use] = link
            self.terms[use] = worse([link, *before])

    def _input(self, node: Node) -> Link:
        """An engine computes on the inputs that it was given, bit for bit."""
        given, used = self.subject.inputs[node.name], self.evaluation.values[node.name]
        same = np.asarray((given == used) | ((given != given) & (used != used)))
        self.order += 1
        if same.all():
            return Link("value", node.name, None, self.order, "agree", 0.0, (), "")
        index = _at(np.argmin(same), same.shape)
        reason = f"the engine computed on {used[index]!r} where the input is {given[index]!r}"
        return Link("value", node.name, None, self.order, "wrong", np.inf, index, reason)

    def _link(self, quantity: Quantity, name: str, use: Use | None, read: Callable[[Format], Residual]) -> Link:
        self.order += 1
        where = use.consumer if use is not None else name
        verdict, score, index, reason = classify(read, self.subject.form)
        text = self.subject.texts.get(where, "")
        if reason and verdict != "agree":
            place = f" in `{where}: {text}`" if text and len(text) < 80 and quantity != "adjoint" else ""
            at = f" at {list(index)}" if index else ""
            what = f"term of `{name}`" if use is not None else f"{quantity} of `{name}`"
            reason = f"{what}{place}{at}: {reason}"
        return Link(quantity, name, use, self.order, verdict, score, index, reason)


def _at(flat: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def classify(read: Callable[[Format], Residual], form: Format) -> tuple[Verdict, float, tuple[int, ...], str]:
    """The verdict on one link: (verdict, worst score, its index, the reason)."""
    found = read(form)
    score = found.score
    if found.engine.size == 0:
        return "agree", 0.0, (), ""
    finite = np.isfinite(found.engine.astype(np.float64))
    enclosed = np.isfinite(found.radius)
    sound = score <= 1
    if sound.all() and finite.all() and not found.kink.any():
        lost = _lossy(found, form)
        if not lost.any():
            index = _at(np.argmax(score), score.shape)
            return "agree", float(score[index]), index, ""
        index = _at(np.argmax(np.where(lost, score, -1.0)), score.shape)
        return "lossy", float(score[index]), index, (
            f"the usual formula cancels: the engine gave {_show(found.engine[index])}, "
            f"exactly {_show(found.exact[index])}"
        )  # fmt: skip
    off = enclosed & finite & ~sound
    if off.any():
        return _off(read, found, form, off)
    born = enclosed & ~finite
    if born.any():
        index = _at(np.argmax(born), born.shape)
        exact = float(found.exact[index])
        over = not abs(exact) < form.largest * (1 - form.unit)
        reason = f"the engine gave {_show(found.engine[index])}, its own numbers give {_show(exact)}"
        if over:
            return "overflow", np.inf, index, f"{reason}, beyond the largest {form.name} {form.largest:.3g}"
        return "not finite", np.inf, index, reason
    nowhere = ~enclosed & ~finite
    if nowhere.any():
        index = _at(np.argmax(nowhere), nowhere.shape)
        return "undefined", 0.0, index, f"no finite truth exists here; the engine says {_show(found.engine[index])}"
    if (~enclosed).any():
        index = _at(np.argmax(~enclosed), enclosed.shape)
        reason = f"no finite enclosure of this step at these numbers; the engine says {_show(found.engine[index])}"
        return "not judged", 0.0, index, reason
    index = _at(np.argmax(found.kink), found.kink.shape)
    return "convention", float(score[index]), index, _choice(found, index)


def _lossy(found: Residual, form: Format) -> NDArray[np.bool_]:
    """Fewer than half of the format's digits are right."""
    with np.errstate(all="ignore"):
        return (found.off > np.abs(found.exact) * form.unit**0.5) & (found.off > form.smallest / form.unit) & ~found.kink


def _off(
    read: Callable[[Format], Residual], found: Residual, form: Format, off: NDArray[np.bool_]
) -> tuple[Verdict, float, tuple[int, ...], str]:
    score = np.where(off, np.where(np.isnan(found.score), np.inf, found.score), -1.0)
    index = _at(np.argmax(score), score.shape)
    allowed = found.radius[index]
    reason = (
        f"the engine gave {_show(found.engine[index])}, its own numbers give {_show(found.exact[index])}, "
        f"one sound step may move it by {allowed:.2g}"
    )
    if found.kink[index]:
        reason += f"; even at this kink only {_show(found.low[index])} to {_show(found.high[index])} is possible"
    worst = float(score[index])
    lower = LOWER.get(form.name)
    if lower is not None:
        coarse = read(FORMATS[lower])
        with np.errstate(all="ignore"):
            close = coarse.off <= np.abs(coarse.exact) * 2.0**-8
        if (((coarse.score <= 1) & close) | ~off).all():
            with np.errstate(all="ignore"):
                bits = -np.log2(found.off[index] / abs(found.exact[index]))
            looks = f"right to {bits:.0f} of {-np.log2(form.unit):.0f} bits"
            return "imprecise", worst, index, f"{reason}; {looks}, sound only as {lower} arithmetic"
    return "wrong", worst, index, reason


def _choice(found: Residual, index: tuple[int, ...]) -> str:
    low, high, engine = float(found.low[index]), float(found.high[index]), float(found.engine[index])
    share = (engine - low) / (high - low) if high > low else 0.0
    named = {0.0: "the lower end", 0.5: "the middle", 1.0: "the upper end"}
    return f"a kink: of all from {low:.6g} to {high:.6g} the engine took {named.get(round(share, 6), f'{share:.6g} of the way')}"


def _show(number: Any) -> str:
    return np.format_float_positional(float(number), unique=True, trim="-") if 1e-4 <= abs(float(number)) < 1e10 else repr(float(number))


# --- rows ---------------------------------------------------------------------------------------------------


def judge(
    subject: Subject,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None = None,
    seconds: float = 0.0,
    quantities: frozenset[Quantity] = frozenset(("value", "gradient", "adjoint", "term")),
) -> list[Row]:
    """The rows of one engine for one subject. `again` is a second evaluation of the same inputs."""
    blank = Row(
        subject.case, subject.point, subject.dtype, engine, "run", "", "", "", None, None, None, None, None,
        "agree", "", "", seconds,
    )  # fmt: skip
    if evaluation.status != "ok":
        return [_settled(replace(blank, verdict=evaluation.status, reason=evaluation.reason))]
    problem = nonsense(subject, evaluation)
    if problem:
        return [_settled(replace(blank, verdict="failed", reason=problem))]
    if again is not None:
        changed = differs(evaluation, again)
        if changed:
            return [_settled(replace(blank, verdict="unstable", reason=f"a second run on the same inputs gave {changed}"))]
    chain = _Chain(subject, evaluation)
    chain.judge_values()
    if evaluation.adjoints is not None:
        chain.judge_adjoints(evaluation.adjoints)
    return [_settled(row) for row in _rows(chain, blank) if row.quantity in quantities]


def _settled(row: Row) -> Row:
    return replace(row, finding=row.verdict in FINDINGS)


def _rows(chain: _Chain, blank: Row) -> Iterable[Row]:
    subject, evaluation, truth = chain.subject, chain.evaluation, chain.subject.truth
    for name, link in chain.values.items():
        yield _row(blank, "value", name, "", evaluation.values[name], truth.values[name], link, chain.own["value", name])
    for node in subject.graph.wanted:
        name, engine = node.name, evaluation.gradients[node.name]
        link = chain.adjoints.get(name)
        if link is None:
            yield _by_estimate(blank, name, engine, truth.adjoints[name], evaluation.errors)
            continue
        row = _row(blank, "gradient", name, "", engine, truth.adjoints[name], link, chain.own["adjoint", name])
        assert evaluation.adjoints is not None
        if not _same_bits(engine, evaluation.adjoints[name]) and row.verdict not in FINDINGS:
            reason = "the plain program's gradient has other bits than that of the program that shows its links"
            row = replace(row, verdict="not judged", reason=reason, score=None, node="")
        yield row
    for name, link in chain.adjoints.items():
        assert evaluation.adjoints is not None
        own = chain.own["adjoint", name]
        yield _row(blank, "adjoint", name, "", evaluation.adjoints[name], truth.adjoints[name], link, own)
    for use, link in chain.terms.items():
        if evaluation.terms is not None:
            name, own = subject.graph.argument(use), chain.own["term", use]
            yield _row(blank, "term", name, str(use), evaluation.terms[use], truth.terms[use], link, own)


def _row(
    blank: Row, quantity: Quantity, name: str, use: str, engine: Array, truth: Number, link: Link, own: Link
) -> Row:
    """One quantity: its worst component is that of its own link where that is off, else the one furthest from the truth."""
    error = truth.error(engine)
    with np.errstate(all="ignore"):
        relative = np.abs(error) / np.abs(truth.high)
    relative = np.where(error == 0, 0.0, np.where(np.isnan(relative), np.inf, relative))
    if relative.size == 0:
        return replace(blank, quantity=quantity, name=name, use=use, verdict=link.verdict, score=link.score)
    index = own.index if own.verdict in FINDINGS else _at(np.argmax(relative), relative.shape)
    sound = link.verdict == "agree"
    return replace(
        blank, quantity=quantity, name=name, use=use,
        index=", ".join(map(str, index)),
        engine_value=float(engine[index]),
        reference=float(truth.high[index]),
        error=float(error[index]),
        score=None if np.isnan(link.score) else link.score,
        digits=_digits(float(relative[index])),
        verdict=link.verdict,
        node="" if sound else str(link),
        reason="" if sound else link.reason,
    )  # fmt: skip


def _digits(relative: float) -> float:
    """Decimal digits in agreement with the truth; 0 to about 32, where the pair of float64 ends."""
    if relative == 0:
        return 32.0
    return round(float(min(max(-np.log10(relative), 0.0), 32.0)), 2) if np.isfinite(relative) else 0.0


def _by_estimate(blank: Row, name: str, engine: Array, truth: Number, errors: Mapping[str, Array] | None) -> Row:
    """A gradient without links: held against the truth by the engine's own error estimate."""
    error = np.abs(truth.error(engine))
    base = replace(blank, quantity="gradient", name=name)
    if engine.size == 0:
        return base
    if errors is None:
        index = _at(np.argmax(np.nan_to_num(error, nan=np.inf)), error.shape)
        verdict, reason, score = "not judged", "the engine shows too little: no terms, adjoints or error estimate", None
    else:
        with np.errstate(all="ignore"):
            ratio = np.where(error == 0, 0.0, error / errors[name])
        ratio = np.where(np.isnan(ratio), np.inf, ratio)
        index = _at(np.argmax(ratio), ratio.shape)
        score = float(ratio[index])
        if not truth.tight.all():
            verdict, reason, score = "not judged", "the truth is a set here (a kink), or does not exist", None
        elif not np.isfinite(errors[name]).all():
            verdict, reason, score = "not judged", "the engine found no step at which its own estimate converges", None
        elif not (score <= 1):
            verdict = "wrong"
            reason = f"off by {error[index]:.3g}, its own error estimate is {errors[name][index]:.3g}"
        else:
            verdict, reason = "agree", ""
    with np.errstate(all="ignore"):
        relative = float(np.abs(error[index] / truth.high[index])) if error[index] else 0.0
    return replace(
        base,
        index=", ".join(map(str, index)),
        engine_value=float(engine[index]),
        reference=float(truth.high[index]),
        error=float(truth.error(engine)[index]),
        score=score, digits=_digits(relative), verdict=verdict, reason=reason,
        node=f"gradient of {name}" if verdict == "wrong" else "",
    )  # fmt: skip


# --- what an engine must return ---------------------------------------------------------------------------------


def nonsense(subject: Subject, evaluation: Evaluation) -> str:
    """Why an evaluation cannot be judged: a missing key, a wrong shape or dtype. Empty where it can."""
    graph, dtype = subject.graph, DTYPES[subject.dtype]
    if graph.output.name not in evaluation.values:
        return f"no value of the output `{graph.output.name}`"
    expected: list[tuple[str, Mapping[Any, Array], Iterable[Any]]] = [
        ("gradient", evaluation.gradients, [node.name for node in graph.wanted]),
        ("value", evaluation.values, evaluation.values),
    ]
    if evaluation.adjoints is not None:
        expected.append(("adjoint", evaluation.adjoints, [node.name for node in graph.nodes if node.name in graph.active]))
    if evaluation.terms is not None:
        expected.append(("term", evaluation.terms, graph.uses))
        if evaluation.adjoints is None:
            return "terms without adjoints"
    if evaluation.errors is not None:
        expected.append(("error estimate", evaluation.errors, [node.name for node in graph.wanted]))
    for quantity, arrays, keys in expected:
        for key in keys:
            if key not in arrays:
                return f"no {quantity} of `{key}`"
            array: object = arrays[key]
            node = graph.by_name.get(graph.argument(key) if isinstance(key, Use) else key)
            if node is None:
                return f"a {quantity} of `{key}`, which the graph does not have"
            if not isinstance(array, np.ndarray):
                return f"the {quantity} of `{key}` is {type(array).__name__}, not a NumPy array"
            wanted = dtype if node.kind == "float" else np.dtype(node.kind if node.kind == "bool" else "int64")
            if array.shape != node.shape or array.dtype != wanted:
                return f"the {quantity} of `{key}` has shape {array.shape} and dtype {array.dtype}, expected {node.shape} and {wanted}"
    return ""


def _same_bits(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.all((a == b) | ((a != a) & (b != b))))


def differs(first: Evaluation, second: Evaluation) -> str:
    """What two evaluations of one engine disagree in; empty where they agree bit for bit."""
    if second.status != first.status:
        return f"status {second.status}: {second.reason}"
    for quantity, one, other in (("value", first.values, second.values), ("gradient", first.gradients, second.gradients)):
        for key, array in one.items():
            if key not in other or not _same_bits(array, other[key]):
                return f"another {quantity} of `{key}`"
    return ""


# --- engines side by side ------------------------------------------------------------------------------------------


def pairs(subject: Subject, evaluations: Mapping[str, Evaluation]) -> list[PairRow]:
    """Every pair of engines on the output's value and each input's gradient."""
    rows: list[PairRow] = []
    output = subject.graph.output.name
    named = [("value", output, "values")] + [("gradient", node.name, "gradients") for node in subject.graph.wanted]
    usable = {name: e for name, e in evaluations.items() if e.status == "ok" and not nonsense(subject, e)}
    for (a, first), (b, second) in combinations(usable.items(), 2):
        for quantity, name, where in named:
            x, y = getattr(first, where)[name], getattr(second, where)[name]
            if x.size == 0:
                continue
            ulps = ulps_between(x, y)
            index = _at(np.argmax(ulps), ulps.shape)
            rows.append(
                PairRow(subject.case, subject.point, subject.dtype, quantity, name, a, b, ", ".join(map(str, index)),
                        float(x[index]), float(y[index]), float(ulps[index]))  # fmt: skip
            )
    return rows


def ulps_between(a: Array, b: Array) -> Floats:
    """The distance in units in the last place of the larger; infinite where one of them is not a number."""
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(a), np.abs(b))).astype(np.float64)
        distance = np.abs(a.astype(np.float64) - b.astype(np.float64)) / unit
    same = (a == b) | ((a != a) & (b != b))
    return np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))


def settle(rows: Sequence[Row]) -> list[Row]:
    """Conventions, once all engines of a unit are in: where they chose differently each is a finding."""
    choices: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        if row.verdict == "convention":
            choices.setdefault((row.quantity, row.name, row.use), set()).add(row.reason)
    return [
        replace(row, finding=True)
        if row.verdict == "convention" and len(choices[row.quantity, row.name, row.use]) > 1
        else row
        for row in rows
    ]
