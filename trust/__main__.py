"""The judge is judged: `python trust` measures how far it can be trusted and keeps the tables in docs/trust.md.

    python trust                              every section
    python trust planted fakes                these alone; the others stay as they are on the page
    python trust alarms --points 20000 --graphs 200 --seed 1
    python trust ports llama gru              these pairs alone; the page stays as it is

Exit status 1 where a fault got past the judge, or a finding is a false alarm.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import port_tables
import tables
from ported import NAMES

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))  # behind: both folders have a networks.py

from machine import machine

KEPT = Path(__file__).parent.parent / "docs" / "trust.md"
SECTIONS: Mapping[str, tuple[str, Callable[[argparse.Namespace], tables.Section]]] = {
    "planted": ("Planted faults", tables.planted),
    "fakes": ("Fake engines", tables.fakes),
    "liars": ("Liars where it is hard to tell", tables.liars),
    "second": ("The reference of second order", tables.second),
    "alarms": ("False alarms on random graphs", tables.alarms),
    "shipped": ("False alarms on the shipped cases", tables.shipped),
    "steps": ("Steps settled without balls", tables.steps),
    "rivals": ("Sensitivity of checks, side by side", tables.rivals),
    "closed": ("The reference against closed forms", tables.closed),
    "known": ("Known defects", tables.known),
    "fuzzed": ("Case files changed at random", tables.fuzzed),
    "ports": ("Ports compared", port_tables.ports),
    "mutations": ("Ports mutated", port_tables.mutations),
}
PAIRED = {"ports", "mutations"}  # of these, some pairs alone may be asked for
PREFACE = """# Trust

How far the judge can be trusted: it is judged itself. Kept by `tox run -e trust` (or `python trust`), which overwrites
this page section by section.
"""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python trust", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; and of ports, pairs")
    parser.add_argument("--mutations", type=int, default=1000, help="how many that move the output, over all pairs")
    parser.add_argument(
        "--points",
        type=int,
        help="random points; by default 20,000 for alarms, 10,000 for steps, 5,000 for second",
    )
    parser.add_argument("--graphs", type=int, default=200, help="random graphs that they are spread over")
    parser.add_argument("--files", type=int, help="case files changed at random; 20,000 by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes that faults are planted in")
    parser.add_argument("--shrink", action="store_true", help="shrink what nothing explains, minutes for each kind")
    options = parser.parse_args(words)
    options.names = [word for word in options.sections if word in NAMES]
    options.sections = [word for word in options.sections if word not in NAMES]
    if unknown := [name for name in options.sections if name not in SECTIONS]:
        parser.error(
            f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}, and the pairs {', '.join(NAMES)}"
        )
    if options.names and not (options.sections and set(options.sections) <= PAIRED):
        parser.error(f"pairs go with the sections {' and '.join(sorted(PAIRED))}")
    sound, where = True, machine("numpy", "python-flint", "torch", "jax", "hypothesis")
    for name in options.sections or SECTIONS:
        title, measure = SECTIONS[name]
        section = measure(options)
        text = f"## {title}\n\n`python trust {name}{section.options}`: {where}\n\n{section.text.strip()}\n"
        print(text, flush=True)
        if not options.names:
            kept = {**dict(_kept()), title: text}
            parts = [kept[title] for title, _ in SECTIONS.values() if title in kept]
            KEPT.write_text("\n".join([PREFACE, *parts]), encoding="utf-8")
        sound &= section.sound
    return 0 if sound else 1


def _kept() -> Iterator[tuple[str, str]]:
    """The sections of the page as it is, by title."""
    if KEPT.exists():
        for text in KEPT.read_text(encoding="utf-8").split("\n## ")[1:]:
            yield text.partition("\n")[0], f"## {text.strip()}\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
