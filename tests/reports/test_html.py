"""`report.html`: one page without network, small at any number of cases; opened in a browser where one is found."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main
from gradaccord.harness.graph.build import Builder
from gradaccord.harness.graph.graph import Graph
from gradaccord.harness.reading.case import load, shipped
from gradaccord.harness.records.outcome import About, CaseSummary, Outcome
from gradaccord.harness.records.rows import LinkName, Row
from gradaccord.harness.records.settings import Settings
from gradaccord.harness.records.verdicts import Verdict
from gradaccord.harness.telling.mermaid import boxes
from gradaccord.reports.html.drawing import LARGEST, Drawing, draw
from gradaccord.reports.html.plotting import plot
from gradaccord.reports.html.report import HtmlReport

from ..conftest import PRODUCT, engine_file

VOID = {"meta", "link", "input", "br"}
WRONG = Row(
    case="", point=0, dtype="float64", engine="torch", quantity="value", name="y", engine_value=1.0, reference=2.0,
    error=-1.0, verdict="wrong", node=LinkName("value", "y"), reason="off by far", finding=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real run: an engine with a fault, a path, and cases that agree."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "product.yaml").write_text(PRODUCT)
    names = ["nested-nodes", "relu-at-zero", "attention", str(folder / "product.yaml")]
    bent = engine_file("spoils") + ":bent"
    words = ["run", *names, "-e", "backprop", "-e", bent, "-d", "float64", "--quiet", "--out", str(folder / "out")]
    assert CliRunner().invoke(main, words).exit_code == 1
    return folder / "out" / "report.html"


def written(tmp_path: Path, rows: dict[str, list[Row]], graph: Graph, **said: str) -> str:
    """The page of cases that have these rows, each with the same graph."""
    report, page = HtmlReport(tmp_path), tmp_path / "report.html"
    for case, some in rows.items():
        report.add(Outcome(case=case, point=0, dtype="float64", rows=tuple(replace(row, case=case) for row in some)))
    summaries = [CaseSummary(case, f"{case}.yaml", said.get("about", ""), "", ("a tag",), 1, graph) for case in rows]
    about = About(
        command="gradaccord run", settings=Settings(("torch",), named=False), versions={}, platform={}, seeds={},
        cases=tuple(summaries), started="", seconds=1.5, units=1,
    )  # fmt: skip
    HtmlReport(tmp_path).begin(about)
    assert "Not finished" in page.read_text()
    assert "No disagreement" not in page.read_text()
    report.close(about)
    return page.read_text()


def chain(length: int) -> Graph:
    builder = Builder()
    name = builder.input("x", ())
    for k in range(length):
        name = builder.apply("sin", [name], {}, f"y{k}")
    return builder.graph([name])


def wide(inputs: int) -> Graph:
    builder = Builder()
    names = [builder.input(f"x{k}", (3,)) for k in range(inputs)]
    total = names[0]
    for k, name in enumerate(names[1:]):
        total = builder.apply("multiply", [total, name], {}, f"p{k}")
    builder.apply("add", [total, names[0]], {}, "y")
    return builder.graph(["y"])


class Balanced(HTMLParser):
    """Every element is closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def parsed(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: Path) -> None:
    found = parsed(page.read_text())
    assert len(set(found.ids)) == len(found.ids)
    inside = [address.removeprefix("#") for address in found.addresses if address.startswith("#")]
    assert len(inside) >= 6
    assert set(inside) <= set(found.ids)


def test_where_nothing_is_off_no_link_leads_there(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["run", "product", "-e", "backprop", "-q", "--out", str(tmp_path)]).exit_code == 0
    found = parsed((tmp_path / "report.html").read_text())
    assert {address.removeprefix("#") for address in found.addresses if address.startswith("#")} <= set(found.ids)


def test_it_needs_no_network(page: Path) -> None:
    text = page.read_text()
    assert all(address.startswith(("#", "data:")) for address in parsed(text).addresses)
    assert not re.findall(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)


def test_it_says_what_is_off_where_and_how_to_see_it_again(page: Path) -> None:
    text = page.read_text()
    assert "without an explanation" in text
    assert re.search(r'class="box v-wrong guilty"[^>]*><title>', text)
    assert "spoils.py:bent --dtype float64" in text
    assert "first link that is off: <code>" in text
    assert '<figure class="plot">' in text
    assert "= -4, adjoint 1" in text  # the output of nested-nodes, in its box


def test_text_of_others_is_never_alive(tmp_path: Path) -> None:
    evil = '</template></script><script>alert(1)</script><img src=x onerror="alert(2)">'
    text = written(tmp_path, {evil: [replace(WRONG, reason=f"`{evil}` {evil}", engine=evil)]}, chain(2), about=evil)
    assert "<img" not in text
    assert text.count("<script>") == 2
    parsed(text)


