"""What a command was asked for: one record, from the command line to the reports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from .rows import NOT_ENGINES


@dataclass(frozen=True, slots=True)
class Settings:
    """`jobs`: units at once, each in a process of its own, 1 for this one, 0 for as many as suit; `cluster`: the
    address of one that units are sent to; `timeout`: seconds an engine may take for one unit, and on a path
    for each step; `apart`: each engine in a process of its own; `dtypes`: those that were asked for, empty for those
    of each case; `out`: the folder of the reports; `named`: the engines are those that the command named, and not all
    that there are; `fail_fast`: stop at the first unexplained finding; `strict`: what a case wants and nobody could
    judge is a finding; `allow_code`: cases may run people's own functions; `resume`: go on with the run that
    stopped in that folder; `ledgers`: files of known disagreements; `words`: the command and its arguments that
    judge a person's own function.
    """

    engines: tuple[str, ...]
    jobs: int = 0
    timeout: float | None = None
    apart: bool = False
    dtypes: tuple[str, ...] = ()
    out: str = ""
    named: bool = True
    cluster: str = ""
    fail_fast: bool = False
    strict: bool = False
    allow_code: bool = False
    resume: bool = False
    ledgers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def flags(self) -> Mapping[str, object]:
        return {
            "engines": list(self.engines),
            "dtypes": list(self.dtypes),
            "jobs": self.jobs,
            "cluster": self.cluster,
            "timeout": self.timeout,
            "fail_fast": self.fail_fast,
            "strict": self.strict,
            "allow_code": self.allow_code,
            "out": self.out,
        }

    def again(self, address: str, engine: str = "", dtype: str = "") -> str:
        """A command that shows the same again: of one engine in one dtype, or of all that there were."""
        if self.words:
            return shlex.join(["gradaccord", *self.words])
        every = self.engines if self.named else ()
        engines = every if engine in NOT_ENGINES else (engine,)
        dtypes = self.dtypes if dtype in ("", "exact") else (dtype,)
        words = ["gradaccord", "run", address]
        words += [word for name in engines for word in ("--engine", name)]
        words += [word for name in dtypes for word in ("--dtype", name)]
        words += ["--timeout", f"{self.timeout:g}"] if self.timeout is not None else []
        words += [word for path in self.ledgers for word in ("--ledger", path)]
        words += ["--strict"] if self.strict else []
        words += ["--allow-code"] if self.allow_code else []
        return shlex.join(words)
