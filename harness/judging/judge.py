"""An engine's evaluation held against the truth, link by link, becomes rows with verdicts."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isnan, nan

import numpy as np

from ..graph.node import Use
from ..records.evaluation import Array, Evaluation
from ..records.known import NOTHING, Knowledge
from ..records.rows import LinkName, Quantity, Row
from ..records.verdicts import FINDINGS, Verdict
from ..truth.reference import Number, difference, relative_size
from ..truth.sweeps import Key
from .agreement import differs, same_bits
from .chain import Chain
from .choices import conventions
from .classify import Link, place
from .estimates import by_estimate
from .last_word import NEAR, Given, abreast, last_word, nearby
from .range import birth, in_range, left
from .shadow import as_known, furthest, stands_there, unexplained, unless_lossy
from .subject import Asked, Subject, blank_row
from .together import of_gradients
from .unseen import UNTOUCHED, conditioned, digits, of_plain, of_plain_off, unseen, with_numbers

__all__ = ["Subject", "conventions", "judge", "judged"]

NOT_SHOWN = "the engine does not show what this choice was made by, and rounding may turn it"
SOUND: frozenset[Verdict] = frozenset(("agree", "lossy"))


def judge(
    subject: Subject,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None = None,
    seconds: float = 0.0,
    quantities: frozenset[Quantity] = frozenset(("value", "gradient", "adjoint", "term")),
    knowledge: Knowledge = NOTHING,
) -> list[Row]:
    """The rows of one engine for one subject. `again` is a second evaluation of the same inputs."""
    return judged(subject, engine, evaluation, again, seconds, quantities, knowledge)[0]


def judged(
    subject: Subject,
    engine: str,
    evaluation: Evaluation,
    again: Evaluation | None = None,
    seconds: float = 0.0,
    quantities: frozenset[Quantity] = frozenset(("value", "gradient", "adjoint", "term")),
    knowledge: Knowledge = NOTHING,
) -> tuple[list[Row], Mapping[Key, Link]]:
    """The rows, and every link by itself, whatever is upstream of it."""
    blank = blank_row(subject, engine, seconds)
    if evaluation.status == "undefined" and not subject.has_no_truth:
        reason = f"the engine says that it is undefined here, and the truth exists: {evaluation.reason}"
        return [replace(blank, verdict="failed", reason=reason.rstrip(": "), finding=True)], {}
    if evaluation.status != "ok":
        known = knowledge.failure(evaluation.known) if evaluation.status == "failed" else ""
        said = replace(blank, verdict=evaluation.status, reason=evaluation.reason, accepted=known)
        return [replace(said, finding=evaluation.status in FINDINGS)], {}
    if again is not None:
        changed = differs(evaluation, again)
        if changed:
            reason = f"a second run on the same inputs gave {changed}"
            return [replace(blank, verdict="unstable", reason=reason, finding=True)], {}
    chain = Chain(subject, evaluation, knowledge=knowledge)
    chain.judge()
    return _rows(chain, blank, quantities), chain.links


def told_by_links(chain: Chain) -> Mapping[str, Link]:
    """The links of gradients of which they say all: one is off, or all are seen, none at a kink and none that left the
    range; and the plain program has their bits."""
    gradients, shown = chain.evaluation.gradients, chain.evaluation.adjoints or {}
    some = {node.name: chain.adjoints[node.name] for node in chain.subject.graph.wanted if node.name in chain.adjoints}
    told = _told(chain, list(some.values()))
    return {
        name: link for name, link in some.items() if link.verdict in told and same_bits(gradients[name], shown[name])
    }


def _told(chain: Chain, links: Sequence[Link]) -> Container[Verdict]:
    """The verdicts that say all where links have them: sound ones as long as no step left the range, findings as long
    as nothing stands in their shadow."""
    told, found = set[Verdict](), {link.verdict for link in links}
    if found & SOUND and in_range(chain):
        told |= SOUND
    if found & FINDINGS and not stands_there(chain):
        told |= FINDINGS
    return told


def judged_whole(chain: Chain, engine: str) -> list[Row]:
    """The rows of an evaluation whose links have been judged."""
    return _rows(chain, blank_row(chain.subject, engine), frozenset(("value", "gradient", "adjoint", "term")))


def value_told_by_links(chain: Chain, name: str) -> Link | None:
    """The link of a value, where it and those up to it say all; as of gradients."""
    plain = chain.evaluation.output if name == chain.subject.graph.output.name else None
    link, shown = chain.values.get(name), chain.evaluation.values[name]
    if link is None or not (plain is None or same_bits(plain, shown)):
        return None
    return link if link.verdict in _told(chain, [link]) else None


def judged_value(chain: Chain, engine: str, name: str) -> Row:
    """The row of one value alone, of an evaluation whose links have been judged: by its number where one is hidden."""
    blank = blank_row(chain.subject, engine)
    if any(node.name not in chain.values for node in chain.subject.graph.pruned([name]).operations):
        return _value_alone(blank, chain, name)
    return next(row for row in _rows(chain, blank, frozenset(("value",))) if row.name == name)


def judged_gradients(chain: Chain, engine: str) -> Mapping[str, Row]:
    """The rows of the gradients alone, of an evaluation whose links have been judged."""
    subject = chain.subject
    blank = blank_row(subject, engine)
    return {row.name: row for row in _rows(chain, blank, frozenset(("gradient",)))}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One quantity of an evaluation: its numbers, the truth, the worst link up to it and its own."""

    quantity: Quantity
    name: str
    use: Use | None
    engine: Array
    truth: Number
    link: Link
    own_link: Link


