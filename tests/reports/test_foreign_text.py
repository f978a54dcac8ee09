"""What others say, in reports: messages of engines, texts of cases, names that look like something else."""

from __future__ import annotations

import csv as python_csv
import re
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gradaccord.harness.errors import CommandError
from gradaccord.harness.graph.node import Use
from gradaccord.harness.own.tables import read_csv
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.outcome import Asked, CaseSummary
from gradaccord.harness.records.rows import TrajectoryRow
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.running.run import run, units
from gradaccord.harness.running.session import Began, Kept, about_run
from gradaccord.harness.words import HIDDEN
from gradaccord.reports import cases, csv, markdown
from gradaccord.reports import json as json_report
from gradaccord.reports.html import report as html
from gradaccord.reports.layout import code, escaped

from .test_reports import AGREES, ROW, unit

BAD = (
    "=HYPERLINK(1) \x1b[31mred\x1b]0;title\x07 `open | <script>alert(1)</script> ![i](http://x.y) [l](z) \u202e \x9b "
    "\ud800 ``` <details> &lt; *a* _b_ ~~~"
)
ALIVE = re.compile(r"(?<!\\)<(?!br>|/?details>|/?summary>)|(?<!\\)\[[^]]*\]\((?!cases.md|report.md)|:(?!\\)//")


