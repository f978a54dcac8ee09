"""Case files changed at random, by bytes, words, lines and branches of the tree, and what the loader makes of them.

Each is a case or errors at places that exist, told in lines in which nothing is hidden. Anything else is kept as a
file: an exception of another kind, a limit of processor time or memory that was reached, a process that died.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROOT = Path(__file__).parent.parent
SOURCES = ("cases", "docs/verdicts")
LONGEST = 6_000  # bytes of a file that is changed: many small files find more than few large ones
SECONDS = 10.0  # of processor time for one file, then its process is killed
SLOW = 5.0  # what no file may take
MEMORY = 4 << 30  # bytes of addresses for the loader and all that it imports
WHERE = Path(tempfile.gettempdir()) / "gradaccord-fuzzed"  # what broke lies here
BATCH = 2_000  # files for one process

TOKEN = re.compile(rb"[^\W\d]\w*|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
# What people and attackers write, beside the words that the files have.
WORDS = tuple(
    word.encode()
    for word in [
        "0",
        "-1",
        "1e400",
        "-0.0",
        "9223372036854775808",
        "1e-320",
        "nan",
        "inf",
        ".inf",
        "null",
        "~",
        "true",
        "no",
        "0x10",
        "1_000",
        "²",
        "٣",
        "\u202e",
        "\ufeff",
        "\x00",
        "\x1b",
        "&",
        "*",
        "*a",
        "&a",
        "!!python/object",
        "!!binary",
        "!t",
        "<<:",
        "---",
        "...",
        "|",
        ">",
        "|2+",
        "?",
        ":",
        ",",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "#",
        "'",
        '"',
        "\\",
        "%",
        "@",
        "`",
        "**",
        "//",
        "==",
        "[::-1]",
        "[...]",
        "[None]",
        "x[0:0]",
        "lambda",
        "if",
        "else",
        "import",
        "__import__",
        "f.1",
        "a.b",
        "{shape:",
        "[2]}",
        "[]",
        "{}",
        "1e999999999",
        "99999999999999999999",
        "shape",
        "normal",
        "seed",
        "formula",
        "file",
        "values",
        "dtype",
        "constant",
        "einsum",
        '"ii->i"',
        "reshape",
        "take",
        "where",
        "astype",
        "logsumexp",
    ]
)


def corpus() -> list[bytes]:
    """The files that are changed: those that come with the project, the small ones."""
    found = sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.yaml"))
    texts = [path.read_bytes() for path in found]
    return [text for text in texts if len(text) <= LONGEST]


def by_bytes(text: bytes, draw: random.Random, other: bytes) -> bytes:
    changed = bytearray(text)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        at = draw.randrange(len(changed) + 1)
        match draw.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                changed[at:at] = bytes([draw.randrange(256)])
            case 2:
                del changed[at : at + draw.choice((1, 1, 2, 8, 64))]
            case 3:
                start = draw.randrange(len(other) + 1)
                changed[at:at] = other[start : start + draw.randrange(40)]
            case _:
                changed[at:at] = changed[at : at + draw.randrange(40)] * draw.choice((1, 2, 50))
    return bytes(changed)


def by_words(text: bytes, draw: random.Random, other: bytes) -> bytes:
    tokens = TOKEN.findall(text)
    others = TOKEN.findall(other)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at = draw.randrange(len(tokens) + 1)
        match draw.randrange(6):
            case 0:
                tokens[at : at + 1] = [draw.choice(others or [b""])]
            case 1:
                tokens[at : at + 1] = [draw.choice(WORDS)]
            case 2:
                tokens[at:at] = [draw.choice(WORDS)]
            case 3:
                del tokens[at : at + draw.choice((1, 2, 4))]
            case 4:
                tokens[at : at + 1] = [draw.choice(tokens or [b""])]
            case _:
                tokens[at : at + 2] = tokens[at : at + 2][::-1]
    return b"".join(tokens)


def by_lines(text: bytes, draw: random.Random, other: bytes) -> bytes:
    lines = text.split(b"\n")
    others = other.split(b"\n")
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(lines) + 1)
        match draw.randrange(6):
            case 0:
                del lines[at : at + 1]
            case 1:
                lines[at:at] = lines[at : at + 1] * draw.choice((1, 1, 30))
            case 2:
                lines[at:at] = [draw.choice(others)]
            case 3:
                lines[at : at + 1] = [b" " * draw.randrange(5) + line.lstrip() for line in lines[at : at + 1]]
            case 4:
                lines[at : at + 1] = [draw.choice(others)]
            case _:
                draw.shuffle(lines)
    return b"\n".join(lines)


def by_branches(text: bytes, draw: random.Random, other: bytes) -> bytes:
    """Parts of the tree changed for parts of another, written as flow style."""
    try:
        tree, graft = _tree(text), _tree(other)
    except (YAMLError, ValueError, RecursionError):
        return by_words(text, draw, other)
    for _ in range(draw.choice((1, 1, 2, 4))):
        spots = list(_spots(tree))
        if not spots:
            break
        holder, key = draw.choice(spots)
        grafts = [inside[where] for inside, where in _spots(graft)] or [None]
        match draw.randrange(6):
            case 0:
                holder[key] = json.loads(json.dumps(draw.choice(grafts), default=str))
            case 1:
                holder[key] = draw.choice(
                    (None, True, 0, -1, 1e308, "", [], {}, [[]], [1, [2]], "a + b", "1e400", 2**64)
                )
            case 2:
                holder[key] = [holder[key]] * draw.choice((1, 2, 40))
            case 3:
                holder[key] = {str(draw.choice(("a", "x", "shape", "values", "", " "))): holder[key]}
            case 4 if isinstance(holder, dict):
                holder[str(draw.choice([where for _, where in spots]))] = holder[key]
            case _:
                del holder[key]
    return json.dumps(tree, default=str, ensure_ascii=draw.random() < 0.5, indent=draw.choice((None, 1))).encode()


def _tree(text: bytes) -> Any:
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


def _spots(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree, as what holds it and its key there."""
    spots, rest = list[tuple[Any, Any]](), [tree]
    while rest:
        holder = rest.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        spots += [(holder, key) for key in keys]
        rest += [holder[key] for key in keys]
    return spots


