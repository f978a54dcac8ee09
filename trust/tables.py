"""What each section of docs/trust.md says: runs it, counts, and lays out Markdown."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planted import Outcome


# Verdicts that are no finding; the first line says that a number is right, or that nobody can say more.
CLAIMS = ("agree", "lossy", "convention", "undefined")
PASSING = (*CLAIMS, "ill-conditioned", "unsupported", "not judged")


@dataclass(frozen=True, slots=True)
class Section:
    """Markdown, whether all is well, and what the command takes to say the same again."""

    text: str
    sound: bool
    options: str = ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


# Engine, dtype, and how many examples of each row, or none: the engine walks.
RUNS = (
    ("backprop", "float64", 100),
    ("backprop", "float32", 100),
    ("torch", "float64", 100),
    ("torch", "float32", 100),
    ("jax:jit", "float64", 100),
    ("jax:jit", "float32", 100),
    ("jax", "float64", 1),
    ("jax", "float32", 1),
    *product(("backprop", "torch"), ("bfloat16", "float16"), (100,)),
    *product(("backprop", "torch", "jax:jit"), ("float64", "float32"), (None,)),
)
RESULTS = ("caught", "beside", "hidden", "unmoved", "missed", "elsewhere")
HEADS = ("caught, pinned", "others blamed too", "hidden", "moves nothing", "missed", "blamed elsewhere")


def planted(options: Namespace) -> Section:
    from planted import SLACK
    from subjects import ROWS

    spawned = get_context("spawn")
    with ProcessPoolExecutor(options.jobs, spawned) as pool:
        measured = list(pool.map(_outcomes, *zip(*RUNS, strict=True)))
    names = [f"{engine}, {dtype}" + ", while it walks" * (most is None) for engine, dtype, most in RUNS]
    runs = {name: found for name, (found, _) in zip(names, measured, strict=True)}
    seconds = {name: spent for name, (_, spent) in zip(names, measured, strict=True)}
    every = [found for run in runs.values() for found in run]
    counts = [
        [name, f"{len(run):,}", *(f"{n:,}" for n in _counted(run)), f"{seconds[name]:.0f} s"]
        for name, run in runs.items()
    ]
    by_fault: dict[str, list[Outcome]] = defaultdict(list)
    for found in every:
        by_fault["factor 1 + a little" if found.fault.startswith("factor 1 +") else found.fault].append(found)
    faults = [[fault, f"{len(run):,}", *(f"{n:,}" for n in _counted(run))] for fault, run in by_fault.items()]
    places: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for found in every:
        if found.engine == "backprop" and not found.fault.startswith("factor 1 + 1e-05"):
            places[found.row, found.argument, found.fault][found.result] += 1
    nowhere = [key for key, seen in places.items() if not seen["caught"] and not seen["beside"]]
    silent = [key for key in nowhere if set(places[key]) != {"unmoved"}]
    unknown = [found for found in every if found.result in ("missed", "elsewhere", "beside")]
    text = f"""Every row of the vocabulary that has derivatives ({len(ROWS)}), every argument, every fault, over the
examples of `tests/examples.py` as random points, more of them until each fault shows. In the hand-written engine the
sweep itself goes wrong; in torch and JAX the consumer reads its operand through an identity whose backward pass bends
what comes back (exchanged operands are exchanged in what the engine shows, in JAX overwritten sums too). Compiled JAX
has such an identity on every use and takes the fault as an argument: one compilation serves all faults of a graph at
all its points. Operation by operation JAX has one example of each row. An engine *walks* three steps of ascent by its
own optimiser, and the fault must be named at each. *Pinned*: the judge names exactly the term
in its consumer and position, or the adjoint whose sum is wrong. *Hidden*: passes, and moves the term by no more than
{SLACK:g} times what shaking every number by its rounding does (Monte Carlo arithmetic, which shares no bound with the
judge). *Missed*: passes and moves it by more.

{table(("engine", "planted", *HEADS, "processor time"), counts)}
{table(("fault, all engines", "planted", *HEADS), faults)}
{len(places):,} combinations of row, argument and fault; {len(places) - len(nowhere):,} show and are caught at one point
at least. The others move nothing anywhere ({_listed(key for key in nowhere if key not in silent)}){
        "; not caught at any point: " + _listed(silent) if silent else ""
    }.