def _rows(chain: Chain, blank: Row, quantities: frozenset[Quantity]) -> list[Row]:
    rows, evaluation = list(_each(chain, blank, quantities)), chain.evaluation
    return rows if evaluation.adjoints is not None else of_gradients(rows, chain.subject, evaluation.gradients)


def _each(chain: Chain, blank: Row, quantities: frozenset[Quantity]) -> Iterable[Row]:
    entries = [entry for entry in _entries(chain) if entry.quantity in quantities]
    subject, evaluation = chain.subject, chain.evaluation
    for entry, (errors, relative) in zip(entries, _measured(entries), strict=True):
        row = _row(blank, entry, errors, relative, subject)
        if subject.tangent_of and row.verdict in FINDINGS:
            row = replace(row, off=furthest(chain))
        if entry.quantity == "gradient":
            assert evaluation.adjoints is not None
            row = _gradient(row, entry, evaluation.adjoints[entry.name], chain)
        elif entry.quantity == "value":
            row = _value(row, entry, chain, near=bool((relative <= NEAR).all()))
        elif entry.quantity == "adjoint" and row.verdict == "not judged":
            row = unseen(row, subject.asked("adjoint", entry.name), entry.engine)
        yield row
    for node in subject.graph.nodes if "value" in quantities else ():
        if node.name in evaluation.values and node.name not in chain.values:
            yield _value_alone(blank, chain, node.name)
    for name in (node.name for node in subject.graph.wanted if "gradient" in quantities):
        if name in chain.adjoints:
            continue
        engine = evaluation.gradients[name]
        if evaluation.errors is None:
            yield known_of_plain(_gradient_alone(blank, chain, name, engine), engine, chain)
        else:
            estimate, shipped = evaluation.errors[name], chain.knowledge.shipped
            yield by_estimate(blank, subject, name, engine, estimate, shipped=shipped)


def _gradient(row: Row, entry: _Entry, shown: Array, chain: Chain) -> Row:
    """What the links of a gradient leave open: a plain program with other bits, hidden values, the condition, what lies
    upstream and does not touch it, and the truth of the whole."""
    subject, same = chain.subject, same_bits(entry.engine, shown)
    asked = subject.asked("gradient", entry.name)
    if _left_open(row, entry):
        row = _alone(row, asked, subject.gradients[entry.name], entry.engine, exists=subject.exists)
    elif row.verdict in FINDINGS:
        row = row if same else of_plain_off(row, asked, entry.engine, shown)
        return _in_shadow(row, entry.engine, chain, asked, same=same)
    elif not same:
        row = (of_plain_off if chain.excused else of_plain)(row, asked, entry.engine, shown)
    elif row.verdict in ("agree", "lossy"):
        row = conditioned(row, asked.what, entry.truth, subject.probes[entry.name], subject.form)
    row = unless_lossy(row, chain, asked, entry.engine, lambda x: _last_word(row, x, chain, entry.name, entry.link))
    row = _blamed(row, chain, entry.name)
    return row if same else known_of_plain(row, entry.engine, chain)


def _gradient_alone(blank: Row, chain: Chain, name: str, engine: Array) -> Row:
    """The row of a gradient by its numbers alone."""
    subject = chain.subject
    row = unseen(blank, asked := subject.asked("gradient", name), engine)
    if row.verdict == "not finite" and not subject.exists:
        row = replace(row, verdict="undefined", finding=False)
    return _last_word(row, engine, chain, name, Link("agree", where=asked.what, order=0))


def known_of_plain(row: Row, engine: Array, chain: Chain) -> Row:
    """The row of a gradient of a plain program, whose numbers are other than its links say, or have none."""
    return as_known(row, engine, chain, partial(_gradient_alone, row, chain, row.name))


