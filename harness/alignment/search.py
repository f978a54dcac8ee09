"""The reason by repair: one small change of one step after the other, until the outputs agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

from ..records.evaluation import Array
from . import calls, exchanges, omissions, operands, orders, relations, steps, tables, windows
from .calls import FITS
from .content import content
from .outputs import apart
from .proposals import Proposal, Question

Kind: TypeAlias = Callable[[Question], Iterator[Proposal]]

AT_ONCE = 3  # steps behind a change, of which one is known
MOST = 8  # known steps of those behind a change that are as good as outputs that agree: in a loop it is made again
AFTER = 15_000  # steps that are run behind the first that makes the outputs agree later than that
AHEAD = 12  # steps behind a change that say whether it helped
STEPS = 200_000  # that are run in the first round to try proposals, then half as many, and so on
LEAST = 20  # steps that a proposal counts for

# The most telling first: the first that makes the outputs agree is the reason.
KINDS: tuple[Kind, ...] = (
    steps.same_step,
    calls.other_call,
    tables.other_tables,
    windows.other_window,
    exchanges.swapped,
    omissions.left_out,
    calls.recognised,
    steps.other_operation,
    exchanges.exchanged_numbers,
    exchanges.other_sign,
    exchanges.other_signs,
    omissions.skipped,
    windows.other_elements,
    windows.shifted,
    windows.part_for_whole,
    orders.parts_in_order,
    tables.altered_tables,
    tables.other_fill,
    tables.tables_together,
    steps.other_axes,
    operands.transposed,
    calls.other_argument,
    operands.other_operand,
    calls.other_statistics,
    exchanges.exchanged,
    orders.other_layout,
    orders.by_elimination,
    omissions.skipped_to_the_end,
    steps.other_constants,
    relations.other_factor,
    relations.related,
)


def chosen(question: Question, before: int = 0) -> tuple[Proposal | None, bool]:
    """The first proposal that makes the outputs agree, else the one that makes most of what follows known, else what
    only says where; and whether it is of the other side. The more were found `before`, the fewer are tried."""
    found = _best(question, KINDS, STEPS >> before)
    return found if found[0] is not None else _best(question, (relations.transplanted,), STEPS)


def _best(question: Question, kinds: Sequence[Kind], steps: int) -> tuple[Proposal | None, bool]:
    """The first change that makes the outputs agree and the next steps known; if none of those that are tried soon
    after it does, the first that makes the outputs agree; and if there is none, the one that makes most steps known."""
    best: tuple[Proposal | None, bool] = (None, False)
    agreed, left, most = False, steps, 0
    for proposal, turned in _proposals(question, kinds):
        left -= LEAST
        if left < 0:
            break
        asked = question.turned if turned else question
        try:
            found = _made(asked, proposal)
        except FITS:
            continue
        if found is None:
            continue
        made, hits = found
        left -= len(made)
        if not any(True for _ in apart(asked.here, asked.there, made)):
            if min(hits, default=AHEAD) < AT_ONCE:
                return proposal, turned
            if not agreed:
                best, agreed, left = (proposal, turned), True, min(left, AFTER)
        elif not agreed and len(hits) > most and _is_first(asked, proposal):
            best, most = (proposal, turned), len(hits)
            if most >= MOST and hits[0] < AT_ONCE:
                return best
    return best


def _made(question: Question, proposal: Proposal) -> tuple[dict[str, Array], list[int]] | None:
    """The run with a change, and which of the next steps are then what is to blame on the other side; None where none
    is: such a change explains nothing."""
    here, index = question.here, question.match.index
    bad, others, outputs = question.blamed_set, question.turned.blamed_set, set(here.heard.outputs)
    made = dict[str, Array]()
    seen, hits = 0, list[int]()
    for name, x in here.rerunning(proposal.changes):
        made[name] = x
        if seen == AHEAD or name not in bad or name not in here.noise:
            continue
        alike = x.dtype.kind == "f" and x.shape == here.numbers[name].shape and index.may(x)
        if alike and any(like in others for like in index.find(content(x, here.noise[name]))):
            hits.append(seen)
        seen += 1
        if seen == AHEAD and not hits and outputs.isdisjoint(made):
            return None
    return made, hits


def _is_first(question: Question, proposal: Proposal) -> bool:
    """Whether what is changed stands where both sides part, and not behind that."""
    start, here = proposal.begins or proposal.here, question.here
    if start not in question.blamed_set or start in question.first:
        return True
    return start == here.owner(start) and any(here.owner(name) == start for name in question.first)


def _proposals(question: Question, kinds: Sequence[Kind]) -> Iterator[tuple[Proposal, bool]]:
    for kind in kinds:
        for first, second in zip_longest(_safe(kind, question), _safe(kind, question.turned)):
            if first is not None:
                yield first, False
            if second is not None:
                yield second, True


def _safe(kind: Kind, question: Question) -> Iterator[Proposal]:
    """Proposals until one cannot even be made."""
    try:
        yield from kind(question)
    except FITS:
        return
