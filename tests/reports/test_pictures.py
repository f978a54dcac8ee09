"""Pictures of paths: what they show lies where the numbers say."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from math import hypot, nan
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from gradaccord.harness.reading.case import shipped
from gradaccord.harness.records.paths import Growth, Parting, Plane
from gradaccord.reports.pictures import HEIGHT, LEFT, TOP, WIDTH, contours, gap_picture, levels, plane_picture

from ..conftest import Command

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> ET.Element:
    return ET.fromstring(text)


def lines(text: str) -> list[list[tuple[float, float]]]:
    found = [line.attrib["points"].split() for line in drawn(text).iter(f"{SVG}polyline")]
    return [[(float(x), float(y)) for x, y in (point.split(",") for point in line)] for line in found]


def words(text: str) -> list[str]:
    return [one.text or "" for one in drawn(text).iter(f"{SVG}text")]


def plane(trails: Mapping[str, tuple[tuple[float, float], ...]], values: tuple[tuple[float, ...], ...] = ()) -> Plane:
    return Plane(
        case="bowl", point=0, dtype="float64", rule="descent", steps=2, names=("x", "y"), low=(0.0, -1.0),
        high=(2.0, 1.0), values=values, trails=trails,
    )  # fmt: skip


def parting(gaps: tuple[tuple[int, float], ...], horizon: int | None) -> Parting:
    return Parting(
        case="map", point=0, dtype="float32", engine_a="torch", engine_b="jax", step=4, name="x", index=(), value_a=1.0,
        value_b=1.1, horizon=horizon, before="", growth=Growth("factor", 10.0, 1.0, 1), gaps=gaps,
    )  # fmt: skip


# --- contours ---------------------------------------------------------------------------------------------------


def test_contours_of_a_slope_are_straight_and_lie_at_their_levels() -> None:
    values = [[float(column) for column in range(5)] for _ in range(4)]
    lines = list(contours(values))
    assert len(lines) == len(levels(values)) > 2
    for line, level in zip(lines, levels(values), strict=True):
        assert line[:, 0] == pytest.approx([level] * len(line))
        assert {0.0, 3.0} <= {*line[:, 1]}


def test_contours_of_a_bowl_are_round_and_closed() -> None:
    values = [[hypot(x - 20, y - 20) for x in range(41)] for y in range(41)]
    closed = [line for line in contours(values) if np.array_equal(line[0], line[-1])]
    assert len(closed) > 5
    for line in closed:
        sizes = np.hypot(*(line - 20).T)
        assert sizes == pytest.approx([sizes[0]] * len(line), abs=0.06)


def test_what_is_not_finite_has_no_contour() -> None:
    values = [[float(x + y) for x in range(9)] for y in range(9)]
    values[4][4] = nan
    lines = np.concatenate(list(contours(values)))
    assert not np.any(np.abs(lines - 4).max(axis=1) < 1) and len(lines) > 20
    assert levels([[nan, 1.0], [1.0, 1.0]]) == [] and levels([[nan]]) == []
    assert levels([[float(k) for k in range(100)]])[0] > 0


# --- the plane --------------------------------------------------------------------------------------------------


def test_a_path_is_drawn_from_its_start_to_its_end() -> None:
    trail = ((0.0, -1.0), (1.0, 0.0), (2.0, 1.0))
    text = plane_picture(plane({"torch": trail, "jax": trail}))
    (line,) = lines(text)
    middle = (LEFT + WIDTH / 2, TOP + HEIGHT / 2)
    assert line == [(LEFT, TOP + HEIGHT), middle, (LEFT + WIDTH, TOP)]
    assert "torch, jax" in words(text) and "bowl: descent, 2 steps, float64" in words(text)
    first, last = (circle.attrib for circle in drawn(text).iter(f"{SVG}circle"))
    assert (float(first["cx"]), first["fill"]) == (LEFT, "white")
    assert (float(last["cx"]), last["fill"]) != (LEFT, "white")


def test_paths_that_part_are_two_lines() -> None:
    text = plane_picture(plane({"torch": ((0.0, 0.0), (1.0, 0.0)), "jax": ((0.0, 0.0), (1.0, 0.5))}))
    assert len(lines(text)) == 2 and {"torch", "jax"} <= set(words(text))


def test_names_of_others_are_text() -> None:
    text = plane_picture(replace(plane({"<script>&": ((0.0, 0.0), (1.0, 0.0))}), names=("<x>", 'y"')))
    assert {"<script>&", "<x>", 'y"'} <= set(words(text))


# --- the gap ----------------------------------------------------------------------------------------------------


def test_a_gap_that_grows_by_a_factor_is_straight() -> None:
    text = gap_picture(parting(tuple((k, 10.0 ** (k - 8)) for k in range(9)), 2))
    (line,) = lines(text)
    slopes = {round((b[1] - a[1]) / (b[0] - a[0]), 2) for a, b in itertools.pairwise(line)}
    assert line[0] == (LEFT, TOP + HEIGHT) and line[-1] == (LEFT + WIDTH, TOP) and len(slopes) == 1
    assert {"1e-8", "1e0", "8 steps", "they part, step 4", "horizon, step 2"} <= set(words(text))
    broken = [p.attrib["d"] for p in drawn(text).iter(f"{SVG}path") if "stroke-dasharray" in p.attrib]
    across = [float(path[1:].split()[0]) for path in broken]
    assert across == [LEFT + WIDTH / 2, LEFT + WIDTH / 4]
    assert "the gap grows 10-fold a step from step 1 on (R² 1.00)" in words(text)


def test_where_there_is_no_gap_or_no_horizon_nothing_is_drawn() -> None:
    text = gap_picture(parting(((0, 0.0), (1, nan), (2, 1e-3)), None))
    assert len(lines(text)[0]) == 1 and not any("horizon" in word for word in words(text))
    assert lines(gap_picture(parting(((0, 0.0), (1, 0.0)), None))) == [[]]


# --- reports ----------------------------------------------------------------------------------------------------


def test_reports_have_them(gradaccord: Command, tmp_path: Path) -> None:
    def run(*cases: str) -> tuple[Path, str, str]:
        done = gradaccord("run", *cases, "--engine", "backprop", "--engine", "torch", "--dtype", "float32")
        assert done.returncode == 0, done.stdout
        out = tmp_path / "gradaccord-report"
        return out / "pictures", (out / "report.md").read_text("utf-8"), (out / "report.html").read_text("utf-8")

    text = (shipped() / "models" / "ricker.yaml").read_text()
    (tmp_path / "ricker.yaml").write_text(text.replace("steps: 150", "steps: 50"))
    folder, report, page = run("product", "ricker.yaml")
    names = {"product-0-float32-plane.svg", "ricker-0-float32-gap.svg"}
    assert {path.name for path in folder.iterdir()} == names
    for name in names:
        text = (folder / name).read_text("utf-8")
        assert f"](pictures/{name})" in report and text.splitlines()[3] in page
        drawn(text)
    folder, report, _ = run("sum")
    assert {path.name for path in folder.iterdir()} == {"sum-0-float32-plane.svg"} and "ricker" not in report