def _blamed(row: Row, chain: Chain, name: str) -> Row:
    """The row of what is lost laid at the step where it was lost, as far as the engine shows it."""
    lost = {"not finite": lambda: birth(chain, name), "out of range": lambda: left(chain)}.get(row.verdict)
    where = lost() if lost else None
    if where is None or where[0] == row.node:
        return row
    return replace(row, node=where[0], reason=f"{row.reason}; {where[1]}")


def _value(row: Row, entry: _Entry, chain: Chain, *, near: bool) -> Row:
    """What the links of a value leave open, as of a gradient; the truth adds nothing to what is `near` it."""
    subject = chain.subject
    sound = near and entry.name != subject.graph.output.name and row.verdict in ("agree", "lossy")
    if sound or entry.engine.dtype.kind in "bi":
        return row
    asked, engine, plain = subject.asked("value", entry.name), entry.engine, chain.evaluation.output
    other = entry.name == subject.graph.output.name and plain is not None and not same_bits(plain, engine)
    engine = plain if other and plain is not None else engine
    if _left_open(row, entry):
        row = _alone(row, asked, asked.truth, engine)
    elif row.verdict in FINDINGS:
        row = of_plain_off(row, asked, engine, entry.engine) if other else row
        return _in_shadow(row, engine, chain, asked, same=not other)
    elif other:
        row = of_plain(row, asked, engine, entry.engine)
    row = unless_lossy(row, chain, asked, engine, lambda x: last_word(row, x, Given(asked), entry.link))
    row = nearby(row, engine, subject)
    return _blamed(row, chain, entry.name) if row.verdict == "out of range" else row


def _value_alone(blank: Row, chain: Chain, name: str) -> Row:
    """A value whose operands the engine does not show."""
    subject, shown = chain.subject, chain.evaluation
    plain = shown.output if name == subject.graph.output.name else None
    asked, engine = subject.asked("value", name), shown.values[name] if plain is None else plain
    if engine.dtype.kind in "bi":
        same = bool(np.all(engine.astype(np.float64) == asked.truth.high))
        row = replace(blank, quantity="value", name=name)
        return row if same else replace(row, verdict="not judged", reason=NOT_SHOWN)
    row = last_word(unseen(blank, asked, engine), engine, Given(asked), Link("agree", where=asked.what, order=0))
    return nearby(row, engine, subject)


def _left_open(row: Row, entry: _Entry) -> bool:
    """Whether links tell nothing of a number itself: it shows too little, or what is off upstream may not touch it."""
    upstream = row.verdict in ("overflow", "not finite") and entry.own_link.verdict not in FINDINGS
    return row.verdict in UNTOUCHED or upstream


def _alone(row: Row, asked: Asked, known: Number, engine: Array, *, exists: bool = True) -> Row:
    """The row by its numbers alone where they tell more: of all components, or of one that is off.

    A formula may have a finite derivative where the function does not exist: log at -1.
    """
    alone = unseen(row, asked, engine)
    if not exists and alone.verdict != "wrong":
        return replace(row, verdict="undefined", finding=False)
    if row.finding and alone.verdict == "wrong":  # a number, and off: nothing that is known of what is lost explains it
        return replace(row, accepted="", off=nan)
    if alone.verdict == "undefined" or (row.finding and (alone.finding or alone.verdict == "not judged")):
        return row
    some = bool(np.isnan(known.high).any()) and not alone.finding  # of them there is no truth to be held against
    return replace(row, verdict="undefined", finding=False) if some else alone


def _last_word(row: Row, engine: Array, chain: Chain, name: str, link: Link) -> Row:
    subject = chain.subject
    if row.verdict == "undefined" and not subject.exists and not subject.sides[name] and not subject.groups[name]:
        return row
    asked, settled, signed = subject.asked("gradient", name), frozenset(subject.settling[name]), _signed(chain)
    chosen, truth = subject.by_equality(name, engine), subject.gradients[name]
    sides = {index: pair for index, pair in subject.sides[name].items() if not chosen[index]}
    given = Given(asked, sides, settled, lambda index: subject.limits(name, index), bool(sides) and signed)
    row = last_word(row, np.where(chosen & ~np.isnan(truth.high), truth.high, engine), given, link)
    row = abreast(row, engine, given, subject.groups[name])
    if row.verdict not in FINDINGS and (count := subject.overlooked(name)):
        reason = f"{count:,} components have a derivative, if any, that was not looked for"
        return replace(row, verdict="not judged", reason=reason)
    if row.index not in subject.sides[name] or isnan(truth.high[row.index]):
        return row
    return with_numbers(row, engine, truth, row.index)


