"""Public models by name, heard and judged: `python models` keeps docs/models.md.

    python models                       every family that is installed, but what is on record
    python models torch timm/test_vit   of these what is not on record
    python models jax --again           the families on JAX once more
    python models --page                the page from the records, nothing is heard

A model runs in a process of its own, with random weights and small inputs. Its record is written as it comes, so that a
run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import families
from page import page
from record import Record, line, read, write

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from machine import machine

ROOT = Path(__file__).parent.parent
RECORDS = Path(__file__).parent / "records.jsonl"
SLOWER = 20  # times as long a process may take by the clock: others use the processor too
PAGE = ROOT / "docs" / "models.md"


def main(words: Sequence[str]) -> int:
    os.environ["OMP_NUM_THREADS"] = "1"  # of torch, before it is loaded: a process that is forked has no other threads
    parser = argparse.ArgumentParser(prog="python models", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help="torch, jax, a family, or family/model")
    parser.add_argument("--again", action="store_true", help="also what is on record")
    parser.add_argument("--refused", action="store_true", help="of what is on record, also what was not heard")
    parser.add_argument("--page", action="store_true", help="write the page from the records, hear nothing")
    parser.add_argument(
        "--timeout", type=float, default=180, help="seconds of the processor that a model may take; 180 by default"
    )
    parser.add_argument("--records", type=Path, default=RECORDS, help="the file of records")
    options = parser.parse_args(words)
    kept = read(options.records)
    if not options.page:
        missed = set(options.names)
        with options.records.open("a", encoding="utf-8") as file:
            for name in families.NAMES:
                for record in _family(name, options, kept, missed):
                    kept[record.name, record.dtype] = record
                    file.write(line(record) + "\n")
                    file.flush()
                    print(f"{record.name} {record.dtype}: {record.outcome} {record.reason}", flush=True)
        if missed:
            parser.error(
                f"no model, family or framework {', '.join(sorted(missed))}; families: {', '.join(families.NAMES)}"
            )
        write(options.records, kept.values())
    if options.records == RECORDS:
        where = machine(
            "torch", "timm", "torchvision", "transformers", "torchdiffeq", "jax", "flax", "equinox", "optax", "diffrax"
        )
        PAGE.write_text(page(list(kept.values()), where), encoding="utf-8")
    return 0


def _family(
    name: str, options: argparse.Namespace, kept: dict[tuple[str, str], Record], missed: set[str]
) -> Iterator[Record]:
    if options.names and not {"torch", "jax", name} & {word.partition("/")[0] for word in options.names}:
        return
    try:
        framework, models = families.family(name)
    except ModuleNotFoundError as error:
        print(f"{name}: {error.name} is not installed", file=sys.stderr)
        missed -= {word for word in missed if word.partition("/")[0] == name}
        return
    for model, dtype in families.precisions(models):
        full = f"{name}/{model}"
        asked = {framework, name, full} & set(options.names)
        missed -= asked
        old = kept.get((full, dtype))
        if (options.names and not asked) or (
            old is not None and not options.again and not (options.refused and old.outcome != "heard")
        ):
            continue
        yield apart(full, models[model], dtype, options.timeout)


def apart(name: str, model: families.Model, dtype: str, timeout: float) -> Record:
    """A model heard in a process of its own, which begins with what is imported here.

    A fork does not pay for imports again. No thread may run before it: JAX is only imported, and torch has one.
    """
    import hear

    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        _inside(into, lambda: hear.hear(name, model, dtype, timeout))
    os.close(into)
    text, late = _listened(out, time.monotonic() + timeout * SLOWER)
    if late:
        os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    if text.endswith("\n"):
        return next(iter(_parsed(text)))
    if late:
        return Record(name, dtype, "out of time", reason=f"more than {timeout:g} s")
    return Record(name, dtype, "killed", reason=f"ended by signal {os.waitstatus_to_exitcode(status)}")


def _inside(into: int, work: Callable[[], Record]) -> None:
    """The child: a record to the pipe, and no way back into the parent's code."""
    try:
        with os.fdopen(into, "w", encoding="utf-8") as file:
            file.write(line(work()) + "\n")
    except BaseException:  # noqa: BLE001 told here, for nobody waits for it
        traceback.print_exc()
    finally:
        os._exit(0)


def _listened(out: int, deadline: float) -> tuple[str, bool]:
    """What the child said, and whether it was still at it."""
    import select

    parts: list[bytes] = []
    with os.fdopen(out, "rb", buffering=0) as file:
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([file], [], [], left)[0]:
                continue
            if not (part := file.read(65536)):
                return b"".join(parts).decode(), False
            parts.append(part)
    return b"".join(parts).decode(), True


def _parsed(text: str) -> Iterator[Record]:
    import json

    for part in text.splitlines():
        yield Record(**json.loads(part))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
