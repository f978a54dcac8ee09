"""One link's residual becomes a verdict; of a chain of links, the worst decides.

Every comparison is written so that NaN cannot pass: sound means `score <= 1`, and everything else is
off.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from math import inf, nan
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..records.formats import Format
from ..records.rows import Choice, Index, LinkName, component
from ..records.verdicts import FINDINGS, SEVERITY, Verdict
from ..truth.residuals import Residual
from .choices import taken

Score: TypeAlias = "tuple[float, Index]"  # the worst of a link, and where


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a residual says of a link, at its worst component.

    `off`: where it is off, how far at most, as a part of what the engine's own numbers give; NaN where some of its
    numbers are off and others no numbers at all. `known`: why an engine is known to be off so, or by what formula it is
    sound; empty where neither. `apart`: of one that is off or lossy, how far it is from its exact numbers, element by
    element; `silent`: of some elements it says nothing, or no single number.
    """

    verdict: Verdict
    score: float = 0.0
    index: Index = ()
    reason: str = ""
    choice: Choice = ()
    off: float = inf
    known: str = ""
    apart: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Link(Judgement):
    """What was found at one link of an evaluation, `order` in the order of the sweep."""

    _: KW_ONLY
    where: LinkName
    order: int


def worse(links: Iterable[Link]) -> Link:
    """The link that decides: the gravest verdict; of those off the first, of sound ones the highest score."""
    return max(links, key=_gravity)


def _gravity(link: Link) -> tuple[int, float]:
    # Of those undefined the first too: there NaN is born.
    first = link.verdict in FINDINGS or link.verdict == "undefined"
    return SEVERITY[link.verdict], -link.order if first else link.score


def place(flat: Any, shape: Index) -> Index:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def classify(read: Callable[[Format], Residual], form: Format) -> Judgement:
    """The verdict on one link."""
    residual = read(form)
    score = residual.score
    if residual.engine.size == 0:
        return Judgement("agree", 0.0, ())
    if sound(residual, form).all():
        index = place(np.argmax(score), score.shape)
        return Judgement("agree", float(score[index]), index)
    finite = np.isfinite(residual.engine.astype(np.float64))
    enclosed, within = residual.enclosed, score <= 1
    if (within & enclosed).all() and not residual.kink.any():
        lost = _lossy(residual, form)
        index = place(np.argmax(np.where(lost, score, -1.0)), score.shape)
        gave = f"the engine gave {show(residual.engine[index])}, exactly {show(residual.exact[index])}"
        reason = f"the usual formula cancels: {gave}"
        return Judgement("lossy", float(score[index]), index, reason, apart=np.where(lost, residual.off, 0.0))
    off, born = enclosed & finite & ~within, enclosed & ~finite & ~within
    silent = bool((~enclosed | residual.kink).any())
    if off.any():
        judgement = replace(_off(read, residual, form, off), apart=np.where(off, residual.off, 0.0), silent=silent)
        return _and_lost(judgement, residual, born) if born.any() else judgement
    if born.any():
        index = place(np.argmax(born), born.shape)
        engine, exact = residual.engine[index], float(residual.exact[index])
        if np.isinf(engine) and not exact * np.sign(float(engine)) < form.largest * (1 - form.unit):
            result = show(exact) if np.isfinite(exact) else "a number"
            beyond = f"beyond the largest {form.name} {form.largest:.3g}"
            reason = f"the engine gave {show(engine)}, its own numbers give {result}, {beyond}"
            return Judgement("overflow", np.inf, index, reason, silent=silent)
        reason = f"the engine gave {show(engine)}, its own numbers give {show(exact)}"
        return Judgement("not finite", np.inf, index, reason, silent=silent)
    nowhere = ~enclosed & ~finite
    if nowhere.any():
        index = place(np.argmax(nowhere), nowhere.shape)
        reason = f"no finite truth exists here; the engine says {show(residual.engine[index])}"
        return Judgement("undefined", 0.0, index, reason)
    if (~enclosed).any():
        index = place(np.argmax(~enclosed), enclosed.shape)
        reason = f"no finite enclosure of this step at these numbers; the engine says {show(residual.engine[index])}"
        return Judgement("not judged", 0.0, index, reason)
    index = place(np.argmax(residual.kink), residual.kink.shape)
    choice, reason = taken(residual.engine, residual.low, residual.high, residual.kink, index)
    return Judgement("convention", float(score[index]), index, reason, choice)


