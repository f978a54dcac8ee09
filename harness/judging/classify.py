"""One link's residual becomes a verdict; of a chain of links, the worst decides.

Every comparison is written so that NaN cannot pass: sound means `score <= 1`, and everything else is
off.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..graph.node import Use
from ..records.rows import FINDINGS, Quantity, Verdict
from ..truth.residuals import Residual
from ..truth.rounding import LOWER, LOWER_FACTORS, Format

# Ascending: the verdict of a chain of links is that of its worst.
SEVERITY: tuple[Verdict, ...] = (
    "agree", "lossy", "ill-conditioned", "not judged", "undefined",
    "convention", "imprecise", "kink artefact", "wrong", "not finite", "overflow",
)  # fmt: skip

Score: TypeAlias = "tuple[float, tuple[int, ...]]"  # the worst of a link, and where
_SEVERITIES = {verdict: severity for severity, verdict in enumerate(SEVERITY)}


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
    return max(links, key=_gravity)


def _gravity(link: Link) -> tuple[int, float]:
    # Of those undefined the first too: there NaN is born.
    first = link.verdict in FINDINGS or link.verdict == "undefined"
    return _SEVERITIES[link.verdict], -link.order if first else link.score


def at(index: tuple[int, ...]) -> str:
    """Where, in a sentence: nothing of a single number."""
    return f" at {list(index)}" if index else ""


def place(flat: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def classify(read: Callable[[Format], Residual], form: Format) -> tuple[Verdict, float, tuple[int, ...], str]:
    """The verdict on one link: (verdict, worst score, its index, the reason)."""
    found = read(form)
    score = found.score
    if found.engine.size == 0:
        return "agree", 0.0, (), ""
    if sound(found, form).all():
        index = place(np.argmax(score), score.shape)
        return "agree", float(score[index]), index, ""
    finite = np.isfinite(found.engine.astype(np.float64))
    enclosed, within = found.enclosed, score <= 1
    if (within & enclosed).all() and not found.kink.any():
        lost = _lossy(found, form)
        index = place(np.argmax(np.where(lost, score, -1.0)), score.shape)
        return "lossy", float(score[index]), index, (
            f"the usual formula cancels: the engine gave {show(found.engine[index])}, "
            f"exactly {show(found.exact[index])}"
        )  # fmt: skip
    off = enclosed & finite & ~within
    if off.any():
        return _off(read, found, form, off)
    born = enclosed & ~finite & ~within
    if born.any():
        index = place(np.argmax(born), born.shape)
        engine, exact = found.engine[index], float(found.exact[index])
        if np.isinf(engine) and not exact * np.sign(float(engine)) < form.largest * (1 - form.unit):
            own = show(exact) if np.isfinite(exact) else "a number"
            return "overflow", np.inf, index, (
                f"the engine gave {show(engine)}, its own numbers give {own}, beyond the largest {form.name} "
                f"{form.largest:.3g}"
            )  # fmt: skip
        return "not finite", np.inf, index, f"the engine gave {show(engine)}, its own numbers give {show(exact)}"
    nowhere = ~enclosed & ~finite
    if nowhere.any():
        index = place(np.argmax(nowhere), nowhere.shape)
        return "undefined", 0.0, index, f"no finite truth exists here; the engine says {show(found.engine[index])}"
    if (~enclosed).any():
        index = place(np.argmax(~enclosed), enclosed.shape)
        reason = f"no finite enclosure of this step at these numbers; the engine says {show(found.engine[index])}"
        return "not judged", 0.0, index, reason
    index = place(np.argmax(found.kink), found.kink.shape)
    return "convention", float(score[index]), index, _choice(found, index)


def sound(found: Residual, form: Format) -> NDArray[np.bool_]:
    """Where a link is sound beyond question: within its ball, at no kink, half of its digits right."""
    return (found.score <= 1) & found.enclosed & ~found.kink & ~_lossy(found, form)


def plainly_sound(keys: Sequence[Hashable], found: Residual, form: Format) -> Iterator[tuple[Hashable, Score]]:
    """Of links stacked along the first axis, those that are sound beyond question: the worst score of each."""
    count, shape = len(keys), found.engine.shape[1:]
    good = np.asarray(sound(found, form).reshape(count, -1).all(axis=1), dtype=bool)
    scores = found.score.reshape(count, -1)
    worst = scores.argmax(axis=1)
    top = scores[np.arange(count), worst].tolist()
    for key, fine, score, at in zip(keys, good.tolist(), top, worst.tolist(), strict=True):
        if fine:
            yield key, (score, place(at, shape) if shape else ())


def _lossy(found: Residual, form: Format) -> NDArray[np.bool_]:
    """Fewer than half of the format's digits are right."""
    with np.errstate(all="ignore"):
        return (
            (found.off > np.abs(found.exact) * form.unit**0.5) & (found.off > form.smallest / form.unit) & ~found.kink
        )