def _in_shadow(row: Row, engine: Array, chain: Chain, asked: Asked, *, same: bool) -> Row:
    """The row of numbers up to which a link is off, which may be known. What that link explains is taken from them, and
    the rest is judged as numbers alone are: where links up to it say nothing, where a step has left the range, and of a
    plain program with other bits."""
    if isnan(row.off) or asked.sensitivity.too_large or (same and not stands_there(chain)):
        return row
    rest = unexplained(chain, asked, engine)
    alone = unseen(replace(row, accepted=""), asked, rest)
    if not chain.subject.exists and alone.verdict != "wrong":
        return row
    if asked.moved == "adjoint":
        alone = _last_word(alone, rest, chain, asked.name, Link("agree", where=asked.what, order=0))
    else:
        alone = last_word(alone, rest, Given(asked), Link("agree", where=asked.what, order=0))
    if alone.verdict not in FINDINGS:
        return row
    return replace(row, reason=f"{row.reason}; beside what is off there, {alone.reason}", accepted="", off=nan)


def _signed(chain: Chain) -> bool:
    """Whether an engine read a negative 0, as far as it shows what it read."""
    read = (*chain.subject.inputs.values(), *chain.evaluation.values.values())
    return any(bool(((x == 0) & np.signbit(x)).any()) for x in read if x.dtype.kind not in "bi")


def _entries(chain: Chain) -> Iterable[_Entry]:
    """What has a link: values, gradients, adjoints and terms, as far as the engine shows them."""
    graph, evaluation, truth, links = chain.subject.graph, chain.evaluation, chain.subject.truth, chain.links
    for name, link in chain.values.items():
        yield _Entry("value", name, None, evaluation.values[name], truth.values[name], link, links["value", name])
    for node in graph.wanted:
        name, link = node.name, chain.adjoints.get(node.name)
        if link is not None:
            engine, number = evaluation.gradients[name], chain.subject.gradients[name]
            yield _Entry("gradient", name, None, engine, number, link, links["adjoint", name])
    for name, link in chain.adjoints.items():
        assert evaluation.adjoints is not None
        engine = evaluation.adjoints[name]
        yield _Entry("adjoint", name, None, engine, truth.adjoints[name], link, links["adjoint", name])
    terms = evaluation.terms
    for use, link in chain.terms.items() if terms is not None else ():
        assert terms is not None
        if use not in terms:
            continue
        name = graph.argument(use)
        yield _Entry("term", name, use, terms[use], truth.terms[use], link, links["term", use])


def _measured(entries: Sequence[_Entry]) -> Iterable[tuple[Array, Array]]:
    """For each entry its errors against the truth and their sizes relative to it, flat. Computed for all at once."""
    if not entries:
        return
    shown = [entry.engine for entry in entries]
    if len({array.dtype for array in shown}) > 1:  # bfloat16 mixes with nothing
        shown = [array.astype(np.float64) for array in shown]
    engine = np.concatenate(shown, axis=None).astype(np.float64)
    high = np.concatenate([entry.truth.high for entry in entries], axis=None)
    low = np.concatenate([entry.truth.low for entry in entries], axis=None)
    error = difference(engine, high, low)
    relative = relative_size(error, high)
    start = 0
    for entry in entries:
        stop = start + entry.engine.size
        yield error[start:stop], relative[start:stop]
        start = stop


def _row(blank: Row, entry: _Entry, error: Array, relative: Array, subject: Subject) -> Row:
    """One quantity: its worst component is its own link's where that is off, else the one furthest from the truth."""
    link, own_link = entry.link, entry.own_link
    if entry.quantity != "gradient" and own_link.verdict in FINDINGS:
        link = own_link  # so that every link that is off has a row of its own, whatever is off upstream of it
    known = entry.quantity == "gradient" or entry.name == subject.graph.output.name
    what = subject.named(entry.quantity, entry.name) if known else LinkName(entry.quantity, entry.name)
    if relative.size == 0:
        return replace(
            blank, quantity=what.quantity, name=what.name, use=entry.use, verdict=link.verdict, score=link.score
        )
    shape = entry.engine.shape
    if own_link.verdict in FINDINGS:
        index, flat = own_link.index, int(np.ravel_multi_index(own_link.index, shape)) if shape else 0
    else:
        flat = int(relative.argmax()) if shape else 0
        index = place(flat, shape)
    if link.verdict == "not finite" and not subject.exists and isnan(entry.engine[index]):
        link = replace(link, verdict="undefined", reason="no truth exists here, and the engine says so")
    sound = link.verdict == "agree"
    return replace(
        blank,
        quantity=what.quantity,
        name=what.name,
        use=entry.use,
        index=index,
        engine_value=float(entry.engine[index]),
        reference=float(entry.truth.high[index]),
        error=float(error[flat]),
        score=None if isnan(link.score) else link.score,
        digits=digits(float(relative[flat])),
        verdict=link.verdict,
        node="" if sound else link.where,
        reason="" if sound else link.reason,
        choice=link.choice,
        finding=link.verdict in FINDINGS,
        accepted=link.known if link.verdict in FINDINGS else "",
        off=link.off,
    )
