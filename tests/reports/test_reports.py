"""The run folder, read back: CSV by pandas without a hint, JSON, and a Markdown page for strangers."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gradaccord.harness.graph.node import Use
from gradaccord.harness.reading.case import load
from gradaccord.harness.records.outcome import About, CaseSummary, Outcome
from gradaccord.harness.records.rows import LinkName, PairRow, Quantity, Row, TrajectoryRow
from gradaccord.harness.records.settings import Settings
from gradaccord.reports import cases, csv, markdown
from gradaccord.reports import json as json_report

ROW = Row(
    case="product",
    point=0,
    dtype="float64",
    engine="torch",
    quantity="gradient",
    name="a",
    index=(2, 1),
    engine_value=0.1,
    reference=1 / 3,
    error=-7 / 30,
    score=2.5,
    digits=0.15,
    verdict="wrong",
    node=LinkName("term", "a", Use("y", 0)),
    reason="term of `a` in `y: a * b` at [2, 1]: the engine gave 0.1",
    seconds=0.25,
    finding=True,
)
AGREES = Row(
    case="product",
    point=0,
    dtype="float64",
    engine="jax",
    quantity="value",
    name="y",
    engine_value=6.0,
    reference=6.0,
    error=0.0,
    score=0.0,
    digits=32.0,
    verdict="agree",
    seconds=0.1,
)
SILENT = Row(
    case="product",
    point=0,
    dtype="float32",
    engine="jax",
    quantity="run",
    name="",
    verdict="unsupported",
    reason="jax is not installed: pip install 'gradaccord[jax]'",
)
ENDLESS = Row(
    case="product",
    point=1,
    dtype="float64",
    engine="jax",
    quantity="value",
    name="y",
    engine_value=inf,
    reference=nan,
    error=-inf,
    digits=0.0,
    verdict="not finite",
    node=LinkName("value", "y"),
    reason="a | b\nand *more*",
    finding=True,
    accepted="known since 1847",
)
PAIR = PairRow(
    case="product",
    point=0,
    dtype="float64",
    quantity="gradient",
    name="a",
    engine_a="torch",
    engine_b="jax",
    index=(2, 1),
    value_a=0.1,
    value_b=0.2,
    ulps=1e15,
)
STEP = TrajectoryRow(
    case="product",
    point=0,
    dtype="float64",
    engine="torch",
    step=1,
    name="a",
    index=(0,),
    value=5e-324,
    verdict="agree",
    cause="",
)


def unit(
    rows: tuple[Row, ...] = (), case: str = "product", point: int = 0, dtype: str = "float64", **rest: Any
) -> Outcome:
    """What a unit of work came to."""
    return Outcome(case=case, point=point, dtype=dtype, rows=rows, **rest)


@pytest.fixture
def about(product: Path) -> About:
    case = load(product)
    summary = CaseSummary(case.name, "product.yaml", case.about, case.source, case.tags, 1, case.graph)
    return About(
        command="gradaccord run product.yaml",
        settings=Settings(("torch", "jax"), named=False),
        cases=(summary,),
        versions={"torch": "torch 2.13.0"},
        platform={"Python": "CPython 3.11"},
        seeds={},
        started="2026-01-01T00:00:00+00:00",
        seconds=1.5,
        units=4,
    )


@pytest.fixture
def folder(tmp_path: Path, about: About) -> Path:
    reports = [module.write(tmp_path) for module in (cases, csv, json_report, markdown)]
    for report in reports:
        report.begin(replace(about, left=4))
        report.add(unit(rows=(ROW, AGREES), pairs=(PAIR,), trajectories=(STEP,)))
        report.add(unit(dtype="float32", rows=(SILENT,)))
        report.add(unit(point=1, rows=(ENDLESS,)))
        report.close(about)
    return tmp_path


@pytest.mark.parametrize(
    "name, record", [("results", Row), ("pairs", PairRow), ("trajectories", TrajectoryRow)], ids=str
)
def test_the_columns_are_the_fields_of_the_record_in_their_order(name: str, record: type, folder: Path) -> None:
    assert list(pd.read_csv(folder / f"{name}.csv").columns) == [
        field.name for field in fields(record) if field.metadata.get("column", True)
    ]


def test_pandas_reads_every_digit_and_every_special_number(folder: Path) -> None:
    rows = pd.read_csv(folder / "results.csv")
    assert np.isclose(rows.reference, 1 / 3, rtol=0, atol=0).tolist()[0]
    assert np.isclose(rows.error, -7 / 30, rtol=0, atol=0).tolist()[0]
    assert rows.engine_value[3] == inf
    assert rows.error[3] == -inf
    assert np.isnan(rows.reference[3])
    assert np.isnan(rows.score[2])
    assert rows.engine_value.dtype == np.float64
    assert rows.finding.dtype == np.bool_
    assert list(rows.finding) == [True, False, False, True]
    steps = pd.read_csv(folder / "trajectories.csv")
    assert steps.value[0] == 5e-324


def test_an_index_stays_text(folder: Path) -> None:
    assert pd.read_csv(folder / "results.csv")["index"].tolist()[0] == "[2, 1]"
    assert pd.read_csv(folder / "trajectories.csv")["index"].tolist() == ["[0]"]


def test_a_record_is_one_line(folder: Path) -> None:
    assert len((folder / "results.csv").read_text().splitlines()) == 5


def test_the_json_counts_what_nothing_explains(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    assert run["unexplained"] == 1
    assert run["verdicts"]["jax"] == {"agree": 1, "unsupported": 1, "not finite": 1}
    assert run["command"] == "gradaccord run product.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "**1 disagreement without an explanation.** 1 known one.",
        "### `multiply`, `torch`: derivative: wrong\n\nIn [`product`](cases.md#product), torch float64: gradient of a",
        "first link that is off: term of a in y\\[0]",
        "term of `a` in `y: a * b` at \\[2, 1]: the engine gave 0.1",
        "gradient of `a` at [2, 1] is 0.1, the truth is 0.333333333, 0 digits agree",
        "repeat: `gradaccord run product.yaml --engine torch --dtype float64`",
        "accepted: known since 1847",
        "jax is not installed: pip install 'gradaccord\\[jax]'",
        "| `torch`, `jax` | 0 of 1 | 1e+15 | 1e+15 | `product` float64, gradient of `a` at [2, 1] | 0.1, 0.2 |",
        "| `torch` | torch 2.13.0 |",
        "| **wrong** | a step is off in every precision |",
    ],
)
def test_the_page_says(text: str, folder: Path) -> None:
    assert text in (folder / "report.md").read_text()


def test_the_page_begins_with_what_is_off_by_operation_and_engine(folder: Path) -> None:
    page = (folder / "report.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## What is off", "## Engine by engine", "## New findings", "## Known findings", "## Verdicts",
        "## Reported, and no disagreement", "## Allowances", "## What was run",
    ]  # fmt: skip
    head, _, table = page[: page.index("## Engine by engine")].partition("| operation |")
    assert len(head.splitlines()) <= 8
    assert table.splitlines()[2:4] == [
        "| `multiply` | `torch` | derivative: wrong | [`product`](cases.md#product) | 1 | **new** |",
        "| `multiply` | `jax` | value: not finite | [`product`](cases.md#product) | 1 | known |",
    ]


def test_a_defect_in_many_cases_fills_no_page(tmp_path: Path, about: About) -> None:
    report = markdown.write(tmp_path)
    (summary,) = about.cases
    names = [f"graph-{k}" for k in range(84)]
    for name in names:
        accepted = "" if name in names[:33] else "known since 1847"
        rows = [replace(ROW, case=name, name=x, accepted=accepted, reason=f"{name} {x}") for x in "abcdefgh"]
        report.add(unit(case=name, rows=(*rows, replace(AGREES, case=name, verdict="lossy", node=ROW.node))))
    report.close(replace(about, cases=tuple(replace(summary, name=name) for name in names)))
    page = (tmp_path / "report.md").read_text()
    assert len(page.splitlines()) < 100
    assert page.count("repeat: ") == 2  # new and known
    assert "In 33 cases: " in page and "and 29 more" in page
    assert "also off there: 7 more" in page


def test_cases_stand_beside_the_page_with_their_graphs_and_links_lead_there(folder: Path) -> None:
    cases = (folder / "cases.md").read_text()
    assert "## product\n" in cases
    assert "y: a * b" in cases
    assert 'n2["y = a * b"]' in cases
    page = (folder / "report.md").read_text()
    assert "y: a * b\n" not in page
    headings = {line[3:] for line in cases.splitlines() if line.startswith("## ")}
    assert set(re.findall(r"\]\(cases\.md#([^)]*)\)", page)) == headings


def test_pairs_beyond_the_gradient_stand_apart_and_those_without_a_number_in_common_nowhere(
    tmp_path: Path, about: About
) -> None:
    report = markdown.write(tmp_path)
    beyond = replace(PAIR, quantity="tangent", engine_a="torch:forward", engine_b="jax:forward", ulps=0.0)
    report.add(unit(rows=(AGREES,), pairs=(PAIR, replace(PAIR, ulps=0.0), beyond)))
    report.close(about)
    text = (tmp_path / "report.md").read_text()
    section = text[text.index("## Engine by engine") : text.index("## Verdicts")]
    assert [line for line in section.splitlines() if "torch" in line] == [
        "| `torch`, `jax` | 1 of 2 | 1e+15 | 1e+15 | `product` float64, gradient of `a` at [2, 1] | 0.1, 0.2 |",
        "| `torch:forward`, `jax:forward` | 1 of 1 |  |  |  |  |",
    ]
    assert section.index("0.1, 0.2") < section.index("<details><summary>Tangents: 1 pair</summary>")


@pytest.mark.parametrize(
    "a, b, ulps, shown",
    [
        (0.1, 0.2, 1e15, "1e+15 | 1e+15 | {} | 0.1, 0.2 |"),
        (1.0, 1.0 + 900 * 2**-52, 900.0, "900 | 900 | {} | 1, 1.0000000000002 |"),
        (1.0, 1.0 + 2**-52, 1.0, "1 | 1 | {} | 1.0, 1.0000000000000002 |"),
        (1.0, nan, inf, "inf | inf | {} | 1, nan |"),
    ],
)
def test_numbers_of_a_pair_are_told_apart(
    a: float, b: float, ulps: float, shown: str, tmp_path: Path, about: About
) -> None:
    report = markdown.write(tmp_path)
    report.add(unit(pairs=(replace(PAIR, value_a=a, value_b=b, ulps=ulps),)))
    report.close(about)
    there = "`product` float64, gradient of `a` at [2, 1]"
    assert shown.format(there) in (tmp_path / "report.md").read_text()


def test_tables_of_verdicts_end_with_what_is_no_engine(tmp_path: Path, about: About) -> None:
    report = markdown.write(tmp_path)
    report.add(unit(rows=(replace(AGREES, engine="truth", quantity="expectation"), AGREES)))
    report.close(about)
    text = (tmp_path / "report.md").read_text()
    assert text.index("| `jax` | 1 |") < text.index("| `truth` | 1 |")


def test_tables_of_the_page_have_as_many_cells_in_each_row(folder: Path) -> None:
    tables = (folder / "report.md").read_text().split("\n\n")
    for table in (text.splitlines() for text in tables if text.startswith("|")):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1, table[0]


def test_what_is_found_stands_in_whole_lines_before_the_run_is_over(tmp_path: Path, about: About) -> None:
    (tmp_path / "report.md").write_text("of an earlier run")
    reports = [module.write(tmp_path) for module in (cases, csv, json_report, markdown)]
    for report in reports:
        report.begin(replace(about, left=4))
        report.add(unit(rows=(ROW,)))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "product.yaml") == [
        "cases.md", "pairs.csv", "report.md", "results.csv", "run.json", "trajectories.csv",
    ]  # fmt: skip
    assert list(pd.read_csv(tmp_path / "results.csv").verdict) == [ROW.verdict]
    assert json.loads((tmp_path / "run.json").read_text())["finished"] is False
    assert "**Not finished.**" in (tmp_path / "report.md").read_text()
    for report in reports:
        report.close(about)
    assert json.loads((tmp_path / "run.json").read_text())["finished"] is True
    assert "Not finished" not in (tmp_path / "report.md").read_text()


def kink(engine: str, dtype: str, choice: str) -> Row:
    return Row(
        case="abs",
        point=0,
        dtype=dtype,
        engine=engine,
        quantity="gradient",
        name="x",
        engine_value=1.0,
        reference=0.0,
        error=1.0,
        score=1.0,
        digits=0.0,
        verdict="convention",
        node="term of x in y[0]",
        reason=f"the engine took {choice}",
        finding=True,
    )


def test_engines_that_choose_differently_at_a_kink_are_one_disagreement(tmp_path: Path, about: About) -> None:
    report = markdown.write(tmp_path)
    for dtype in ("float64", "float32"):
        rows = (kink("torch", dtype, "the middle"), kink("jax", dtype, "the upper end"), kink("x", dtype, "the middle"))
        report.add(unit(case="abs", dtype=dtype, rows=rows))
    report.close(about)
    page = (tmp_path / "report.md").read_text()
    assert "**1 disagreement without an explanation.**" in page
    assert "torch, x (float64, float32): the engine took the middle<br>" in page
    assert "jax (float64, float32): the engine took the upper end<br>" in page
    assert page.count("repeat: `") == 1


def test_a_difference_between_engines_is_repeated_with_all_of_them(tmp_path: Path, about: About) -> None:
    report = markdown.write(tmp_path)
    report.add(unit(rows=(replace(kink("torch", "float64", "the middle"), case="product"),)))
    report.close(replace(about, settings=Settings(("torch", "jax"), dtypes=("float64",))))
    again = "gradaccord run product.yaml --engine torch --engine jax --dtype float64"
    assert f"repeat: `{again}`" in (tmp_path / "report.md").read_text()


def test_inner_nodes_that_are_cited_are_written_out(tmp_path: Path, about: About) -> None:
    path = tmp_path / "nested.yaml"
    path.write_text("name: nested\ninputs: {a: 2, b: 3}\ngraph:\n  f: exp(a * b) + 1\n")
    case = load(path)
    summary = CaseSummary(case.name, "nested.yaml", "", "", (), 1, case.graph)
    row = replace(
        ROW, case="nested", name="f.1", use=Use("f.2", 0), node=LinkName("term", "f.1", Use("f.2", 0)), reason=""
    )
    report = markdown.write(tmp_path)
    report.add(unit(case="nested", rows=(replace(row, quantity="term"),)))
    report.close(replace(about, cases=(summary,)))
    page = (tmp_path / "report.md").read_text()
    assert "where `f.1` is `a * b`, `f.2` is `exp(a * b)`<br>" in page


def test_an_engine_that_is_silent_everywhere_is_told_once(tmp_path: Path, about: About) -> None:
    report = markdown.write(tmp_path)
    for case in ("one", "two", "three"):
        row = replace(SILENT, case=case, engine="mine", verdict="failed", reason="no driver", finding=True)
        report.add(unit(case=case, dtype="float32", rows=(row,)))
    report.close(about)
    page = (tmp_path / "report.md").read_text()
    assert "| `mine` | failed | [`one`](cases.md#one) | 3 | **new** |" in page
    assert "In 3 cases: [`one`](cases.md#one), [`two`](cases.md#two), [`three`](cases.md#three)" in page
    assert page.count("no driver") == 1


def test_the_table_of_allowances_has_median_and_worst_and_whose_it_is(tmp_path: Path, about: About) -> None:
    report = markdown.write(tmp_path)
    for engine, scores in (("torch", (0.125, 0.25)), ("jax", (0.5,))):
        used: dict[tuple[str, str, Quantity], tuple[float, ...]]
        used = {(engine, "exp", "value"): scores, (engine, "flip", "value"): (0.0,)}
        report.add(unit(dtype="bfloat16", rows=(AGREES,), used=used))
    report.close(about)
    text = (tmp_path / "report.md").read_text()
    assert "Exact on every engine: `flip`." in text
    assert "| operation | cost | value, bfloat16 |" in text
    assert "| `exp` | 4 | 0.25, 0.5 jax |" in text
