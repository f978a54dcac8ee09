"""`gradaccord.compare`: real ports of real models, right ones and wrong ones, and the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

import gradaccord
from gradaccord.harness.cli import main
from gradaccord.harness.errors import CommandError

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")


class Block(nn.Module):
    """A residual block with a norm, a gate and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.fc, self.out = nn.LayerNorm(4), nn.Linear(4, 6), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = torch.tanh(self.fc(self.norm(x)))
        return x + self.out(h), h.mean()


def convert(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {name: x.numpy().T if x.ndim == 2 else x.numpy() for name, x in state.items()}


def port(
    eps: float = 1e-5,
    bias: bool = True,
    residual: Callable[[Any], Any] = lambda x: x,
    activation: Callable[[Any], Any] = jnp.tanh,
    outputs: Callable[[Any, Any], Any] = lambda y, h: (y, h.mean()),
) -> Callable[[Any, Any], Any]:
    """The port of Block, with a place for each mistake."""

    def block(p: dict[str, Any], x: Any) -> Any:
        h = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + eps)
        h = activation((h * p["norm.weight"] + p["norm.bias"]) @ p["fc.weight"] + p["fc.bias"])
        y = h @ p["out.weight"]
        return outputs(residual(x) + (y + p["out.bias"] if bias else y), h)

    return block


def compared(made: Callable[[Any, Any], Any], **given: Any) -> Any:
    torch.manual_seed(0)
    return gradaccord.compare(Block(), made, torch.randn(3, 4), parameters=convert, judge=False, **given)


def test_a_right_port_is_the_same_and_both_runs_are_judged() -> None:
    torch.manual_seed(0)
    found = gradaccord.compare(Block(), port(), torch.randn(3, 4), parameters=convert)
    assert found.assert_same() is found and found.sound and found.comparison.digits > 14
    assert len(found.checked) == 2 and all(one.rows and not one.findings for one in found.checked)
    assert not found.comparison.not_compared and "same computation" in str(found)
    assert found.parameters is not None
    words = {one.name: one.words for one in found.parameters.counterparts}
    assert words["p['fc.weight']"] == "fc.weight, transposed" and not found.parameters.missing


MISTAKES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "eps": (port(eps=1e-6), r"layer_norm: eps is 1e-06 at test_compare.py:\d+ and 1e-05 at test_compare.py:\d+"),
    "bias": (port(bias=False), r"no bias at test_compare.py:\d+: `out.bias`"),
    "residual": (port(residual=lambda x: 0 * x), r"residual|left out|scaled"),
    "activation": (port(activation=jax.nn.sigmoid), r"sigmoid at .* for tanh"),
    "sum": (port(outputs=lambda y, h: (y, h.sum())), r"sum at test_compare.py:\d+ for mean at test_compare.py:\d+"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_lines_and_proved(name: str) -> None:
    made, reason = MISTAKES[name]
    found = compared(made)
    (one,) = found.divergences
    assert re.search(reason, one.reason) and one.kind == "value"
    assert one.a.file == one.b.file == __file__ and one.a.line != one.b.line
    assert "balls that do not meet" in one.proof
    with pytest.raises(AssertionError, match="not the same computation"):
        found.assert_same()


def test_several_mistakes_are_all_listed() -> None:
    found = compared(port(eps=1e-6, activation=jax.nn.sigmoid, outputs=lambda y, h: (y, h.sum())))
    reasons = " / ".join(one.reason for one in found.divergences)
    assert len(found.divergences) == 3 and all(word in reasons for word in ("eps is", "sigmoid", "sum at"))


def test_a_stopped_gradient_is_named_where_values_agree() -> None:
    found = compared(port(residual=jax.lax.stop_gradient))
    (one,) = found.divergences
    assert one.kind == "gradient" and "the gradient is stopped by `stop_gradient` at test_compare.py" in one.reason
    assert "on one side" in one.proof


def test_a_stopped_gradient_is_named_whatever_reads_it() -> None:
    """Listeners of torch note once more that nothing flows back where it is read."""

    def original(x: Any) -> Any:
        return ((1 - x.sigmoid()) ** 2 * torch.nn.functional.softplus(-x)).mean()

    def detached(x: Any) -> Any:
        return ((1 - x.sigmoid()).detach() ** 2 * torch.nn.functional.softplus(-x)).mean()

    for pair in ((original, detached), (detached, original)):
        (one,) = gradaccord.compare(*pair, torch.linspace(-2, 2, 6)).divergences
        assert "the gradient is stopped by `detach` at test_compare.py" in one.reason


@pytest.mark.parametrize(
    "outputs, said",
    [
        (lambda y, h: (h.mean(), y), "another order"),
        (lambda y, h: (y[::-1], h.mean()), "reversed along axis 0"),
        (lambda y, h: (jnp.roll(y, 1, 1), h.mean()), "rolled by 1 along axis 1"),
        (lambda y, h: (y, h.mean(), h), "2 outputs of floats on one side, 3 on the other"),
    ],
)
def test_outputs_are_compared_in_their_places(outputs: Callable[[Any, Any], Any], said: str) -> None:
    (one,) = compared(port(outputs=outputs)).divergences
    assert one.kind == "output" and said in one.reason


def test_axes_in_another_order_are_the_same_and_said() -> None:
    found = compared(port(outputs=lambda y, h: (y.T, h.mean())))
    assert found.same and "axes in another order" in found.comparison.layouts[0]


def test_a_bound_that_nothing_reaches_is_said_to_be_not_exercised() -> None:
    found = compared(port(outputs=lambda y, h: (jnp.clip(y, -50.0, 50.0), h.mean())))
    assert found.same and len(found.not_exercised) == 2 and all("50" in one for one in found.not_exercised)


def test_a_large_number_of_a_mask_hides_nothing() -> None:
    def masked(at: float) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: torch.cat([torch.full((3,), -1e30, dtype=x.dtype), x * at])

    assert not gradaccord.compare(masked(1.0), masked(1.0000001), torch.randn(5), judge=False).same
    assert gradaccord.compare(masked(2.0), lambda x: torch.cat([torch.full((3,), -1e30), x + x]), torch.randn(5)).same


def test_a_mask_of_the_smallest_number_is_compared() -> None:
    def masked(hidden: float) -> Callable[[torch.Tensor], torch.Tensor]:
        keep = torch.arange(12).reshape(3, 4) % 4 == 0
        return lambda x: torch.softmax(torch.where(keep, x, torch.tensor(hidden, dtype=x.dtype)), -1) @ x.T

    least = float(torch.finfo(torch.float64).min)
    assert gradaccord.compare(masked(least), masked(float("-inf")), torch.randn(3, 4), judge=False).same
    found = gradaccord.compare(masked(least), masked(-10.0), torch.randn(3, 4), judge=False)
    assert not found.same and "-10" in found.divergences[0].reason


def test_a_parameter_that_convert_leaves_out_is_named() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))

    def short(state: dict[str, torch.Tensor]) -> list[np.ndarray[Any, Any]]:
        return [state["0.weight"].numpy(), state["0.bias"].numpy()]

    found = gradaccord.compare(net, lambda p, x: jnp.tanh(x @ p[0].T + p[1]), torch.randn(2, 3), parameters=short)
    assert found.parameters is not None and not found.same and set(found.parameters.missing) == {"2.weight", "2.bias"}
    assert "missing" in str(found) and "`2.weight`" in found.markdown()