What hid, by the engine's own numbers (moved: as a multiple of what shaken numbers spread):

{table(("row, argument", "fault", "where", "moved"), _grouped(found for found in every if found.result == "hidden"))}
What was missed:

{table(("row, argument", "fault", "where", "moved"), _grouped(found for found in every if found.result == "missed"))}
"""
    return Section(text, not unknown and not silent)


def _outcomes(engine: str, dtype: str, most: int | None) -> tuple[list[Outcome], float]:
    """Everything planted in an engine, and the processor time that it took."""
    from planted import on_path, outcomes
    from subjects import ROWS

    start, seeds = process_time(), 4 if engine == "backprop" else 2
    found = [
        outcome
        for row in ROWS
        for outcome in (on_path(engine, dtype, row) if most is None else outcomes(engine, dtype, row, seeds, most))
    ]
    return found, process_time() - start


def _counted(run: Sequence[Outcome]) -> list[int]:
    seen = Counter(found.result for found in run)
    return [seen[result] for result in RESULTS]


def _listed(keys: Iterable[tuple[str, str, str]]) -> str:
    by_fault: dict[str, list[str]] = defaultdict(list)
    for row, argument, fault in keys:
        by_fault[fault].append(f"{row} {argument}")
    return "; ".join(f"{fault}: {', '.join(names)}" for fault, names in by_fault.items())


def _grouped(found: Iterable[Outcome]) -> list[list[str]]:
    groups: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for one in found:
        where = f"{one.engine}, {one.dtype}, `{one.text}`"
        groups[f"{one.row}, {one.argument}", one.fault, where].append(one.moved)
    return [[*key, f"{max(moved):.2g}"] for key, moved in groups.items()]


def fakes(options: Namespace) -> Section:
    from fakes import FAKES, rows

    lines: list[list[str]] = []
    passed: list[str] = []
    for fake in FAKES:
        found = [row for row in rows(fake) if row.finding]
        if not found:
            passed.append(fake)
        lines.append([fake, found[0].verdict if found else "**passed**", found[0].reason if found else ""])
    text = f"""A sound engine whose answers are spoilt in one way each, asked as a run asks, twice at each of two
points: {len(FAKES)} ways, {len(FAKES) - len(passed)} caught.

{table(("fake", "verdict", "what the row says"), lines)}"""
    return Section(text, not passed)


def liars(options: Namespace) -> Section:
    from liars import LIES, POINTS, told

    start, every = process_time(), list(told())
    verdicts: dict[str, list[int]] = {verdict: [0, 0] for verdict in PASSING}
    for one in every:
        verdicts.setdefault(one.verdict, [0, 0])[one.found] += 1
    hidden: dict[tuple[str, str, str], dict[str, dict[str, None]]] = defaultdict(lambda: {"dtypes": {}, "lies": {}})
    for one in every:
        if not one.found:
            said = hidden[one.point, one.kind, one.verdict]
            said["dtypes"][one.dtype] = said["lies"][f"{one.lie} {one.shown}"] = None
    places = [
        [f"`{point}`", kind, verdict, *(", ".join(some) for some in said.values())]
        for (point, kind, verdict), said in hidden.items()
    ]
    kinds = Counter((one.kind, one.found) for one in every)
    named = dict.fromkeys(kind for kind, _ in kinds)
    found = sum(one.found for one in every)
    text = f"""{len(POINTS)} singular points, range ends, masks, dead branches, wide layers and sums whose derivative is
worked out by hand, in up to four precisions; at each {len(LIES)} lies
({", ".join(LIES)}; what is within half of the truth is none), of gradients shown alone, beside sound links and as
adjoints, of values, tangents and Hessian-vector products: {len(every):,} lies, of which {found:,} are found;
{process_time() - start:.0f} s of processor time. So many hide, by verdict:

{table(("verdict", "hide", "found"), [[verdict, *counts] for verdict, counts in verdicts.items()])}
{table(("what is lied about", "hide", "found"), [[kind, kinds[kind, False], kinds[kind, True]] for kind in named])}
{"Where they hide:" if places else "None hides."}