def _off(
    read: Callable[[Format], Residual], found: Residual, form: Format, off: NDArray[np.bool_]
) -> tuple[Verdict, float, tuple[int, ...], str]:
    score = np.where(off, np.where(np.isnan(found.score), np.inf, found.score), -1.0)
    index = place(np.argmax(score), score.shape)
    allowed = found.radius[index]
    reason = (
        f"the engine gave {show(found.engine[index])}, its own numbers give {show(found.exact[index])}, "
        f"one sound step may move it by {allowed:.2g}"
    )
    if found.kink[index]:
        reason += f"; even at this kink only {show(found.low[index])} to {show(found.high[index])} is possible"
    worst = float(score[index])
    likely = [(below, f"{below.name} products") for below in LOWER_FACTORS.get(form.name, ()) if found.products]
    likely += [(below, f"{below.name} inside {form.name}") for below in LOWER.get(form.name, ())]
    for below, looks in likely:
        if (_sound_in(read(below), below) | ~off).all():
            with np.errstate(all="ignore"):
                bits = -np.log2(found.off[index] / abs(found.exact[index]))
            right = f"right to {max(bits, 0):.0f} of {-np.log2(form.unit):.0f} bits"
            return "imprecise", worst, index, f"{reason}; {right}, looks like {looks}"
    return "wrong", worst, index, reason


def _sound_in(found: Residual, form: Format) -> NDArray[np.bool_]:
    """Where a step is sound in a lower format, and right to 8 bits.

    Sums of products may cancel: they have so many bits of the largest of them, with factors in bfloat16 two fewer.
    """
    with np.errstate(all="ignore"):
        size = np.abs(found.exact)
        close = size * 2.0**-8
        if found.products:
            close = np.max(size[np.isfinite(size)], initial=0.0) * max(2.0**-8, 4 * form.unit)
        return (found.score <= 1) & (found.off <= close)


def _choice(found: Residual, index: tuple[int, ...]) -> str:
    return choice(found.engine, found.low, found.high, found.kink, index)


def choice(
    engine: NDArray[Any],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    kink: NDArray[np.bool_],
    index: tuple[int, ...],
) -> str:
    """Which of all derivatives from `low` to `high` the engine took, at every kink; told for the one at `index`."""
    places = [place(flat, kink.shape) for flat in np.flatnonzero(kink)]
    shares = [_share(float(engine[at]), *_hull(float(low[at]), float(high[at]))) for at in places]
    taken = in_turn(shares)
    least, most = _hull(float(low[index]), float(high[index]))
    return f"a kink: of all from {least:.6g} to {most:.6g} the engine took {taken}"


def in_turn(choices: Sequence[str]) -> str:
    """Choices in the order of their components, repeated ones counted; one word where all are alike."""
    runs = [(choice, len(list(same))) for choice, same in groupby(choices)]
    if len(runs) == 1:
        return runs[0][0]
    return ", ".join(choice if count == 1 else f"{choice} ({count} times)" for choice, count in runs)


def taken(reason: str) -> str:
    """Which derivative a convention's reason says was taken: the ends of its hull depend on the engine's numbers."""
    return reason.rpartition("the engine took ")[2]


def _hull(low: float, high: float) -> tuple[float, float]:
    # A ball's radius has 30 bits, rounded up: [0, 1] comes back a billionth wider.
    snapped = [0.0 if abs(end) < 1e-7 * (high - low) else end for end in (low, high)]
    return snapped[0], snapped[1]


def _share(number: float, low: float, high: float) -> str:
    share = (number - low) / (high - low) if high > low else 0.0
    named = {0.0: "the lower end", 0.5: "the middle", 1.0: "the upper end"}
    # In float32 the ends are known to seven digits: a share to four.
    return named.get(round(share, 4) + 0.0, f"{share:.3f} of the way")


def show(number: Any) -> str:
    return (
        np.format_float_positional(float(number), unique=True, trim="-")
        if 1e-4 <= abs(float(number)) < 1e10
        else repr(float(number))
    )
