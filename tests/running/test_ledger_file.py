"""`--ledger FILE`: known disagreements of an engine beside it, in the cases of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gradaccord.harness.cli import main

from ..conftest import engine_file

BENT = engine_file("spoils") + ":bent"
ENTRY = (
    "accept:\n"
    "  - {case: product, engine: 'spoils.py:bent', quantity: QUANTITY, verdict: wrong, reason: planted, within: .inf}\n"
)


def run(product: Path, ledger: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(product.parent)
    Path("mine.yaml").write_text(ledger)
    words = ["run", str(product), "--engine", BENT, "--dtype", "float64", "--ledger", "mine.yaml"]
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, words)


def test_an_entry_beside_the_engine_explains_what_it_is_about(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = ENTRY.replace("QUANTITY", "term")
    done = run(product, ledger + ledger.partition("\n")[2].replace("term", "adjoint"), monkeypatch)
    assert (done.exit_code, "no unexplained disagreement" in done.output) == (0, True)


def test_an_entry_that_does_not_come_true_is_a_finding_at_its_place(
    product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(product, ENTRY.replace("QUANTITY", "value"), monkeypatch)
    assert done.exit_code == 1
    assert "remove or correct the entry at mine.yaml:2" in done.output


@pytest.mark.parametrize(
    "text, said",
    [
        (ENTRY.replace("product", "prodcut").replace("QUANTITY", "term"), "mine.yaml:2:12: no case `prodcut`."),
        (ENTRY.replace("QUANTITY", "term, name: z"), "undefined name `z`"),
        (ENTRY, "mine.yaml:2:57: `QUANTITY` as `quantity`."),
        ("acept: []\n", "unknown key `acept`"),
        ("", "the file is empty.\n  Expected a mapping with `accept`."),
        ("- {case: product}\n", "the file holds a list.\n  Expected a mapping with `accept`."),
    ],
)
def test_a_mistake_in_the_file_is_told_at_its_place(
    text: str, said: str, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(product, text, monkeypatch)
    assert (done.exit_code, said in done.output) == (2, True), done.output
