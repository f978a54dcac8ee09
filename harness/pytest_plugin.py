"""The pytest plugin: every case at every point, in every dtype, on every engine is a test.

Collects case files below the folders that the ini key `gradaccord_cases` names, and case files named on
the command line; no other YAML. Thin over `run.py`. What is heavy is imported when a case is collected, so
that pytest starts as fast without cases as without this plugin.
"""

# pytest's nodes are built by untyped constructors.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .reading.case import Case
    from .records.outcome import Asked, Outcome
    from .records.rows import Row
    from .running.unit import Unit
    from .running.workers import Host

KEPT = 16  # outcomes of units, for the other engines of the same unit
SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini keys: which cases, engines and dtypes."""
    group = parser.getgroup("gradaccord", "cross-validation of gradients")
    group.addoption(
        "--gradaccord-engine", action="append", default=[], metavar="NAME",
        help="run cases on this engine, or on `path.py:prepare`; repeat for several",
    )  # fmt: skip
    group.addoption(
        "--gradaccord-dtype", action="append", default=[], metavar="DTYPE",
        help="run cases in this precision; repeat for several",
    )  # fmt: skip
    group.addoption(
        "--gradaccord-strict", action="store_true", default=None,
        help="a gradient, tangent or Hessian-vector product that a case wants and that is not judged fails",
    )  # fmt: skip
    parser.addini(
        "gradaccord_allow_code", "cases may run the functions that they name by `call`", type="bool", default=False
    )
    parser.addini("gradaccord_strict", "what a case wants and nobody can judge fails", type="bool", default=False)
    parser.addini("gradaccord_cases", "folders that hold case files", type="paths", default=None)
    parser.addini(
        "gradaccord_engines", "engines to run cases on; all that are known by default", type="args", default=[]
    )
    parser.addini(
        "gradaccord_dtypes", "precisions to run cases in; those of each case by default", type="args", default=[]
    )


def pytest_configure(config: pytest.Config) -> None:
    """A wrong engine or dtype stops pytest before anything runs."""
    names = _chosen(config, "engine")
    dtypes = _chosen(config, "dtype")
    if not names and not dtypes:
        return
    from .errors import CommandError
    from .running.loading import checked
    from .running.selection import check_dtypes

    try:
        checked(names)
        check_dtypes(dtypes)
    except CommandError as error:
        raise pytest.UsageError(str(error)) from None


def _chosen(config: pytest.Config, what: str) -> list[str]:
    options: list[str] | None = config.getoption(f"--gradaccord-{what}")
    return options or config.getini(f"gradaccord_{what}s")


def _strict(config: pytest.Config) -> bool:
    return bool(config.getoption("--gradaccord-strict") or config.getini("gradaccord_strict"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """Case files, and no other YAML."""
    if file_path.suffix not in SUFFIXES:
        return None
    config = parent.config
    folders: list[Path] | None = config.getini("gradaccord_cases")
    below = folders if folders is not None else [config.rootpath / "cases"]
    named = parent.session.isinitpath(file_path)
    if named or (any(file_path.is_relative_to(folder) for folder in below) and _looks_like_a_case(file_path)):
        return CaseFile.from_parent(parent, path=file_path)
    return None


def _looks_like_a_case(path: Path) -> bool:
    """Another project's `cases` may hold YAML of another kind: a case has a graph or inputs."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return any(line.startswith(("graph:", "inputs:")) for line in lines)
    except OSError:
        return True  # loading it says what is wrong


class CaseFile(pytest.File):
    """One case: a test for each point, dtype and engine, one for what it expects and one for its ledger."""

    def collect(self) -> Iterator[pytest.Item]:
        from .reading.case import CaseErrors, load
        from .running.offered import installed, variants
        from .running.run import units
        from .running.selection import Selected, refuse_code

        try:
            case = load(self.path)
            if not self.config.getini("gradaccord_allow_code"):
                refuse_code([Selected(case, "")], "the ini key `gradaccord_allow_code = true` runs it")
        except CaseErrors as error:
            raise self.CollectError(str(error)) from None
        engines = _chosen(self.config, "engine") or list(installed())
        engines = [engine for engine in engines if case.derivatives or engine not in variants()]
        if case.call is not None:
            theirs = [function.framework for function in case.call.functions]
            engines = [engine for engine in engines if engine in theirs] or engines
        work = units([case], _chosen(self.config, "dtype"))
        for unit in work:
            if unit.expectations and case.expect[unit.point] and case.call is None:
                yield CaseItem.from_parent(self, name=f"point{unit.point}-expected", unit=unit, engine="truth")
            for engine in engines:
                name = f"point{unit.point}-{unit.dtype}-{engine}"
                yield CaseItem.from_parent(self, name=name, unit=unit, engine=engine)
        if case.accept:
            yield LedgerItem.from_parent(self, name="ledger", case=case, work=work, engines=engines)


class CaseFailure(Exception):
    """What is off, as text; pytest shows it without a traceback."""


