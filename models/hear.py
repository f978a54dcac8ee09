"""One model heard and judged in this process, as a record."""

from __future__ import annotations

import re
import signal
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from families import Model
from record import Record

import gradaccord
from gradaccord.harness.hearing.heard import Place, Refused
from gradaccord.harness.own.check import check
from gradaccord.harness.own.checked import Checked

OURS = Path(gradaccord.__file__).resolve().parent.parent
SHOWN = 5  # findings that a record keeps


class OutOfTime(BaseException):
    """No Exception, so that nobody else catches it."""


def hear(name: str, model: Model, dtype: str, timeout: float) -> Record:
    """A model in one precision, in so many seconds of processor time at most; never raises."""
    warnings.simplefilter("ignore")

    def late(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGPROF, late)
    try:
        signal.setitimer(signal.ITIMER_PROF, timeout)  # what others run on the machine does not count
        return _heard(name, model, dtype)
    except OutOfTime as error:
        return Record(name, dtype, "out of time", reason=f"more than {timeout:g} s", where=_where(error))
    finally:  # an alarm that is left on rings in whatever this process does next
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _heard(name: str, model: Model, dtype: str) -> Record:
    try:
        function, inputs, kwargs = model()
    except Exception as error:  # noqa: BLE001 whatever it is, it goes into the record
        return Record(name, dtype, "broken", reason=_first_line(error), where=_where(error))
    before = _reset_peak()
    try:
        checked = check(function, *inputs, kwargs=kwargs, dtype=dtype)
    except Refused as refusal:
        return Record(name, dtype, "refused", reason=refusal.what, where=_place(refusal.place))
    except Exception as error:  # noqa: BLE001
        outcome = "crashed" if _ours(error) else "broken"
        return Record(name, dtype, outcome, reason=_first_line(error), where=_where(error))
    return _record(name, dtype, checked, _peak() - before)


def _record(name: str, dtype: str, checked: Checked, grown: float) -> Record:
    heard = checked.heard
    evaluation = heard.evaluation
    output = evaluation.values[heard.graph.output.name]
    shown, plain = evaluation.adjoints or {}, evaluation.gradients or {}
    same = sum(node in shown and _equal(shown[node], gradient) for node, gradient in plain.items())
    seconds = checked.seconds
    return Record(
        name,
        dtype,
        "heard",
        version=checked.version,
        nodes=len(heard.graph.operations),
        numbers=sum(int(value.size) for value in evaluation.values.values()),
        value_bits=_equal(output, output if evaluation.output is None else evaluation.output),
        same=same,
        gradients=len(plain),
        hearing=round(seconds.get("plain", 0) + seconds.get("heard", 0) + seconds.get("compiled", 0), 3),
        judging=round(seconds["judged"], 3),
        memory=round(grown, 1),
        unjudged=len(checked.not_judged),
        findings=[_told(checked, row) for row in checked.findings[:SHOWN]],
    )


def _told(checked: Checked, row: Any) -> str:
    what = f"{row.verdict}: {row.quantity} of `{row.name}`" if row.name else f"{row.verdict}: {row.quantity}"
    return ", ".join(filter(None, (what, str(row.node or ""), _place(checked.place(row)), row.reason)))


def _equal(one: Any, other: Any) -> bool:
    """Whether two arrays have the same bits, NaN and the sign of 0 included."""
    one, other = np.ascontiguousarray(one), np.ascontiguousarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _place(place: Place) -> str:
    return _short(str(place))


def _short(text: str) -> str:
    return re.sub(r"\S*/site-packages/", "", text)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__))


def _where(error: BaseException) -> str:
    """The innermost place of our own, or of the model."""
    frames = _frames(error)
    inside = [frame for frame in frames if _is_ours(frame)] or frames
    return f"{Path(inside[-1].filename).name}:{inside[-1].lineno}" if inside else ""


def _ours(error: BaseException) -> bool:
    """Whether the error is raised in gradaccord, or in what gradaccord called, and not in the model."""
    from gradaccord.harness.own import check as front

    frames = _frames(error)
    own = [i for i, frame in enumerate(frames) if _is_ours(frame)]
    if not own or Path(frames[own[-1]].filename) == Path(front.__file__):
        return False
    if "/harness/" in frames[own[-1]].filename:
        return True
    return all(
        any(f"/{name}/" in frame.filename for name in ("torch", "jax", "numpy")) for frame in frames[own[-1] + 1 :]
    )


def _is_ours(frame: traceback.FrameSummary) -> bool:
    rooms = ("harness", "engines", "api")
    path = Path(frame.filename).resolve()
    return any(path.is_relative_to(OURS / room) for room in rooms)


# --- memory -------------------------------------------------------------------------------------------------------


def _reset_peak() -> float:
    """Sets the peak of this process back to what it holds now, in MiB; Linux alone can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0.0
    return _status("VmRSS")


def _peak() -> float:
    return _status("VmHWM")


def _status(key: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    found: Mapping[str, str] = dict(
        line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines() if ":" in line
    )
    return float(found[key].split()[0]) / 1024
