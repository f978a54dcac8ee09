"""`gradaccord check` and `gradaccord trace`: a function by its file, judged or written, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import CommandError
from ..hearing.heard import Ask
from ..records.outcome import Asked, CaseSummary, Outcome
from ..records.settings import Settings
from ..running.files import check_inputs, function_of, inputs_of, load, name_of, theirs
from ..running.folder import alone, check_folder, writing
from ..running.session import Began, Ended, Kept, Watcher, about_run, open_reports, strictly
from .check import asked, hear, judged
from .checked import Checked
from .heard_file import SUFFIX, read, write
from .take import Take, take, take_like
from .trace import Traced


def function_and_inputs(target: str, made_by: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The function that is named, and what makes its inputs."""
    named = theirs(lambda: load(target))
    args, kwargs = theirs(lambda: inputs_of(load(made_by or target.rpartition(":")[0], "inputs")))
    function = theirs(lambda: function_of(named))  # behind the inputs: a seed that these set is that of a module
    return function, args, kwargs


def heard_of(target: str, made_by: str, ask: Ask, framework: str) -> tuple[Any, str, Any]:
    """The function that is named, its framework and its run."""
    function, args, kwargs = function_and_inputs(target, made_by)
    remedy = "`--inputs FILE.py:NAME` names what makes them; by default it is `inputs` of the same file."
    check_inputs(function, args, kwargs, remedy)
    name, heard = theirs(lambda: hear(function, args, kwargs, ask, framework))
    return function, name, heard


def check_command(
    target: str,
    made_by: str,
    ask: Ask,
    framework: str,
    settings: Settings,
    command: str,
    *,
    reference: bool,
    watchers: Sequence[Watcher] = (),
) -> tuple[Checked, Ended]:
    """Judge a function, tell the watchers, write the reports. Raises CommandError."""
    check_folder(Path(settings.out))
    began = Began()
    function, framework, heard = heard_of(target, made_by, ask, framework)
    settings = replace(settings, engines=(framework,))
    checked = judged(function, framework, heard, reference=reference)
    outcome = Outcome(
        case=checked.name,
        point=0,
        dtype=heard.dtype,
        rows=checked.rows,
        versions={framework: checked.version},
        seconds=sum(checked.seconds.values()),
    )
    outcome = strictly(outcome) if settings.strict else outcome
    case = CaseSummary(checked.name, target, f"Heard from {target}.", "", (), 1, heard.graph)
    asked = Asked(settings=settings, cases=(case,))
    for watcher in watchers:
        watcher.begins(asked, [])
        watcher.finds(outcome)
    kept = Kept()
    kept.add(outcome)
    about = about_run(asked, kept, command, began, units=1)
    out = Path(settings.out)
    with alone(out), writing(out):
        for report in open_reports(out, replace(about, left=1)):
            report.add(outcome)
            report.close(about)
    bad = bool(kept.open) or not kept.tally.compared
    return checked, Ended(int(bad), kept, about)


def trace_command(target: str, made_by: str, ask: Ask, framework: str, path: Path) -> list[Path]:
    """Write a function as a case. Raises CommandError."""
    function, _, heard = heard_of(target, made_by, ask, framework)
    return Traced(name_of(function), heard).to_case(path)


def hear_command(
    target: str, made_by: str, like: str, convert: str, dtype: str, framework: str, path: Path
) -> tuple[Take, Path]:
    """Hear a function, at points of its own or at those of a file, and write that to a file. Raises CommandError."""
    if path.suffix != SUFFIX:
        raise CommandError(f"-o {path}: expected a name that ends in {SUFFIX}")
    if like and made_by:
        raise CommandError("`--inputs` and `--like` exclude each other: the inputs are those of the file")
    if convert and not like:
        raise CommandError("`--parameters` without `--like FILE.heard`: there are no parameters to convert")
    if not like:
        function, args, kwargs = function_and_inputs(target, made_by)
        taken = theirs(lambda: take(function, args, kwargs, asked(None, None, dtype or "float64", None), framework))
    else:
        original = read(like)
        converts = theirs(lambda: load(convert, "convert")) if convert else None
        function = theirs(lambda: function_of(load(target)))
        ask = asked(None, None, dtype or original.points[0].heard.dtype, None)
        taken = theirs(lambda: take_like(original, function, converts, ask, framework))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(taken, path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from None
    return taken, path


def ask_of(wanted: tuple[str, ...], dtype: str, intended: tuple[str, ...]) -> Ask:
    """What the options of a command ask for. `intended` are `Rule=text`."""
    pairs: dict[str, str] = {}
    for word in intended:
        rule, equals, text = word.partition("=")
        if not equals or not text.strip():
            raise CommandError(
                f"`--intended {word}`: expected a rule and the formula whose derivative it is, as in `Round=x`"
            )
        pairs[rule.strip()] = text.strip()
    return asked(wanted or None, None, dtype, pairs)