def _and_lost(judgement: Judgement, residual: Residual, born: NDArray[np.bool_]) -> Judgement:
    """Of a link that is off, some numbers are none where there is one: what is known of the others explains no such."""
    index = place(np.argmax(born), born.shape)
    gave = f"the engine gave {show(residual.engine[index])}, its own numbers give {show(residual.exact[index])}"
    return replace(judgement, reason=f"{judgement.reason}; beside it{component(index)} {gave}", off=nan)


def sound(residual: Residual, form: Format) -> NDArray[np.bool_]:
    """Where a link is sound beyond question: within its ball, at no kink, half of its digits right."""
    return (residual.score <= 1) & residual.enclosed & ~residual.kink & ~_lossy(residual, form)


def plainly_sound(keys: Sequence[Hashable], residual: Residual, form: Format) -> Iterator[tuple[Hashable, Score]]:
    """Of links stacked along the first axis, those that are sound beyond question: the worst score of each."""
    count, shape = len(keys), residual.engine.shape[1:]
    good = np.asarray(sound(residual, form).reshape(count, -1).all(axis=1), dtype=bool)
    scores = residual.score.reshape(count, -1)
    worst = scores.argmax(axis=1)
    top = scores[np.arange(count), worst].tolist()
    for key, fine, score, at in zip(keys, good.tolist(), top, worst.tolist(), strict=True):
        if fine:
            yield key, (score, place(at, shape) if shape else ())


def _lossy(residual: Residual, form: Format) -> NDArray[np.bool_]:
    """Fewer than half of the format's digits are right."""
    with np.errstate(all="ignore"):
        return (
            (residual.off > np.abs(residual.exact) * form.unit**0.5) & (residual.off > form.underflow) & ~residual.kink
        )


def _off(read: Callable[[Format], Residual], residual: Residual, form: Format, off: NDArray[np.bool_]) -> Judgement:
    score = np.where(off, np.where(np.isnan(residual.score), np.inf, residual.score), -1.0)
    index = place(np.argmax(score), score.shape)
    allowed = residual.radius[index]
    reason = (
        f"the engine gave {show(residual.engine[index])}, its own numbers give {show(residual.exact[index])}, "
        f"one sound step may move it by {allowed:.2g}"
    )
    if residual.kink[index]:
        reason += f"; even at this kink only {show(residual.low[index])} to {show(residual.high[index])} is possible"
    worst = float(score[index])
    with np.errstate(all="ignore"):
        apart = float(np.max(residual.off[off] / np.abs(residual.exact[off])))
    likely = [(below, f"{below.name} products") for below in form.factors if residual.products]
    likely += [(below, f"sums kept in {below.name}") for below in form.adding]
    likely += [(below, f"{below.name} inside {form.name}") for below in form.lower]
    for below, looks in likely:
        if (_sound_in(read(below), below, form) | ~off).all():
            with np.errstate(all="ignore"):
                bits = -np.log2(residual.off[index] / abs(residual.exact[index]))
            right = f"right to {max(bits, 0):.0f} of {-np.log2(form.unit):.0f} bits"
            return Judgement("imprecise", worst, index, f"{reason}; {right}, looks like {looks}", off=apart)
    return Judgement("wrong", worst, index, reason, off=apart)


def _sound_in(residual: Residual, below: Format, form: Format) -> NDArray[np.bool_]:
    """Where a step is sound in a lower format, and right to 8 bits.

    Sums of products may cancel: they have so many bits of the largest of them, with factors in bfloat16 two fewer.
    A sum that is kept in few digits stops growing: of it is only asked that it is no further from the truth than 0.
    """
    with np.errstate(all="ignore"):
        size = np.abs(residual.exact)
        largest = np.max(size[np.isfinite(size)], initial=0.0)
        if below in form.adding:
            close = largest
        elif residual.products:
            close = largest * max(2.0**-8, 4 * below.unit)
        else:
            close = size * 2.0**-8
        return (residual.score <= 1) & (residual.off <= close)


def show(number: Any) -> str:
    return (
        np.format_float_positional(float(number), unique=True, trim="-")
        if 1e-4 <= abs(float(number)) < 1e10
        else repr(float(number))
    )
