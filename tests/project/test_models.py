"""Public models by name, in small: `python models` hears all of them and keeps docs/models.md."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "models"))

import families
from page import page
from record import Record, line, read

HEARD = Record(
    "zoo/owl", "float64", "heard", nodes=3, numbers=12, value_bits=True, same=1, gradients=2,
    hearing=0.5, judging=1.5, memory=20.4, findings=["wrong: gradient of `x` | y"],
)  # fmt: skip
REFUSED = Record("zoo/elk", "float64", "refused", reason="`horn` has no meaning here yet", where="elk.py:3, horn")


@pytest.mark.parametrize("model", ["Linear", "BatchNorm2d training"])
def test_a_layer_of_torch_is_heard_with_the_bits_of_the_plain_run(model: str) -> None:
    pytest.importorskip("torch")
    from hear import hear

    framework, models = families.family("torch_nn")
    record = hear(f"torch_nn/{model}", models[model], "float64", timeout=60)
    assert framework == "torch"
    assert (record.outcome, record.value_bits, record.same, record.findings) == ("heard", True, record.gradients, [])
    assert record.nodes > 0
    assert record.gradients > 0


def test_a_model_that_cannot_be_made_is_broken_and_one_that_does_not_end_is_out_of_time() -> None:
    pytest.importorskip("torch")
    from hear import hear

    def falls() -> families.Run:
        raise LookupError("no such weights")

    def hangs() -> families.Run:
        while True:
            pass

    broken, late = hear("zoo/elk", falls, "float64", timeout=60), hear("zoo/owl", hangs, "float64", timeout=0.1)
    assert (broken.outcome, broken.reason) == ("broken", "LookupError: no such weights")
    assert (late.outcome, late.reason) == ("out of time", "more than 0.1 s")


def test_a_model_that_was_heard_leaves_no_alarm_behind() -> None:
    pytest.importorskip("torch")
    from hear import hear

    for name, seconds in (("Linear", 60), ("LayerNorm", 1e-4)):
        hear(f"torch_nn/{name}", families.family("torch_nn")[1][name], "float64", timeout=seconds)
        assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGPROF) is signal.SIG_DFL


def test_names_of_models_are_their_own_in_every_family_that_is_installed() -> None:
    pytest.importorskip("torch")
    _, models = families.family("torch_nn")
    every = families.precisions(models)
    assert [name for name, dtype in every if dtype == "float64"] == list(models)
    assert {dtype for _, dtype in every} == {"float64", "float32", "bfloat16"}


def test_the_last_record_of_a_model_counts(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text(
        "".join(f"{line(record)}\n" for record in (Record("zoo/owl", "float64", "crashed"), HEARD, REFUSED))
    )
    assert list(read(records).values()) == [HEARD, REFUSED]


def test_the_page_says_of_each_model_what_became_of_it() -> None:
    text = page([HEARD, REFUSED], "a machine")
    summary = "| float64 | 2 | 1 of 2 (50.0 %) | 1 | 0 | 0 | 0 | 0 | 1 of 1 (100.0 %) | 1 of 2 (50.0 %) | 1 | 0.50 s |"
    assert summary in text
    assert "| refused | `horn` has no meaning here yet | 1 | zoo/elk, float64 |" in text
    assert "| zoo/owl, float64 | wrong: gradient of `x` \\| y |" in text
    assert "| owl | float64 | heard | 3 | 12 | same | 1 of 2 | 0.50 s | 1.50 s | 20 MiB | 1 |" in text
    assert "| elk | float64 | refused: `horn` has no meaning here yet |" in text
