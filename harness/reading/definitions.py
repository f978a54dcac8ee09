"""The definitions of a case file: texts of its own, and the frameworks' functions that run in place of them.

Every mistake is noted at its place.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping

from ..graph.define import argument_names, signature_of
from ..graph.define import define as graph_define
from ..graph.language.expression import ExpressionError
from ..graph.language.mistakes import body_mistakes
from ..graph.native import NAMESPACES, native
from ..graph.node import GraphError
from ..graph.operations import OPERATIONS
from ..graph.operations.operation import Operation
from ..words import nearest
from .inputs import offset_of
from .yaml_text import WORD, Scalar, Source, shortened

Statements = Mapping[str, tuple[Scalar, "tuple[Scalar, Scalar] | None"]]  # name -> (key, (place, text))
# definition -> (key, framework -> (key, (place, text)))
Natives = Mapping[str, tuple[Scalar, "Statements | None"]]


def expression_error(source: Source, name: str, place: Scalar, text: str, error: ExpressionError) -> None:
    """Note an error at its place inside an expression."""
    statement = f"`{shortened(f'{name}: {text}')}`"
    if error.found == f"`{shortened(text)}`":
        problem = statement
    else:
        problem = error.found if f"`{name}: " in error.found else f"{error.found} in {statement}"
    remedy = error.remedy
    if "is never closed" in problem and not place.style:
        remedy = "inside { } YAML splits at commas: quote the expression, or write one statement a line"
    source.error(place, problem, error.expected, remedy, offset_of(text, error))


def plain(source: Source, name: str, place: Scalar) -> str | None:
    """The text of an expression on one line; None where it has a comment inside."""
    text = place.text
    for character in "#\\":
        if character in text:
            remedy = "put a comment after the expression, ` # like this`" if character == "#" else "remove it"
            statement = f"`{shortened(f'{name}: {text}')}`"
            offset = text.strip().index(character)
            source.error(place, f"`{character}` in {statement}", "an expression on its own", remedy, offset)
            return None
    return re.sub(r"[\n\t]", " ", text)


def definitions(
    source: Source, define: Statements, natives: Natives, used: Iterable[str]
) -> dict[str, Operation | None]:
    """The composites of the file; None for one that failed. Each may call those above it."""
    composites: dict[str, Operation | None] = {}
    for signature, (key, value) in define.items():
        try:
            name = signature_of(signature)[0]
        except GraphError as error:
            remedy = error.remedy or "quote a key that has a comma inside { }"
            source.error(key, error.found, error.expected, remedy)
            continue
        if name in composites or name in OPERATIONS or name == "size":
            source.error(
                key,
                f"`{name}` is defined {'twice' if name in composites else 'already: it is an operation'}",
                "another name",
            )
        elif keyword.iskeyword(name):
            source.error(key, f"`{shortened(signature)}`", "names that differ and are no words of expressions")
        elif name not in used:
            source.error(key, f"`{name}` is never called", "a composite that the graph uses", "remove it")
        else:
            text = None if value is None else plain(source, name, value[1])
            if text is not None and value is not None:
                composites[name] = _definition(source, signature, value[1], text, natives, composites)
        composites.setdefault(name, None)
    for name, (key, _) in natives.items():
        if name not in composites and name not in source.lost:
            found = f"`{name}` is no definition of this file"
            source.error(key, found, "one that `define` gives a meaning", nearest(name, composites))
    return composites


def _definition(
    source: Source,
    signature: str,
    place: Scalar,
    text: str,
    natives: Natives,
    known: Mapping[str, Operation | None],
) -> Operation | None:
    """A definition that may call those that are known; None where something is wrong with its text or with a
    function that is named."""
    name, arguments, _ = signature_of(signature)
    wrong = list(body_mistakes(text, argument_names(arguments), known))
    for error in wrong:
        expression_error(source, name, place, text, error)
    functions = _natives(source, natives.get(name), argument_names(arguments))
    if wrong or functions is None or any(called_failed(text, known)):
        return None
    within = tuple(operation for operation in known.values() if operation is not None)
    return graph_define(signature, text, within=within, native=functions)


def _natives(
    source: Source, given: tuple[Scalar, Statements | None] | None, arguments: tuple[str, ...]
) -> tuple[tuple[str, str], ...] | None:
    """The frameworks' functions for a definition of these arguments; None where something is wrong."""
    if given is None:
        return ()
    errors, functions = len(source.errors), list[tuple[str, str]]()
    for framework, (key, value) in (given[1] or {}).items():
        if framework not in NAMESPACES:
            known = f"one of: {', '.join(NAMESPACES)}"
            source.error(key, f"functions of `{shortened(framework)}`", known, nearest(framework, NAMESPACES))
        elif value is not None:
            place, text = value[1], re.sub(r"\s+", " ", value[1].text.strip())
            try:
                native(framework, text, arguments)
                functions.append((framework, text))
            except ExpressionError as error:
                source.error(place, error.found, error.expected, error.remedy, offset_of(text, error))
    wrong = given[1] is None or None in (value for _, value in given[1].values()) or len(source.errors) > errors
    return None if wrong else tuple(functions)


def called_failed(text: str, known: Mapping[str, Operation | None]) -> Iterator[str]:
    """The composites that failed and that a text mentions."""
    return (word for word in WORD.findall(text) if word in known and known[word] is None)
