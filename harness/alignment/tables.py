"""Masks, indices and tables of constants: another one, or one that is shifted, reversed, inverted, of other sign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, permutations

import numpy as np

from ..graph.node import Constant, Node
from ..records.evaluation import Array
from . import wording
from .matching import laid_out
from .proposals import Proposal, Question, distinct, everywhere, needed
from .side import Change, Side, number

LEAST = -1e4  # what a mask adds where nothing is to be seen, and beyond
TOGETHER = 4  # tables at most that are replaced at once


def other_tables(q: Question) -> Iterator[Proposal]:
    """A mask, an index or a constant array of this step is another one."""
    for node in q.targets:
        for k, arg in enumerate(node.args):
            if not isinstance(arg, str) or arg in q.here.live:
                continue
            mine = q.here.numbers[arg]
            for name, values in _tables(q, node, mine):

                def make(n: Node, k: int = k, values: Array = values) -> Change | None:
                    if not isinstance(n.args[k], str) or q.here.numbers[str(n.args[k])].shape != values.shape:
                        return None
                    return lambda known: q.here.step(n, {**needed(n, known), str(n.args[k]): values})

                there = next((user for user in q.there.users.get(name, ()) if user in set(q.others)), name)
                yield from everywhere(q, node, make, _table_words(q, node, arg, mine, values), there)


def _table_words(q: Question, node: Node, arg: str, mine: Array, values: Array) -> str:
    if mine.dtype.kind == "f" and mine.size and np.all(mine == mine.flat[0]) and np.all(values == values.flat[0]):
        theirs, ours = wording.shown(float(values.flat[0])), wording.shown(float(mine.flat[0]))
        return f"the constant is {theirs} at {{there}} and {ours} at {{here}}"
    said = wording.tables(mine, values)
    if mine.dtype.kind == "b":
        return f"{said} at {{there}} beside {{here}}"
    if mine.dtype.kind in "iu":
        kind = "the position" if "off by" in said else "the index"
        return f"{kind} is another at {{there}} than at {{here}}: {said}"
    return f"another table at {{there}} than `{q.here.label(arg)}` at {{here}}: {said}"


def _tables(q: Question, node: Node, mine: Array) -> Iterator[tuple[str, Array]]:
    """Constant arrays of the other side that may stand in place of one, those of partners first."""
    near = [arg for other in q.partners[node.name] for arg in other.args if isinstance(arg, str)]
    far = [arg for name in q.others for arg in q.there.graph[name].args if isinstance(arg, str)]
    for name in distinct([*near, *far]):
        theirs = q.there.numbers[name]
        if name in q.there.live:
            continue
        if {theirs.dtype.kind, mine.dtype.kind} <= set("biu") and theirs.dtype.kind != mine.dtype.kind:
            yield from ((name, picked) for picked in _picking(theirs, mine))
        if theirs.dtype.kind != mine.dtype.kind:
            continue
        if theirs.size == 1 != mine.size:
            continue
        shaped = laid_out(theirs, mine.shape) or _broadcast(theirs, mine)
        for laid in shaped:
            if not np.array_equal(laid, mine, equal_nan=mine.dtype.kind == "f"):
                yield name, laid
            if mine.dtype.kind == "b" and not np.array_equal(~laid, mine):
                yield name, ~laid


def _picking(theirs: Array, mine: Array) -> Iterator[Array]:
    """Indices as a mask that is one at each, or such a mask as indices."""
    if mine.dtype.kind == "b" and mine.ndim and theirs.size * mine.shape[-1] == mine.size:
        count = mine.shape[-1]
        picked = np.asarray(theirs.ravel()[:, None], np.int64)
        flat = picked - count * np.arange(len(picked))[:, None]  # into all elements
        chosen = flat if bool(np.all((flat >= 0) & (flat < count))) else picked
        labels: Array = np.arange(int(count))
        yield np.equal(chosen, labels).reshape(mine.shape)
    elif theirs.dtype.kind == "b" and theirs.ndim and mine.size * theirs.shape[-1] == theirs.size:
        yield theirs.argmax(-1).reshape(mine.shape).astype(mine.dtype)


def _broadcast(theirs: Array, mine: Array) -> list[Array]:
    try:
        return [np.broadcast_to(theirs, mine.shape)]
    except ValueError:
        slim = theirs.squeeze()
        try:
            return [np.broadcast_to(slim, mine.shape)]
        except ValueError:
            return []


def altered_tables(q: Question) -> Iterator[Proposal]:
    """The same table in another order, off by one, inverted, or of another sign."""
    for group in _groups(q, q.targets):
        for name, copies in group.items():
            mine = q.here.numbers[name]
            for values in chain(_altered(mine), _filled(q, mine)):
                changes: dict[str, Change] = {one: lambda known, y=values: y for one in copies}
                reader = next(node for node in q.targets if name in map(q.here.source, _names(node)))
                yield Proposal(changes, _table_words(q, reader, name, mine, values), reader.name, q.first_there)


def other_fill(q: Question) -> Iterator[Proposal]:
    """A mask that is added here fills in a number there."""
    for node in q.targets:
        for k, arg in enumerate(node.args if node.op == "add" else ()):
            if not isinstance(arg, str) or arg in q.here.live or not (hidden := q.here.numbers[arg] <= LEAST).any():
                continue
            for given in _negative(q):

                def change(
                    known: Mapping[str, Array],
                    node: Node = node,
                    k: int = k,
                    hidden: Array = hidden,
                    given: float = given,
                ) -> Array:
                    return np.where(hidden, given, number(node.args[1 - k], known))

                least = wording.shown(float(q.here.numbers[arg].min()))
                reason = f"the mask fills in {wording.shown(given)} at {{there}}, and {{here}} adds one of {least}"
                yield Proposal({node.name: change}, reason, node.name, q.first_there)


def _negative(q: Question) -> list[float]:
    found = (arg for name in q.others for arg in q.there.graph[name].args if isinstance(arg, Constant))
    return distinct(float(arg.exact) for arg in found if arg.exact is not None and arg.exact < 0)


def tables_together(q: Question) -> Iterator[Proposal]:
    """All tables that a number is combined with are others: sines and cosines of other angles or positions."""
    for group in _groups(q, q.targets):
        names = [name for name in group if q.here.numbers[name].dtype.kind == "f"]
        theirs = _distinct_tables(q)
        if not 1 <= len(names) <= TOGETHER or not len(names) <= len(theirs) <= TOGETHER:
            continue
        for order in permutations(theirs, len(names)):
            pairs = list(zip(names, order, strict=True))
            for way in range(5):
                made = {name: _shaped(q.there.numbers[one], q.here.numbers[name].shape, way) for name, one in pairs}
                if any(y is None for y in made.values()):
                    continue
                changes: dict[str, Change] = {
                    copy: lambda known, y=y: y for name, y in made.items() if y is not None for copy in group[name]
                }
                same = all(np.array_equal(y, q.here.numbers[name]) for name, y in made.items() if y is not None)
                if not same:
                    reader = next(
                        node for node in q.targets if not set(names).isdisjoint(map(q.here.source, _names(node)))
                    )
                    there = next((user for user in q.there.users.get(order[0], ())), q.first_there)
                    yield Proposal(changes, _together(q, pairs), reader.name, there)


def _names(node: Node) -> list[str]:
    return [arg for arg in node.args if isinstance(arg, str)]


def _groups(q: Question, nodes: Sequence[Node]) -> Iterator[dict[str, list[str]]]:
    """The tables that are read together with one number, then all; of each the nodes that hold it there."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        roots = [q.here.root(arg) for arg in _names(node) if arg in q.here.live]
        for arg in map(q.here.source, _names(node)):
            x = q.here.numbers[arg]
            if (
                arg not in q.here.live
                and x.size > 1
                and (x.dtype.kind == "b" or np.ptp(x) != 0 or not np.isfinite(x).all())
            ):
                found.setdefault(roots[0] if roots else "", []).append(arg)
    groups = [_alike(q.here, names) for names in found.values()]
    yield from groups
    if len(groups) > 1:
        yield _alike(q.here, [name for names in found.values() for name in names])