def test_the_same_function_twice_is_no_comparison() -> None:
    with pytest.raises(CommandError, match="the same function twice"):
        gradaccord.compare(torch.tanh, torch.tanh, torch.ones(2))


def test_what_the_users_convert_raises_goes_through() -> None:
    with pytest.raises(KeyError, match="nothing"):
        gradaccord.compare(Block(), port(), torch.randn(3, 4), parameters=lambda state: state["nothing"])


# --- the command ----------------------------------------------------------------------------------------------


def block(mark: str) -> str:
    found = re.findall(rf"^<!-- {mark} -->\n```\w+\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks under <!-- {mark} -->"
    return found[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.py", "port.py"):
        (tmp_path / name).write_text(block(f"file: {name}"))
    return tmp_path


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in this process, which has imported the frameworks, in the folder of the document's files."""
    monkeypatch.chdir(folder)
    return lambda *words: CliRunner(env={"COLUMNS": "100"}).invoke(main, words)


def test_the_documents_command_gives_what_is_shown(folder: Path) -> None:
    words = [sys.executable, "-m", *block("run: 1").split(), "--out", "page.md"]
    environment = {**os.environ, "COLUMNS": "100"}
    run = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 1, run.stderr
    shown, printed = block("output").splitlines(), run.stdout.replace(f"{folder}/", "").splitlines()

    def plain(lines: list[str]) -> str:
        return " ".join(re.sub(r"-?\d+\.\d+|\s+", " ", line) for line in lines).split("a: File")[0].strip()

    assert plain(printed).split() == plain(shown).split()
    assert "eps is 1e-06 at port.py:7 and 1e-05 at model.py:13" in (folder / "page.md").read_text()


def test_a_mended_port_ends_with_0_and_json(folder: Path, command: Callable[..., Result]) -> None:
    (folder / "port.py").write_text((folder / "port.py").read_text().replace("1e-6", "1e-5"))
    run = command(*block("run: 1").split()[1:], "--json")
    assert run.exit_code == 0, run.stdout + run.stderr
    record = json.loads(run.stdout)
    assert (
        record["same"]
        and record["divergences"] == []
        and record["parameters"]["params['w1']"] == "fc.weight, transposed"
    )


def test_files_of_what_was_heard_are_compared(folder: Path, command: Callable[..., Result]) -> None:
    hear = [line for line in DOCUMENT.splitlines() if line.startswith("gradaccord hear ")]
    assert len(hear) == 2 and all(command(*line.split()[1:]).exit_code == 0 for line in hear)
    first = gradaccord.compare(folder / "original.heard", folder / "port.heard").divergences[0]
    assert first.reason == "layer_norm: eps is 1e-06 at port.py:7 and 1e-05 at model.py:13"
    beside = command("compare", "original.heard", "port.heard", "--inputs", "model.py:inputs")
    assert beside.exit_code == 2 and "the inputs are those of the file" in beside.stderr


def test_the_documents_python_runs_as_it_stands(tmp_path: Path) -> None:
    (example,) = re.findall(r"^<!-- python -->\n```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    run = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "words, said",
    [
        (("compare", "model.py:Block", "port.py:blok", "--inputs", "model.py:inputs"), "Did you mean `block`"),
        (("compare", "model.py:Block", "port.py:block", "--inputs", "model.py:inputs"), "parameters=convert"),
        (("compare", "model.py:Block", "model.py:Block", "--inputs", "model.py:inputs"), "the same function twice"),
        (("compare", "model.py:Block", "absent.py:block", "--inputs", "model.py:inputs"), "no file absent.py"),
    ],
)
def test_a_wrong_command_ends_with_2_and_a_remedy(
    command: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    run = command(*words)
    assert run.exit_code == 2 and said in run.stderr and "Traceback" not in run.stderr
