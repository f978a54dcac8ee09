"""A run that was heard -> rows, in the words of whoever wrote the function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..hearing.heard import Heard
from ..records.known import NOTHING, Knowledge
from ..records.rows import LinkName, Row, component
from ..records.verdicts import Verdict
from . import certificate
from .begins import begins
from .chain import Chain
from .classify import place as worst
from .subject import Subject


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows on values and gradients, and on links that are off; `links` counts the verdicts of all of them. `certified`:
    they prove the run."""

    rows: tuple[Row, ...]
    links: Mapping[Verdict, int]
    certified: bool


def judged_run(
    heard: Heard,
    case: str,
    engine: str,
    *,
    point: int = 0,
    output: str = "",
    knowledge: Knowledge = NOTHING,
    truth: bool = False,
) -> Judged:
    """The verdicts on a run of a framework's function. Inputs have the user's own names, the result the name `output`
    where one is given; each row says where in the user's code its link stands. With `truth` the truth of the whole is
    computed also where links alone prove it."""
    subject = Subject(case, point, heard.dtype, heard.graph, heard.inputs, heard.cotangent)
    chain = Chain(subject, heard.evaluation, knowledge=knowledge)
    chain.judge()
    names = dict(heard.names) | ({heard.graph.output.name: output} if output else {})
    proved = certificate.proved(chain)
    rows = certificate.rows(chain, engine, truth=truth, known=proved)
    return Judged(
        tuple(_in_their_words(row, heard, names) for row in rows),
        dict(Counter(link.verdict for link in chain.links.values())),
        certificate.certified(chain, proved),
    )


def _in_their_words(row: Row, heard: Heard, names: Mapping[str, str]) -> Row:
    theirs, node = names.get(row.name, row.name), row.node
    if isinstance(node, LinkName) and node.name in names:
        node = node._replace(name=names[node.name])
    reason = row.reason.replace(f"`{row.name}`", f"`{theirs}`") if theirs != row.name else row.reason
    if row.verdict == "undefined" and (lost := _no_numbers(heard)):
        reason = f"{lost}, so nothing that follows from it has a truth; {reason}"
    place, began = str(heard.place_of(row)), begins(row.node, heard.graph)
    return replace(row, name=theirs, node=node, reason=reason, place=place, begins=began)


def _no_numbers(heard: Heard) -> str:
    """The first input that is not finite, in words; empty where all are."""
    for node in heard.graph.inputs:
        numbers = heard.inputs[node.name]
        if node.kind == "float" and not (finite := np.isfinite(numbers.astype(np.float64))).all():
            index = worst(np.argmin(finite), finite.shape)
            return f"the input `{heard.names.get(node.name, node.name)}` is {numbers[index]}{component(index)}"
    return ""