def _alike(side: Side, names: Sequence[str]) -> dict[str, list[str]]:
    """Tables by the first that is the same one."""
    kept: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        x = side.numbers[name]
        like = next(
            (one for one in kept if side.numbers[one].shape == x.shape and np.array_equal(side.numbers[one], x)), name
        )
        kept.setdefault(like, []).append(name)
    return kept


def _altered(x: Array) -> Iterator[Array]:
    if x.dtype.kind == "b":
        yield ~x
    elif x.dtype.kind == "f" and np.isfinite(x).all():
        yield -x
        yield 1 - x
    elif x.dtype.kind in "iu":
        yield x + 1
        yield x - 1
        if x.ndim == 1 and np.array_equal(np.sort(x), np.arange(x.size)):
            yield np.argsort(x).astype(x.dtype)
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            yield np.flip(x, axis)
            yield np.roll(x, 1, axis)
            yield np.roll(x, -1, axis)
    if x.ndim > 1 and x.shape[-1] == x.shape[-2]:
        yield np.swapaxes(x, -1, -2)


def _filled(q: Question, x: Array) -> Iterator[Array]:
    """A mask that is added, with another number where nothing is to be seen."""
    hidden = (x <= LEAST) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
    if hidden.any():
        yield from (np.where(hidden, given, x) for given in _negative(q))