def test_a_thousand_cases_are_a_page_of_some_megabytes_that_stay_folded(tmp_path: Path) -> None:
    graph = load(shipped() / "layers" / "transformer-block.yaml").graph
    sound = replace(WRONG, verdict="agree", finding=False, node="")
    text = written(tmp_path, {f"case-{k}": [WRONG if k % 100 == 0 else sound] for k in range(1000)}, graph)
    assert len(text) < 14_000_000
    assert text.count("<template>") == text.count('<details class="case ') == 1000
    assert text.index('id="case-case-900"') < text.index('id="case-case-1"')  # what is off comes first
    assert '<td class="count number">10</td>' in text  # and is one entry


def overlapping(drawing: Drawing) -> list[tuple[str, str]]:
    boxes = drawing.boxes
    return [
        (a.name, b.name)
        for k, a in enumerate(boxes)
        for b in boxes[:k]
        if a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
    ]


def pictured(graph: Graph, **wrong: Verdict) -> Drawing:
    return draw(boxes(graph), {}, wrong, (*wrong,), graph.output.name)


@pytest.mark.parametrize("path", sorted((shipped() / "layers").glob("*.yaml")), ids=lambda path: path.stem)
def test_boxes_lie_below_what_they_read_and_none_on_another(path: Path) -> None:
    drawing = pictured(load(path).graph)
    assert overlapping(drawing) == []
    assert drawing.left_out == 0
    assert all(box.x >= 0 and box.x + box.width <= drawing.width + 0.1 for box in drawing.boxes)
    for edge in drawing.edges:
        points = [float(number) for number in re.findall(r"-?\d+\.\d", edge)]
        assert points[1] < points[-1]


def test_a_wide_graph_is_drawn_with_arrows_that_bend_around_its_layers() -> None:
    drawing = pictured(wide(12))
    assert overlapping(drawing) == []
    assert len(drawing.boxes) == 24
    assert any(edge.count("V") > 5 for edge in drawing.edges)  # x0 is read once more at the very end


def test_of_a_deep_graph_the_steps_near_what_is_off_are_drawn() -> None:
    drawing = pictured(chain(300), y150="wrong")
    assert {box.name for box in drawing.boxes} == {"y148", "y149", "y150", "y151", "y152", "y299"}
    (guilty,) = [box for box in drawing.boxes if box.guilty]
    assert (guilty.name, guilty.verdict) == ("y150", "wrong")
    assert drawing.left_out == 301 - 6


def test_of_a_deep_sound_graph_the_end_is_drawn() -> None:
    drawing = pictured(chain(300))
    assert len(drawing.boxes) == LARGEST
    assert drawing.boxes[-1].name == "y299"
    assert not any(box.guilty for box in drawing.boxes)


def test_paths_that_lie_on_one_another_are_one_line() -> None:
    drawn = plot({"a": [0.0, 1.0, 2.0], "b": [0.0, 1.0, 2.0], "c": [0.0, 1.0, float("inf")]})
    assert drawn is not None
    assert [line.names for line in drawn.lines] == [("a", "b"), ("c",)]
    assert (drawn.least, drawn.largest, drawn.steps) == (0.0, 2.0, 2)
    assert drawn.lines[0].points.split()[0] == f"0.0,{drawn.height}"
    assert plot({"a": [float("nan"), 1.0]}) is None


# --- in a browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium of this machine."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `pip install playwright`")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_a_browser_it_opens_filters_sorts_and_unfolds(theme: Any, browser: Any, page: Path) -> None:
    said: list[str] = []
    asked: list[str] = []
    tab = browser.new_page(color_scheme=theme)
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", background)[:3])) > 3 * 128
    assert light == (theme == "light")

    cases = tab.locator("#cases details.case")
    assert cases.count() == 4
    tab.keyboard.press("/")  # the keyboard leads to the filter
    tab.keyboard.type("nested")
    assert [name.text_content() for name in tab.locator("#cases .name").all()] == ["nested-nodes"]
    tab.fill("#cases .search", "")
    tab.click("#cases .sort[data-sort=name]")
    names = [name.text_content() for name in tab.locator("#cases .name").all()]
    assert names == sorted(names)

    assert tab.locator("svg.graph").count() == 0  # nothing is built before it is asked for
    tab.locator("#case-nested-nodes > summary").press("Enter")
    tab.wait_for_selector("#case-nested-nodes svg.graph", state="visible")
    assert tab.locator("#case-nested-nodes .plot").count() == 1
    tab.locator("#off td.where a").first.click()
    tab.wait_for_selector("details.case.new[open] .box.guilty", state="visible")
    assert said == []
    assert {address.partition("#")[0] for address in asked} == {page.as_uri()}
    tab.close()