{table(("point", "of", "verdict", "in", "lies"), places) if places else ""}"""
    return Section(text, not any(one.verdict in CLAIMS and not one.found for one in every))


def second(options: Namespace) -> Section:
    from second import OFF, OPEN, survey

    start, points = process_time(), options.points or 5_000
    tally = survey(points, options.seed)

    def listed(whats: Iterable[str], most: int) -> str:
        found = [(text, what, said) for what in whats for text, said in tally.examples[what].items()]
        return "".join(f"- {what}: `{text}`, {said}\n" for text, what, said in sorted(found, key=_length)[:most])

    off = sum(tally.counts[what] for what in OFF)
    text = f"""Hessian-vector products of the reference against differences of its gradient on both sides of
{tally.points:,} random points of {tally.graphs:,} random graphs, about half of them on kinks and singular points
exactly; {process_time() - start:.0f} s of processor time.

{table(("component of a product", "count"), [[what, f"{n:,}"] for what, n in tally.counts.most_common()])}
{"Errors of the reference, the shortest graphs:" if off else "No product is off."}

{listed(OFF, 30)}
{"Open, though the product exists, the shortest graphs:" if tally.counts[OPEN] else ""}

{listed([OPEN], 8)}"""
    return Section(text, not off, f" --points {points} --seed {options.seed}")


def _length(example: tuple[str, str, str]) -> tuple[int, str]:
    return len(example[0]), example[0]


def alarms(options: Namespace) -> Section:
    from alarms import CHECKED, EVERY, smallest, survey

    start = process_time()
    points = options.points or 20_000
    tally = survey(options.graphs, points, options.seed)
    asked = ", ".join(f"{engine} {count:,}" for engine, count in tally.evaluations.items())
    verdicts = [[verdict, f"{count:,}"] for verdict, count in tally.verdicts.most_common()]
    kinds = [
        [why or "**unexplained**", *kind, count]
        for why, seen in sorted(tally.found.items())
        for kind, count in sorted(seen.items())
    ]
    unexplained = ""
    for kind, text in tally.examples.items():
        shrunk = smallest(kind, text.partition(",")[0]) if options.shrink else ""
        unexplained += (
            f"- {', '.join(kind)}: `{shrunk}`; seen in {text}\n" if shrunk else f"- {', '.join(kind)}: {text}\n"
        )
    text = f"""{tally.points:,} random points on {tally.graphs} random graphs of up to twelve operations, both
precisions, inputs scaled by 1e-3, 1 and 1e3; evaluations: {asked} (eager JAX at every {EVERY["jax"]}th point).
{tally.rows:,} rows, {process_time() - start:.0f} s of processor time.

{table(("verdict", "rows"), verdicts)}
Findings at their own links, by what explains them. *range*: the truth is beyond the format's largest number there;
*fallen*: a quotient that is no number where its truth is one, rightly told: element by element it is proved that the
engine's own divisor is 0 and the true one is not, or that of a quotient which it reads;
*ledger*: the shipped cases have this engine off at this operation; *checked*: looked at by hand, the engine is off
({"; ".join(f"{op} in {framework}, {what}: {why}" for (framework, what, op), why in CHECKED.items())}).

{table(("explained by", "engine", "quantity", "operation", "verdict", "count"), kinds)}
{"What nothing explains, the smallest seen of each kind:" if unexplained else "Nothing is left unexplained."}

{unexplained}"""
    given = f" --points {points} --graphs {options.graphs} --seed {options.seed}"
    return Section(text, not unexplained, given)


def shipped(options: Namespace) -> Section:
    from alarms import shipped_cases

    start = process_time()
    count, rows, left = shipped_cases()
    judged = ", ".join(f"{engine} {n:,}" for engine, n in rows.items())
    text = f"""All shipped cases, {count} units (a case at one point in one dtype), rows by engine: {judged};
{process_time() - start:.0f} s of processor time. Findings beyond what the ledger explains: {len(left)}.