def _distinct_tables(q: Question) -> list[str]:
    """The tables of floats that what is to blame reads on the other side, each once."""
    found = [
        q.there.source(arg)
        for name in q.others
        for arg in _names(q.there.graph[name])
        if arg not in q.there.live and q.there.numbers[arg].dtype.kind == "f" and np.ptp(q.there.numbers[arg]) > 0
    ]
    return list(_alike(q.there, found))


def _shaped(x: Array, shape: tuple[int, ...], way: int) -> Array | None:
    """A table in another shape: as it is, said twice, each number twice, every second one, the first half."""
    if not shape or not x.ndim:
        return None
    try:
        made = (x, np.concatenate([x, x], -1), np.repeat(x, 2, -1), x[..., ::2], x[..., : x.shape[-1] // 2])[way]
        slim = made.squeeze()
        return slim.reshape(shape) if slim.size == int(np.prod(shape)) else np.broadcast_to(slim, shape)
    except ValueError:
        return None


def _together(q: Question, pairs: Sequence[tuple[str, str]]) -> str:
    mine, theirs = (
        _frequencies(side, names) for side, names in ((q.here, [a for a, _ in pairs]), (q.there, [b for _, b in pairs]))
    )
    if mine and theirs and mine != theirs:
        return (
            f"another table of positions: its frequencies are {theirs} at {{there}} and {mine} at {{here}} "
            "(their base or exponent is another)"
        )
    mask = _shaped(q.there.numbers[pairs[0][1]], q.here.numbers[pairs[0][0]].shape, 0)
    if mask is not None:
        return _table_words(q, q.targets[0], pairs[0][0], q.here.numbers[pairs[0][0]], mask)
    return "other tables (of constants, such as positions) at {there} than at {here}"


def _frequencies(side: Side, names: Sequence[str]) -> str:
    """The angles of position 1, where tables are sines and cosines of angles that grow with the position."""
    for name in names:
        x = side.numbers[name].squeeze()
        if x.ndim == 2 and len(x) > 1 and np.allclose(x[0], 1) and (np.abs(x) <= 1).all():
            return ", ".join(wording.rough(float(one)) for one in dict.fromkeys(np.arccos(x[1]).round(12)))
    return ""
