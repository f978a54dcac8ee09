"""An engine's evaluation held against the truth, link by link, becomes rows with verdicts.

Knows `truth/` and `evaluation.py`; knows no engine and no report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .agreement import differs, same_bits
from .chain import Chain
from .evaluation import Array, Evaluation
from .rows import FINDINGS, Quantity, Row, Verdict
from .subject import Subject
from .truth.reference import Number
from .truth.rounding import Format
from .verdicts import Link, place

__all__ = ["Subject", "judge", "judged", "settle"]


def judge(
    subject: Subject,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None = None,
    seconds: float = 0.0,
    quantities: frozenset[Quantity] = frozenset(("value", "gradient", "adjoint", "term")),
) -> list[Row]:
    """The rows of one engine for one subject. `again` is a second evaluation of the same inputs."""
    return judged(subject, engine, evaluation, again, seconds, quantities)[0]


def judged(
    subject: Subject,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None = None,
    seconds: float = 0.0,
    quantities: frozenset[Quantity] = frozenset(("value", "gradient", "adjoint", "term")),
) -> tuple[list[Row], Mapping[object, Link]]:
    """The rows, and every link by itself, whatever is upstream of it."""
    blank = Row(
        subject.case, subject.point, subject.dtype, engine, "run", "", "", "", None, None, None, None, None,
        "agree", "", "", seconds,
    )  # fmt: skip
    if evaluation.status != "ok":
        finding = evaluation.status in FINDINGS
        return [replace(blank, verdict=evaluation.status, reason=evaluation.reason, finding=finding)], {}
    if again is not None:
        changed = differs(evaluation, again)
        if changed:
            reason = f"a second run on the same inputs gave {changed}"
            return [replace(blank, verdict="unstable", reason=reason, finding=True)], {}
    chain = Chain(subject, evaluation)
    chain.judge()
    return list(_rows(chain, blank, quantities)), chain.own


def _rows(chain: Chain, blank: Row, quantities: frozenset[Quantity]) -> Iterable[Row]:
    subject, evaluation, truth = chain.subject, chain.evaluation, chain.subject.truth
    for name, link in chain.values.items() if "value" in quantities else ():
        yield _row(
            blank, "value", name, "", evaluation.values[name], truth.values[name], link, chain.own["value", name]
        )
    for node in subject.graph.wanted if "gradient" in quantities else ():
        name, engine = node.name, evaluation.gradients[node.name]
        link = chain.adjoints.get(name)
        if link is None:
            yield _by_estimate(blank, name, engine, truth.adjoints[name], evaluation.errors)
            continue
        row = _row(blank, "gradient", name, "", engine, truth.adjoints[name], link, chain.own["adjoint", name])
        assert evaluation.adjoints is not None
        if not same_bits(engine, evaluation.adjoints[name]) and row.verdict not in FINDINGS:
            row = _plain(row, engine, evaluation.adjoints[name], truth.adjoints[name], subject.form)
        yield row
    for name, link in chain.adjoints.items() if "adjoint" in quantities else ():
        assert evaluation.adjoints is not None
        own = chain.own["adjoint", name]
        yield _row(blank, "adjoint", name, "", evaluation.adjoints[name], truth.adjoints[name], link, own)
    for use, link in chain.terms.items() if "term" in quantities else ():
        if evaluation.terms is not None:
            name, own = subject.graph.argument(use), chain.own["term", use]
            yield _row(blank, "term", name, str(use), evaluation.terms[use], truth.terms[use], link, own)


def _row(
    blank: Row, quantity: Quantity, name: str, use: str, engine: Array, truth: Number, link: Link, own: Link
) -> Row:
    """One quantity: its worst component is its own link's where that is off, else the one furthest from the truth."""
    if quantity != "gradient" and own.verdict in FINDINGS:
        link = own  # so that every link that is off has a row of its own, whatever is off upstream of it
    error = truth.error(engine)
    with np.errstate(all="ignore"):
        relative = np.abs(error) / np.abs(truth.high)
    relative = np.where(error == 0, 0.0, np.where(np.isnan(relative), np.inf, relative))
    if relative.size == 0:
        return replace(blank, quantity=quantity, name=name, use=use, verdict=link.verdict, score=link.score)
    index = own.index if own.verdict in FINDINGS else place(np.argmax(relative), relative.shape)
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
        finding=link.verdict in FINDINGS,
    )  # fmt: skip


def _plain(row: Row, plain: Array, shown: Array, truth: Number, form: Format) -> Row:
    """A gradient whose plain program gives other bits than the one that shows its links, which are sound.

    Only sensitivity can say how far two sound programs may differ. What needs none is said here: the plain
    one is not finite, or has lost half of the digits where the other has not.
    """
    with np.errstate(all="ignore"):
        sizes = np.abs(truth.high)
        most = np.max(sizes[np.isfinite(sizes)], initial=0.0) * form.unit**0.5 + form.smallest / form.unit
        kept = np.abs(truth.error(shown)) <= most
        lost = kept & ~(np.abs(truth.error(plain)) <= most) | np.isfinite(shown) & ~np.isfinite(plain)
    if lost.any():
        index = place(np.argmax(lost), lost.shape)
        verdict: Verdict = "wrong" if np.isfinite(plain[index]) else "not finite"
        reason = (
            f"gradient of `{row.name}`: the plain program gave {plain[index]!r}, the one that shows its links, "
            f"all sound, {shown[index]!r}"
        )
        return replace(
            row, verdict=verdict, reason=reason, node=f"gradient of {row.name}", score=None, finding=True,
            index=", ".join(map(str, index)), engine_value=float(plain[index]), reference=float(truth.high[index]),
            error=float(truth.error(plain)[index]), digits=0.0,
        )  # fmt: skip
    reason = "the plain program's gradient has other bits than that of the program that shows its links"
    return replace(row, verdict="not judged", reason=reason, score=None, node="")


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
        index = place(np.argmax(np.nan_to_num(error, nan=np.inf)), error.shape)
        verdict, reason, score = "not judged", "the engine shows too little: no terms, adjoints or error estimate", None
    else:
        estimate = errors[name].astype(np.float64)
        with np.errstate(all="ignore"):
            ratio = np.where((error == 0) & (estimate >= 0), 0.0, error / estimate)
        ratio = np.where(np.isnan(ratio) | (estimate < 0), np.inf, ratio)
        known = truth.tight & np.isfinite(estimate)
        index = place(np.argmax(np.where(known, ratio, -1.0)), ratio.shape)
        score = float(ratio[index])
        if known[index] and not (score <= 1):
            verdict = "wrong"
            reason = f"off by {error[index]:.3g}, its own error estimate is {estimate[index]:.3g}"
        elif not truth.tight.all():
            verdict, reason, score = "not judged", "the truth is a set here (a kink), or does not exist", None
        elif not known.all():
            verdict, reason, score = "not judged", "the engine found no step at which its own estimate converges", None
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
        finding=verdict in FINDINGS,
    )  # fmt: skip


def settle(rows: Sequence[Row]) -> list[Row]:
    """Conventions, once all engines of a unit are in: where they chose differently each is a finding.

    Those that a ledger has explained are left out of the count, and as they are.
    """
    choices: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        if row.verdict == "convention" and not row.accepted:
            choices.setdefault((row.quantity, row.name, row.use), set()).add(row.reason)
    return [
        replace(row, finding=len(choices[row.quantity, row.name, row.use]) > 1)
        if row.verdict == "convention" and not row.accepted
        else row
        for row in rows
    ]