CHANGES: Mapping[str, Callable[[bytes, random.Random, bytes], bytes]] = {
    "bytes": by_bytes,
    "words": by_words,
    "lines": by_lines,
    "branches": by_branches,
}


def changed(texts: Sequence[bytes], seed: int, number: int) -> tuple[str, bytes]:
    """The changed file of that number, and what kind of change it is."""
    draw = random.Random(f"{seed}/{number}")
    kind = draw.choice([*CHANGES])
    return kind, CHANGES[kind](draw.choice(texts), draw, draw.choice(texts))


def tried(path: Path) -> str:
    """What became of a file: `a case`, `errors`, or, where it broke its word, what is wrong: a warning too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return _tried(path)


def _tried(path: Path) -> str:
    from gradaccord.harness.graph.expand import expanded
    from gradaccord.harness.reading.case import CaseErrors, load
    from gradaccord.harness.telling.showing import case_text
    from gradaccord.harness.words import HIDDEN

    try:
        case = load(path)
        for point in range(len(case.points)):
            for dtype in case.dtypes:
                case.inputs(point, dtype)
        if case.call is None and len(case.graph.operations) < 200:
            case_text(case)
            for stable in (False, True):
                expanded(case.graph, stable=stable)
    except CaseErrors as told:
        lines = path.read_bytes().count(b"\n") + path.read_bytes().count(b"\r") + 2
        for error in told.errors:
            if not (0 < error.line <= lines and error.column > 0):
                return f"a place that does not exist: {error.line}:{error.column}"
            if HIDDEN.search(str(error).replace("\n", "")):
                return f"control characters in an error: {str(error)!r}"
        return "errors" if told.errors else "no error told"
    except Exception:  # noqa: BLE001 that is what is looked for
        return traceback.format_exc()
    return "a case"


def fuzzed(files: int, seed: int, keep: Path) -> tuple[Counter[tuple[str, str]], list[str], float, int]:
    """(kind of change, what became of it) counted; what broke, a line each; the longest time in seconds of processor
    time; the most memory of a process in bytes. What broke lies in the folder `keep`."""
    counts: Counter[tuple[str, str]] = Counter()
    broken: list[str] = []
    longest, memory, number = 0.0, 0, 0
    while number < files:
        until = min(number + BATCH, files)
        with tempfile.TemporaryDirectory() as folder:
            notes = Path(folder) / "notes"
            child = os.fork()
            if not child:
                _batch(Path(folder), notes, seed, number, until)
            _, status, usage = os.wait4(child, 0)
            memory = max(memory, usage.ru_maxrss * 1024)
            for line in notes.read_text(encoding="utf-8").splitlines():
                number, kind, became, seconds = json.loads(line)
                number += 1
                longest = max(longest, seconds)
                if seconds > SLOW and became in ("a case", "errors"):
                    became = f"slow: {seconds:.1f} s"
                good = became in ("a case", "errors")
                counts[kind, became if good else "broken"] += 1
                if not good:
                    broken.append(_kept(keep, seed, number - 1, became))
            if number < until:  # the file after the last that was noted is the one that its process died of
                kind, _ = changed(corpus(), seed, number)
                counts[kind, "broken"] += 1
                code = os.waitstatus_to_exitcode(status)
                died = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
                broken.append(_kept(keep, seed, number, died))
                number += 1
        print(
            f"{number:,} files, {len(broken)} broken, {longest:.1f} s, {memory >> 20} MiB", file=sys.stderr, flush=True
        )
    return counts, broken, longest, memory


def _kept(keep: Path, seed: int, number: int, became: str) -> str:
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{seed}-{number}.yaml"
    path.write_bytes(changed(corpus(), seed, number)[1])
    path.with_suffix(".txt").write_text(became, encoding="utf-8")
    return f"{path}: {became.strip().splitlines()[-1]}"


def _batch(folder: Path, notes: Path, seed: int, start: int, until: int) -> None:
    """In a process of its own, which ends here: each file, and a line of what became of it."""
    status = 1
    with suppress(BaseException):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        texts, path = corpus(), folder / "case.yaml"
        with notes.open("w", encoding="utf-8") as out:
            for number in range(start, until):
                kind, text = changed(texts, seed, number)
                path.write_bytes(text)
                signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its default action ends the process, in C code too
                begin = process_time()
                became = tried(path)
                seconds = process_time() - begin
                signal.setitimer(signal.ITIMER_PROF, 0)
                out.write(json.dumps([number, kind, became, round(seconds, 3)]) + "\n")
                out.flush()
        status = 0
    os._exit(status)
