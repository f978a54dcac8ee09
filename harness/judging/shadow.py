"""What a link that is off explains of a number behind it: as much as it is off itself, carried there to first order.

The rest stands in its shadow, and is judged as if the engine had shown nothing: an entry of the ledger explains the
link that it names, and no number that is off by more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import nan

import numpy as np

from ..records.evaluation import Array
from ..records.rows import Row
from ..records.verdicts import FINDINGS, Verdict
from ..truth.sweeps import Key
from .chain import Chain
from .classify import place
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
    apart = {key: link.apart for key, link in chain.links.items() if link.apart is not None}
    return _nearer(numbers, asked, {**_of_results(chain, asked, apart), **apart}) if apart else numbers


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


def _nearer(numbers: Array, asked: Asked, apart: Mapping[Key, Array]) -> Array:
    truth, found = asked.truth.high, np.array(numbers)
    with np.errstate(all="ignore"):
        error = np.where(np.isfinite(numbers) & np.isfinite(truth), numbers - truth, 0.0)
        relative = np.abs(error) / np.where(truth == 0, 1.0, np.abs(truth))
    order, explained = np.argsort(-relative, axis=None, kind="stable"), True
    for flat in order[: min(SWEPT, int((error != 0).sum()))]:
        index = place(flat, numbers.shape)
        most = CARRIED * asked.sensitivity.carried(asked.name, index, asked.moved, apart)
        explained &= bool(abs(error[index]) <= most)
        found[index] -= np.clip(error[index], -most, most)
    if explained:  # those that are left are off by less
        rest = order[SWEPT:]
        found.flat[rest] -= error.flat[rest]
    return found


def unless_lossy(row: Row, chain: Chain, asked: Asked, engine: Array, judged: Callable[[Array], Row]) -> Row:
    """What the truth says of numbers; the row as it was, where all that is off there is what usual formulas lose at
    links, and no step has left the range."""
    found = judged(engine)
    if found.verdict != "out of range" or asked.sensitivity.too_large:
        return found
    if not any(link.verdict == "lossy" for link in chain.links.values()):
        return found
    return found if judged(unexplained(chain, asked, engine)).verdict in FINDINGS else row


def furthest(chain: Chain) -> float:
    """How far the links that are off are off at most, as a part of their numbers: of a contracted gradient, of which
    they have no rows of their own. NaN where some of them make no numbers at all."""
    off = [link for link in chain.links.values() if link.verdict in FINDINGS]
    if len({link.apart is None for link in off}) > 1:
        return nan
    return float(np.max([link.off for link in off]))
