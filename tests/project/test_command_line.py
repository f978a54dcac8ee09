"""`docs/command-line.md`: its commands print what it shows, and it names every key and every option."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradaccord.harness.cli import main, run

from ..conftest import PRODUCT, engine_file
from .test_verdict_cases import told_in

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "command-line.md").read_text()
BLOCKS = re.findall(r"^```console\n\$ gradaccord (.*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("words, shown", BLOCKS, ids=[words for words, _ in BLOCKS])
def test_a_command_prints_what_the_page_shows(
    words: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*shlex.split(words), "--out", str(tmp_path)])
    assert told_in(shown, done.output), done.output
    assert done.exit_code == ("--strict" in words)


@pytest.mark.parametrize("kind", ["finding", "summary"])
def test_every_key_has_its_row(kind: str, tmp_path: Path) -> None:
    (tmp_path / "product.yaml").write_text(PRODUCT)
    bent = engine_file("spoils") + ":bent"
    words = ["run", str(tmp_path / "product.yaml"), "-e", bent, "--json", "--out", str(tmp_path / "out")]
    lines = CliRunner().invoke(main, words).stdout.splitlines()
    keys = {key for one in map(json.loads, lines) if one["type"] == kind for key in one}
    table = PAGE.partition(f"<!-- keys: {kind} -->\n\n")[2].partition("\n\n")[0]
    heads = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert {name for head in heads for name in re.findall(r"`(\w+)`", head)} == keys


def test_the_page_explains_every_option_about_what_is_told() -> None:
    names = {name for option in run.params for name in option.opts if name.startswith("--")}
    about_the_run = {"--engine", "--dtype", "--out", "--jobs", "--cluster", "--timeout"}
    assert names - about_the_run <= set(re.findall(r"`(--[a-z-]+)", PAGE))
