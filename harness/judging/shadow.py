"""What a link that is off explains of a number behind it: as much as it is off itself, carried there to first order.

The rest stands in its shadow, and is judged as if the engine had shown nothing: an entry of the ledger explains the
link that it names, and no number that is off by more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import nan

import numpy as np

from ..graph.node import Use
from ..records.evaluation import Array
from ..records.formats import Format
from ..records.rows import Row
from ..records.verdicts import FINDINGS, Verdict
from ..truth.residuals import Numerals, Residual
from ..truth.sweeps import Key
from .chain import Chain
from .classify import Link, place
from .defects import in_plain
from .range import in_range
from .subject import Asked

SWEPT = 64  # components, those that are off the most, of which is measured what links carry there
LOST: frozenset[Verdict] = frozenset(("not finite", "overflow"))
SILENT: frozenset[Verdict] = frozenset(("undefined", "not judged", "convention"))
CARRIED = 2.0  # times as far: what is carried is of first order


def stands_there(chain: Chain) -> bool:
    """Whether anything may stand in the shadow of what is off: some link says nothing of some number, or a step has
    left the range."""
    silent = any(link.silent or link.verdict in SILENT for link in chain.links.values())
    return silent or not in_range(chain)


def unexplained(chain: Chain, asked: Asked, engine: Array) -> Array:
    """Numbers with what links explain taken away, in float64: each nearer to the truth by as much as they carry there.

    A number that is none is as it should be where a link has made none of numbers.
    """
    truth, numbers = asked.truth.high, engine.astype(np.float64)
    if any(link.verdict in LOST for link in chain.links.values()):
        numbers = np.where(np.isfinite(numbers), numbers, truth)
    apart = {
        key: _explained(chain, key, link, link.apart) for key, link in chain.links.items() if link.apart is not None
    }
    return nearer(numbers, asked, {**_of_results(chain, asked, apart), **apart}) if apart else numbers


def _explained(chain: Chain, key: Key, link: Link, apart: Array) -> Array:
    """How far each number of a link is off, those that are sound too, but for what its usual formula loses by leaving
    the range inside: the root of squares that are 0 is no more explained than where each is a step of its own. What is
    next to 0 itself may be flushed."""
    quantity, where = key
    if quantity == "adjoint":
        return apart
    name, use = (chain.subject.graph.argument(where), where) if isinstance(where, Use) else (where, None)
    form = chain.subject.form_of_link("value" if use is None else "term", name, use)
    with np.errstate(all="ignore"):
        strict = residual_of(chain, where, form.without_underflow)
        few = strict.off <= form.smallest / form.unit
        usual = np.where(((strict.score <= 1) | few) & np.isfinite(strict.off), strict.off, 0.0)
    by_usual = link.verdict == "lossy" and not link.known
    return usual if by_usual else np.where(apart > 0, apart, usual)


def residual_of(chain: Chain, link: str | Use, form: Format) -> Residual:
    """The residual of the value of a node, or of the term of a use, on the engine's own numbers, where `form` is what
    its steps may lose."""
    subject, graph = chain.subject, chain.subject.graph
    node = graph[link.consumer if isinstance(link, Use) else link]
    operands, y = [chain.numerals[arg] for arg in node.args if isinstance(arg, str)], chain.numerals[node.name]
    if not isinstance(link, Use):
        return subject.steps[node.name].value(operands, y, form)
    shown, uses = chain.evaluation, graph.uses_in[node.name]
    g = Numerals((shown.adjoints or {})[node.name], subject.form_of(node.name))
    read = chain.term_residuals(node, operands, y, g, [(shown.terms or {})[use] for use in uses])
    return read(form)[uses.index(link)]


def _of_results(chain: Chain, asked: Asked, apart: Mapping[Key, Array]) -> dict[Key, Array]:
    """Terms that agree with their own numbers, one of which is a result that is off: y (1 - y) of a sigmoid with y = 0.
    The true term is a function of the operand, so no slope leads from the result to it."""
    found: dict[Key, Array] = {}
    for use, shown in (chain.evaluation.terms or {}).items():
        key, off, true = ("term", use), apart.get(("value", use.consumer)), asked.sensitivity.truth.terms.get(use)
        link = chain.links.get(key)
        if off is None or true is None or link is None or link.verdict != "agree" or link.silent:
            continue
        if off.shape == shown.shape == true.high.shape:
            with np.errstate(all="ignore"):
                error = np.abs(shown.astype(np.float64) - true.high)
            found[key] = np.where((off > 0) & np.isfinite(error), error, 0.0)
    return found


def nearer(numbers: Array, asked: Asked, apart: Mapping[Key, Array]) -> Array:
    """Numbers, each nearer to the truth by as much as what is so far apart at links carries there."""
    truth, found = asked.truth.high, np.array(numbers, dtype=np.float64)
    with np.errstate(all="ignore"):
        error = np.where(np.isfinite(numbers) & np.isfinite(truth), numbers - truth, 0.0)
        relative = np.abs(error) / np.where(truth == 0, 1.0, np.abs(truth))
    order, explained = np.argsort(-relative, axis=None, kind="stable"), True
    for flat in order[: min(SWEPT, int((error != 0).sum()))]:
        index = place(flat, numbers.shape)
        most = CARRIED * asked.sensitivity.carried(asked.name, index, asked.moved, apart)
        explained &= bool(abs(error[index]) <= most) or bool(abs(error[index]) <= asked.probe(index).bound)
        # Taken away, an error leaves what float64 rounds it to beside a truth that is smaller by far.
        found[index] = truth[index] if abs(error[index]) <= most else found[index] - np.copysign(most, error[index])
    if explained:  # those that are left are off by less
        rest = order[SWEPT:]
        found.flat[rest] = np.where(error.flat[rest] == 0, found.flat[rest], truth.flat[rest])
    return found


def unless_lossy(row: Row, chain: Chain, asked: Asked, engine: Array, judged: Callable[[Array], Row]) -> Row:
    """What the truth says of numbers; the row as it was, where all that is off there is what usual formulas lose at
    links, and no step has left the range."""
    found = judged(engine)
    if found.verdict != "out of range" or asked.sensitivity.too_large:
        return found
    if all(link.verdict != "lossy" for link in chain.links.values()):
        return found
    return found if judged(unexplained(chain, asked, engine)).verdict in FINDINGS else row


def as_known(row: Row, engine: Array, chain: Chain, judged: Callable[[Array], Row]) -> Row:
    """The row of a gradient of which no link is seen: what is known of plain programs of its engine may explain it."""
    if not row.unexplained:
        return row
    asked = chain.subject.asked("gradient", row.name)
    apart, reason = in_plain(asked.sensitivity, chain.knowledge)
    if not apart or judged(nearer(engine, asked, apart)).finding:
        return row
    return replace(row, accepted=reason)


def furthest(chain: Chain) -> float:
    """How far the links that are off are off at most, as a part of their numbers: of a contracted gradient, of which
    they have no rows of their own. NaN where some of them make no numbers at all."""
    off = [link for link in chain.links.values() if link.verdict in FINDINGS]
    if len({link.apart is None for link in off}) > 1:
        return nan
    return float(np.max([link.off for link in off]))
