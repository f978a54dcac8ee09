"""A run that was heard -> rows, in the words of whoever wrote the function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..hearing.heard import Heard
from ..records.known import NOTHING, Knowledge
from ..records.rows import LinkName, Row
from ..records.verdicts import Verdict
from . import certificate
from .begins import begins
from .chain import Chain
from .subject import Subject


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows on values and gradients, and on links that are off; `links` counts the verdicts of all of them."""

    rows: tuple[Row, ...]
    links: Mapping[Verdict, int]


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
    rows = certificate.rows(chain, engine, truth=truth)
    return Judged(
        tuple(_in_their_words(row, heard, names) for row in rows),
        dict(Counter(link.verdict for link in chain.links.values())),
    )


def _in_their_words(row: Row, heard: Heard, names: Mapping[str, str]) -> Row:
    theirs, node = names.get(row.name, row.name), row.node
    if isinstance(node, LinkName) and node.name in names:
        node = node._replace(name=names[node.name])
    reason = row.reason.replace(f"`{row.name}`", f"`{theirs}`") if theirs != row.name else row.reason
    place, began = str(heard.place_of(row)), begins(row.node, heard.graph)
    return replace(row, name=theirs, node=node, reason=reason, place=place, begins=began)
