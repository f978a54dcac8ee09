"""`gradaccord new`: a case that is valid as it stands, with the schema that its first line names."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from gradaccord.harness.cli import main
from gradaccord.harness.reading.case import load

MODEL = """\
import torch


def loss(x):
    return torch.tanh(x).sum()


inputs = (torch.tensor([0.5, -1.0]),)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [["my_case"], ["my_case.yaml"], ["my_case", "--from", "model.py:loss"]])
def test_what_it_writes_is_a_case_and_fits_its_schema(words: list[str]) -> None:
    Path("model.py").write_text(MODEL)
    done = CliRunner().invoke(main, ["new", *words])
    assert (done.exit_code, done.output.split()) == (0, ["my_case.yaml", "gradaccord.schema.json"])
    text = Path("my_case.yaml").read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=gradaccord.schema.json"
    assert load(Path("my_case.yaml")).name == "my-case"
    jsonschema.validate(YAML(typ="safe").load(text), json.loads(Path("gradaccord.schema.json").read_text()))


def test_what_is_said_behind_a_mark_is_valid_too() -> None:
    CliRunner().invoke(main, ["new", "a/case"])
    path = Path("a", "case.yaml")
    path.write_text("\n".join(line.removeprefix("# ") for line in path.read_text().splitlines()[1:]))
    case = load(path)
    assert case.update is not None
    assert case.dtypes == ("float64", "float32", "bfloat16")


@pytest.mark.parametrize("words, said", [(["there"], "there.yaml is there already"), (["file/x"], "cannot write")])
def test_nothing_is_overwritten(words: list[str], said: str) -> None:
    Path("there.yaml").write_text("mine")
    Path("file").write_text("mine")
    done = CliRunner().invoke(main, ["new", *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert Path("there.yaml").read_text() == Path("file").read_text() == "mine"
