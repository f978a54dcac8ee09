"""What docs/cases.md says of the case language is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradaccord.harness.graph import build
from gradaccord.harness.reading import inputs, schema, statements, yaml_text, yaml_tree
from gradaccord.harness.reading.case import Case, CaseErrors, load
from gradaccord.harness.reading.keys import KEYS
from gradaccord.harness.rules import RULES
from gradaccord.harness.telling.rules import rules_page
from gradaccord.harness.telling.showing import operation_text

PAGE = (Path(__file__).parent.parent.parent / "docs" / "cases.md").read_text(encoding="utf-8")
EXAMPLES: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BASE = "name: base\ninputs: {x: 0}\ngraph:\n  f: abs(x)\n"


def loaded(folder: Path, text: str) -> Case:
    path = folder / "case.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.split("\n")[0] for text in EXAMPLES])
def test_every_example_loads(tmp_path: Path, text: str) -> None:
    """One that shows a single key is added to a case without it."""
    case = loaded(tmp_path, text if text.startswith("name:") else BASE + text)
    assert case.graph.operations


@pytest.mark.parametrize("description", re.findall(r"`(\{[^`]*(?:shape|values)[^`]*\})`", PAGE))
def test_every_description_loads(tmp_path: Path, description: str) -> None:
    case = loaded(tmp_path, BASE.replace("{x: 0}", "\n  x: 1\n  y: " + description) + "  g: f + sum(astype(y))\n"
                  if re.search(r"int64|bool|integers", description)
                  else BASE.replace("{x: 0}", "\n  x: " + description))  # fmt: skip
    assert case.points[0].inputs


def test_the_error_shown_is_the_one_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    Path("case.yaml").write_text(EXAMPLES[0].replace("y: softplus", "y: sotfplus"))
    with pytest.raises(CaseErrors) as caught:
        load(Path("case.yaml"))
    count = re.compile(r"all \d+")
    assert count.sub("all", str(caught.value)) == count.sub("all", shown[1].strip())


def test_the_spellings_shown_are_those_that_are_told() -> None:
    _, shown = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown.rstrip() in operation_text("var")


def test_every_key_is_in_the_table() -> None:
    rows = {name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert set(KEYS) <= rows


def test_the_limits_are_those_of_the_code() -> None:
    stated = PAGE.partition("## Limits")[2]
    for limit in (
        f"{yaml_text.MAX_BYTES // 10**6} MB",
        f"{yaml_tree.MAX_DEPTH} levels",
        f"{yaml_tree.MAX_NODES:,} values",
        f"{yaml_tree.MAX_WRITTEN:,}",
        f"{yaml_text.MAX_LINES:,} lines",
        f"{yaml_text.MAX_ERRORS} mistakes",
        f"{inputs.MAX_MADE:,} numbers",
        f"{build.MAX_AXES} axes",
        f"{inputs.MAX_ELEMENTS:,} elements",
        f"{schema.MAX_DIGITS:,} characters",
        f"{statements.MAX_GRAPH:,} nodes",
    ):
        assert limit in " ".join(stated.split())
    assert inputs.DIGITS == 9
    assert "nine significant digits" in PAGE


def test_the_page_of_update_rules_is_made_from_their_rows() -> None:
    """To make it anew, put what `rules_page()` gives behind its introduction."""
    page = (Path(__file__).parent.parent.parent / "docs" / "update-rules.md").read_text(encoding="utf-8")
    assert page.endswith(rules_page())


def test_the_page_says_how_many_rules_there_are() -> None:
    assert f"There are {len(RULES)} rules" in PAGE