def test_a_message_stays_text_wherever_it_is_written(product: Path, tmp_path: Path) -> None:
    engine = "=e|v`il<b>.py:prepare"
    row = replace(ROW, engine=engine, quantity="run", node="", reason=BAD, verdict="failed", finding=True)
    known = replace(row, reason="=1", accepted=BAD)
    case = load(product)
    summary = CaseSummary(case.name, "product.yaml", BAD, BAD, (), 1, case.graph)
    asked = Asked(settings=Settings((engine,)), cases=(summary,))
    about = about_run(asked, Kept(versions={engine: BAD}), f"gradaccord run '{BAD}'", Began(), units=1)
    reports = [module.write(tmp_path) for module in (cases, csv, json_report, markdown, html)]
    for report in reports:
        report.begin(about)
        report.add(unit(rows=(row, known)))
        report.close(about)
    for path in (tmp_path / name for name in ("report.md", "report.html", "cases.md", "results.csv", "run.json")):
        assert not HIDDEN.search(path.read_text(encoding="utf-8"))
    for name in ("report.md", "cases.md"):
        lines = (tmp_path / name).read_text().splitlines()
        fences = [line for line in lines if re.match("`{3,}|~~~", line)]
        assert len(fences) % 2 == 0
        text = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", "\n".join(lines))
        text = re.sub(r"(?<![`\\])(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
        assert not ALIVE.search(text), ALIVE.search(text)
    assert "<script>alert" not in (tmp_path / "report.html").read_text()
    with (tmp_path / "results.csv").open(newline="") as stream:
        for record in python_csv.DictReader(stream):
            texts = (record[name] for name in ("engine", "node", "reason", "accepted"))
            assert not any(text.startswith(tuple("=+-@")) for text in texts if text != "-")


@pytest.mark.parametrize(
    "text, shown",
    [
        ("term of `x` in y[0]", r"term of `x` in y\[0]"),
        ("`open", r"\`open"),
        ("`a` and `b", r"`a` and \`b"),
        ("``` x", r"\`\`\` x"),
        ("# one", r"\# one"),
        ("- one", r"\- one"),
        ("1. one", r"1\. one"),
        ("=== x", r"\=== x"),
        ("a > b, -1.5 - 2", "a > b, -1.5 - 2"),
        ("see http://a.b", r"see http:\//a.b"),
        ("`a|b`", "`a|b`"),
    ],
)
def test_plain_text_in_markdown(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    "text, shown", [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a ``` b", "````a ``` b````")]
)
def test_code_in_markdown_has_back_quotes_enough(text: str, shown: str) -> None:
    assert code(text) == shown


def test_a_table_gives_back_what_was_written(tmp_path: Path) -> None:
    """Long stretches without text in a column, which pandas reads by parts, and names that look like something else."""
    report = csv.write(tmp_path)
    names = ("NA", "null", "nan", "007", "1e5", "True", "None")
    for name in names:
        report.add(unit(rows=(replace(AGREES, case=name, name=name, index=()),) * 3000))
    report.add(unit(rows=(replace(ROW, reason="off", index=(1, 2), accepted="known", place="a.py:1"),) * 3000))
    report.close(about_run(Asked(settings=Settings(()), cases=()), Kept(), "", Began(), units=1))
    table = read_csv(tmp_path)
    assert list(dict.fromkeys(table.case)) == [*names, ROW.case]
    assert list(dict.fromkeys(table.name))[:-1] == [*names]
    assert set(table["index"]) == {"", "[1, 2]"}
    assert set(table.reason) == {"", "off"}
    assert table.error.dtype == "float64" and table.finding.dtype == "bool" and table.point.dtype == "int64"
    with pytest.raises(CommandError, match=r"no table .*nothing: expected the folder of a run"):
        read_csv(tmp_path / "nothing")


def test_pandas_reads_tables_of_any_size_without_a_hint(tmp_path: Path) -> None:
    """It infers what a column holds from 2^20 fields at a time, here of 300,000 rows, and warns where parts differ."""
    full = replace(ROW, use=Use("y", 0), index=(1, 2), place="a.py:1", reason="off")
    bare = replace(AGREES, index=(), use=None, name="", engine_value=None, reference=None, error=None, score=None)
    step = TrajectoryRow(case="c", point=0, dtype="float64", engine="e", step=1, name="x")
    off = replace(step, index=(1,), cause="gradient", node="y", setting="lr: 1", reference=1.0)
    report = csv.write(tmp_path)
    report.add(replace(unit(rows=(bare, full)), trajectories=(step, off)))
    report.close(about_run(Asked(settings=Settings(()), cases=()), Kept(), "", Began(), units=1))
    for name in ("results.csv", "trajectories.csv"):
        head, empty, filled = (tmp_path / name).read_text().splitlines(keepends=True)
        (tmp_path / name).write_text("".join([head, *[empty] * 100_000, *[filled] * 100_000, *[empty] * 100_000]))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = pd.read_csv(tmp_path / name)
        assert table["index"][[0, 150_000]].tolist() == ["[]", "[1, 2]" if name == "results.csv" else "[1]"]
        assert table.finding.dtype == "bool"
        assert (table.node[0], table.node[150_000]) == ("-", "term of a in y[0]" if name == "results.csv" else "y")
        assert read_csv(tmp_path / name).node[0] == ""


def test_what_is_not_accepted_is_empty_for_whoever_reads_the_file(tmp_path: Path) -> None:
    report = csv.write(tmp_path)
    report.add(unit(rows=(ROW, replace(ROW, accepted="known"))))
    report.close(about_run(Asked(settings=Settings(()), cases=()), Kept(), "", Began(), units=1))
    with (tmp_path / "results.csv").open(newline="") as stream:
        assert [row["accepted"] for row in python_csv.DictReader(stream)] == ["", "known"]


def test_a_row_is_known_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(
        "name: twice\ninputs: {a: 2, b: 3}\ngraph: {y: a * b, z: y + a}\n"
        "expect: {y: 6, a: 2, gradient: {y: 1, a: 4}}\ndtypes: [float64]\n"
    )
    work = units([load(path)])
    rows = [row for outcome in run(work, Settings(("backprop",))) for row in outcome.rows]
    keys = [(row.case, row.point, row.dtype, row.engine, row.quantity, row.name, row.use) for row in rows]
    assert len(keys) == len(set(keys))
    assert {row.name for row in rows if row.quantity == "expectation"} == {"y", "a", "gradient of y", "gradient of a"}
