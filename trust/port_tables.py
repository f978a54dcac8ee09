"""What the sections on `compare` say: ports by hand, and mutations by machine."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from time import process_time
from typing import TYPE_CHECKING

from tables import Section, table

if TYPE_CHECKING:
    from mutated import Outcome
    from scored import Score

SHARES = {"pinned": 0.95, "reasoned": 0.90}  # of the mistakes: below these the section is not sound
PINNED = 0.90  # of the mutations


def ports(options: Namespace) -> Section:
    from ported import NAMES
    from scored import scores

    start = process_time()
    found = {name: list(scores(name)) for name in options.names or NAMES}
    seconds = process_time() - start
    every = [score for run in found.values() for score in run]
    mistakes, variants = [one for one in every if one.planted], [one for one in every if not one.planted]
    misses = [score for score in every if score.missed]
    rows = [[name, *_counted(run)] for name, run in found.items()]
    text = f"""Originals and ports as people write them (`trust/ports/`, a folder a pair), {len(found)} pairs. A variant
is a patch of the port that computes the same: {len(variants)}, the ports as they are among them. A mistake is a patch
that does not, most of one line: {len(mistakes)}. Which is which is settled by running both programs in their
frameworks, values and gradients, without the tool. *Pinned*: the first divergence names an acceptable line of either
side; *both*: of each side. *Reason*: its words match what is so. `compare` gets the modules, the inputs and the port's
own `convert`. {seconds:.0f} s of a processor, {seconds / max(1, len(every)):.1f} s a comparison.

{table(("pair", *HEADS), [*rows, ["**all**", *_counted(every)]])}
Every miss:

{table(("pair", "change of the port", "what is off", "what was said"), [_missed(score) for score in misses])}
"""
    shares = {name: sum(getattr(one, name) for one in mistakes) / max(1, len(mistakes)) for name in SHARES}
    sound = all(one.right for one in every) and all(shares[name] >= share for name, share in SHARES.items())
    return Section(text, sound)


HEADS = ("variants", "called the same", "mistakes", "found", "pinned", "both", "reason", "refused")


def _counted(run: Sequence[Score]) -> list[str]:
    mistakes, variants = [one for one in run if one.planted], [one for one in run if not one.planted]
    counts = (
        len(variants),
        sum(one.right for one in variants),
        len(mistakes),
        *(sum(getattr(one, name) for one in mistakes) for name in ("right", "pinned", "both", "reasoned")),
        sum(one.result == "refused" for one in run),
    )
    return [str(count) for count in counts]


def _missed(score: Score) -> list[str]:
    if not score.right:
        off = {"same": "called the same", "different": "called different", "refused": "refused"}[score.result]
    else:
        off = ", ".join(
            word for word, right in (("not pinned", score.pinned), ("no right reason", score.reasoned)) if not right
        )
    return [score.pair, score.change.name, off, score.said]


def mutations(options: Namespace) -> Section:
    from mutated import outcomes
    from ported import NAMES

    names, start = options.names or NAMES, process_time()
    each = -(-options.mutations // len(NAMES))
    found = [outcome for name in names for outcome in outcomes(name, each, options.seed)]
    seconds = process_time() - start
    moved = [outcome for outcome in found if outcome.result != "no effect"]
    kinds = sorted({outcome.mutation.kind for outcome in found})
    rows = [[kind, *_tallied([one for one in found if one.mutation.kind == kind])] for kind in kinds]
    pinned = sum(outcome.result == "pinned" for outcome in moved)
    missed = [outcome for outcome in moved if outcome.result == "missed"]
    apart = [outcome for outcome in moved if outcome.result in ("elsewhere", "missed")]
    text = f"""Steps of the heard ports changed by a machine in ways that no table of reasons knows: an operand, a
constant or the operation exchanged, operands swapped, the result times 1.001. {len(found):,} mutations, of which
{len(moved):,} move the output by more than 1e-8 of it. *Pinned*: the mutated node is the first divergent one. *Beside*:
one that reads it, or that it reads. *Missed*: called the same. {seconds:.0f} s of a processor,
{seconds / max(1, len(moved)):.2f} s each.

{table(("mutation", "all", *RESULTS), [*rows, ["**all**", *_tallied(found)]])}
Elsewhere and missed:

{table(("pair", "node", "mutation", "what was said"), [_apart(one) for one in apart])}
"""
    sound = not missed and pinned >= PINNED * len(moved)
    return Section(text, sound, f" --mutations {options.mutations} --seed {options.seed}")


RESULTS = ("pinned", "beside", "elsewhere", "missed", "no effect")


def _tallied(run: Sequence[Outcome]) -> list[str]:
    seen = Counter(outcome.result for outcome in run)
    return [f"{len(run):,}", *(f"{seen[result]:,}" for result in RESULTS)]


def _apart(outcome: Outcome) -> list[str]:
    mutation = outcome.mutation
    return [outcome.pair, f"`{mutation.node}`", mutation.text, outcome.said or "called the same"]