class _CaseItem(pytest.Item):
    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class CaseItem(_CaseItem):
    """One engine on one case at one point in one dtype."""

    def __init__(self, *, unit: Unit, engine: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit, self.engine = unit, engine

    def runtest(self) -> None:
        result = outcome_of(self.session, self.unit)
        # What is wrong with the case or its reference concerns every engine.
        rows = [
            row for row in result.rows if row.engine == self.engine or (row.engine, row.quantity) == ("truth", "run")
        ]
        paths = [path for path in result.summaries if path.engine == self.engine and path.first is not None]
        off = [row for row in rows if row.unexplained]
        if off or paths:
            raise CaseFailure(self._failure(off, [str(path) for path in paths]))
        silent = next((row for row in rows if row.verdict == "unsupported" and row.quantity == "run"), None)
        if silent is not None:
            pytest.skip(silent.reason)
        if not rows and self.engine != "truth":
            pytest.skip("it computes nothing that this case asks for")

    def _failure(self, rows: Sequence[Row], paths: Sequence[str]) -> str:
        from .telling.causes import causes
        from .telling.findings import again, numbers, told

        asked, lines = self._asked(), list[str]()
        for cause in causes(rows, asked):
            account = told(cause.smallest, asked)
            lines.append(": ".join(filter(None, (account.what, account.row.verdict))))
            shown = (
                account.link and f"first link that is off: {account.link}",
                *account.reasons,
                numbers(account.row),
                account.also and f"also off: {account.also:,} more",
                account.nodes,
            )
            lines += [indent(text, "  ") for text in shown if text]
        lines += paths
        # A choice at a kink is off beside the choices of the other engines alone.
        alone = not any(row.verdict == "convention" for row in rows)
        repeat = again(asked, self.unit.case.name, *((self.engine, self.unit.dtype) if alone else ()))
        lines.append(f"repeat: {repeat}")
        return "\n".join(lines)

    def _asked(self) -> Asked:
        """The run that this test is."""
        from .records.outcome import Asked
        from .records.settings import Settings
        from .running.selection import Selected, address
        from .running.session import summary_of

        case = self.unit.case
        engines, dtypes = (tuple(_chosen(self.config, what)) for what in ("engine", "dtype"))
        shown = summary_of(Selected(case, address(case.name, self.path)))
        code = case.call is not None
        settings = Settings(engines, dtypes=dtypes, strict=_strict(self.config), allow_code=code)
        return Asked(settings=settings, cases=(shown,))


class LedgerItem(_CaseItem):
    """No entry of a case's ledger is stale."""

    def __init__(self, *, case: Case, work: Sequence[Unit], engines: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case, self.work, self.engines = case, work, engines

    def named(self) -> list[str]:
        """The engines that entries are about."""
        return [one for one in self.engines if any(entry.matches(one) for entry in self.case.accept)]

    def runtest(self) -> None:
        from .running.ledger import Ledger
        from .running.offered import installed

        ledger = Ledger(self.case)
        for unit in self.work:
            ledger.explain(answered(self.session, unit))
        told = [*ledger.stale(), *ledger.idle({**installed(), **dict.fromkeys(self.engines)})]
        stale = [row.reason for row in told if row.finding]
        if stale:
            raise CaseFailure("\n".join(stale))
        if told:
            pytest.skip("; ".join(row.reason for row in told))


_OUTCOMES = pytest.StashKey["OrderedDict[tuple[str, int, str], Outcome]"]()
_HOST = pytest.StashKey["Host"]()
_SELECTED = pytest.StashKey[dict[tuple[str, int, str], list[str]]]()


def _key(unit: Unit) -> tuple[str, int, str]:
    return str(unit.case.path), unit.point, unit.dtype


def outcome_of(session: pytest.Session, unit: Unit) -> Outcome:
    """The outcome of the whole unit, what is known explained."""
    from .running.ledger import Ledger
    from .running.session import strictly

    result = Ledger(unit.case).explain(answered(session, unit))
    return strictly(result) if _strict(session.config) else result


def answered(session: pytest.Session, unit: Unit) -> Outcome:
    """The outcome of the whole unit, on all of its engines that are selected; kept for the tests beside."""
    from .running.unit import outcome

    key = _key(unit)
    kept = session.stash.setdefault(_OUTCOMES, OrderedDict())
    if key not in kept:
        chosen = [name for name in _selected(session)[key] if name != "truth"]
        kept[key] = outcome(unit, chosen, _host(session))
        if len(kept) > KEPT:
            kept.popitem(last=False)
    return kept[key]


def _host(session: pytest.Session) -> Host:
    """Where engines live for the tests of this session."""
    if _HOST not in session.stash:
        from .running.workers import Beside

        session.stash[_HOST] = host = Beside()
        session.config.add_cleanup(host.close)
    return session.stash[_HOST]


def _selected(session: pytest.Session) -> dict[tuple[str, int, str], list[str]]:
    """For each unit the engines that `-k`, `--lf` and the like left, those of a ledger that is left included."""
    if _SELECTED not in session.stash:
        engines: dict[tuple[str, int, str], dict[str, None]] = {}
        for item in session.items:
            if isinstance(item, CaseItem):
                engines.setdefault(_key(item.unit), {})[item.engine] = None
            elif isinstance(item, LedgerItem):
                for unit in item.work:
                    engines.setdefault(_key(unit), {}).update(dict.fromkeys(item.named()))
        session.stash[_SELECTED] = {key: list(names) for key, names in engines.items()}
    return session.stash[_SELECTED]
