"""The page of two functions that are compared: both graphs up to where they part."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import gradaccord
from gradaccord.harness.cli import main

GUILTY = re.compile(r'<g class="box[^"]*guilty"[^>]*><title>([^<]*)</title>')
ALIKE = re.compile(r'<g class="box v-agree"[^>]*><title>([^<]*)</title>')


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x))).sum(-1)


def port(activation: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any, torch.Tensor], torch.Tensor]:
    def ported(p: Any, x: torch.Tensor) -> torch.Tensor:
        return (activation(x @ p["first.weight"].T + p["first.bias"]) @ p["second.weight"].T + p["second.bias"]).sum(-1)

    return ported


def compared(activation: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    torch.manual_seed(0)
    return gradaccord.compare(Net(), port(activation), torch.randn(2, 3), parameters=dict, judge=False)


def halves(page: str) -> list[str]:
    return re.findall(r"<section>.*?</section>", page, re.DOTALL)


def test_both_graphs_are_drawn_up_to_where_they_part() -> None:
    first, second = halves(compared(torch.sigmoid).html())
    assert GUILTY.findall(first) == ["tanh"] and GUILTY.findall(second) == ["sigmoid"]
    assert ALIKE.findall(first) == ["x: agree", "first_linear: agree"]
    assert "sum" not in first and "1 call more, behind where they part" in first
    assert "first.weight" not in first and "p[" not in second  # both have them: they stand in the table
    assert all(re.search(r">test_beside\.py:\d+ 2x4: -?\d", half) for half in (first, second))


def test_the_same_computation_is_green_to_its_end() -> None:
    page = compared(torch.tanh).html()
    assert "are the same computation" in page and not GUILTY.findall(page)
    for half in halves(page):
        assert "sum" in half and "behind" not in half
        assert len(ALIKE.findall(half)) == half.count('<g class="box')


def test_a_parameter_that_the_other_side_lacks_is_drawn() -> None:
    torch.manual_seed(0)

    def without_bias(p: Any, x: torch.Tensor) -> torch.Tensor:
        return (torch.tanh(x @ p["first.weight"].T) @ p["second.weight"].T + p["second.bias"]).sum(-1)

    first, _ = halves(gradaccord.compare(Net(), without_bias, torch.randn(2, 3), parameters=dict, judge=False).html())
    assert GUILTY.findall(first) == ["first_linear"]


def test_a_stopped_gradient_is_marked_where_all_numbers_agree() -> None:
    first, second = halves(compared(lambda x: torch.tanh(x).detach()).html())
    assert GUILTY.findall(second) == ["stop_gradient"]
    assert GUILTY.findall(first) == ["tanh"]  # what the other side stops
    assert {"x: agree", "tanh: agree"} <= {*ALIKE.findall(second)}


def test_outputs_in_another_order_are_drawn_too() -> None:
    def two(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.sin(), x.cos()

    def turned(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.cos(), x.sin()

    page = gradaccord.compare(two, turned, torch.randn(3), judge=False).html()
    assert "another order" in page and len(halves(page)) == 2


def test_the_page_is_whole_loads_nothing_and_keeps_names_from_being_markup() -> None:
    def port(x: torch.Tensor) -> torch.Tensor:
        return x * 2.0

    port.__qualname__ = port.__name__ = "<script>port</script>"
    page = gradaccord.compare(lambda x: x * 3.0, port, torch.randn(3), judge=False).html()
    assert "<script>" not in page and "&lt;script&gt;port" in page
    assert not re.search(r"""(src|href)=["'](?!data:,)""", page)
    opened: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "link"):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Tags().feed(page)
    assert not opened


@pytest.mark.parametrize("name, begins", [("page.html", "<!doctype html>"), ("page.md", "# ")])
def test_the_command_writes_what_the_files_name_says(
    name: str, begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(
        "import torch\ndef f(x):\n    return x.sin()\ndef g(x):\n    return x.cos()\ndef inputs():\n"
        "    return (torch.ones(2),)\n"
    )
    done = CliRunner().invoke(main, ["compare", "model.py:f", "model.py:g", "--out", f"out/{name}"])
    assert done.exit_code == 1, done.output
    assert (tmp_path / "out" / name).read_text().lstrip().startswith(begins)