{"".join(f"- {row.case}, {row.dtype}, {row.engine}: {row.verdict}, {row.reason}" + chr(10) for row in left)}"""
    return Section(text, not left)


def rivals(options: Namespace) -> Section:
    from rivals import detection_table, false_alarm_table

    text = f"""The smallest relative error planted in one derivative that a checker notices at its defaults, found by
halving the exponent between 1e-16 and 1: in the whole rule, and in a single entry of a term. Reverse mode alone, since
the rules of one's own have no other. *Not even 1*: twice the derivative is accepted.

{table(*detection_table())}
What each says of functions that are right:

{table(*false_alarm_table())}"""
    return Section(text, True)


def closed(options: Namespace) -> Section:
    from closed_forms import BITS, DIGITS, rows

    lines = list(rows())
    sound = all(line[-1] == "yes" and float(line[-2]) <= 10.0 ** (3 - DIGITS) for line in lines)
    text = f"""Gradients of the reference against closed forms that mpmath evaluates at {DIGITS} digits, relative to the
closed form: `truth/reference.py` hands out pairs of float64
and a radius, and the graph that it evaluates also
runs here on balls of {BITS} bits. *Sound*: within 2^-100 (7.9e-31) of the closed form, or within the radius.

{table(("function", "points", "entries", "reference", f"{BITS} bits", "sound"), lines)}"""
    return Section(text, sound)


def known(options: Namespace) -> Section:
    from known import OF_ENGINES, rows

    head = ("case", "engine", "the judge names", "what is so", "still")
    lines = list(rows(OF_ENGINES))
    text = f"""The smallest case of each defect of an engine that these searches met, run again each time.

{table(head, lines)}"""
    return Section(text, all(line[-1] == "yes" for line in lines))


def fuzzed(options: Namespace) -> Section:
    from fuzzed import CHANGES, LONGEST, MEMORY, SECONDS, SLOW, WHERE, corpus, fuzzed

    files = options.files or 20_000
    counts, broken, longest, memory = fuzzed(files, options.seed, WHERE)
    lines = [(kind, *(f"{counts[kind, became]:,}" for became in ("errors", "a case", "broken"))) for kind in CHANGES]
    text = f"""The {len(corpus())} case files of the project that have at most {LONGEST:,} bytes, each changed at
random, and what the loader makes of it: a case, whose inputs are then drawn and whose gradient and definitions are
written out, or errors at places that exist, in lines in which nothing is hidden. *Broken*: any other exception, a
warning, more than {SLOW:g} s of
processor time (after {SECONDS:g} s its process is killed), or more than {MEMORY >> 30} GiB of addresses.

{table(("changed by", "errors", "a case", "broken"), lines)}
{files:,} files; the longest took {longest:.1f} s, the largest process {memory >> 20} MiB.
{"".join(f"{chr(10)}- {line}" for line in broken)}"""
    return Section(text, not broken, f" --files {files} --seed {options.seed}")


def steps(options: Namespace) -> Section:
    from stepped import STEPS, survey

    start = process_time()
    tally = survey(options.points or 10_000, options.seed)
    lines = [
        [
            rule,
            dtype,
            f"{tally.elements[rule, dtype]:,}",
            *(f"{part[rule, dtype] / tally.elements[rule, dtype]:.1%}" for part in (tally.sound, tally.settled)),
        ]
        for rule, dtype in sorted(tally.elements)
    ]
    off = [*(f"- settled, and not so by balls: {one}" for one in tally.missed), *(f"- {one}" for one in tally.other)]
    said = "Told otherwise" if off else "No number that balls call off is settled, and every finding is that of balls"
    text = f"""{tally.steps:,} random steps of all rules, the last two of paths of {STEPS}, more than half of them
with up to three numbers off by a third of a unit to a hundred, in all precisions, with gradients from 1e-22 to 1e6;
each judged with intervals (`paths/settled.py`) and by balls alone. Of {tally.by_balls:,} steps intervals leave more
than half to balls, or all, as of rules that read a whole parameter. {process_time() - start:.0f} s of processor time.

{table(("rule", "dtype", "elements", "sound by balls", "settled"), lines)}
{said}.

{chr(10).join(off)}"""
    return Section(text, not off, f" --points {options.points or 10_000} --seed {options.seed}")
