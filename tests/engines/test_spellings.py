"""What `gradaccord ops NAME` says of frameworks is so of those installed: each path is one, each default theirs."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from gradaccord.harness.graph.operations import OPERATIONS
from gradaccord.harness.records.spelling import Spelling
from gradaccord.harness.telling.showing import operation_text, spellings

TABLES = spellings()
ROWS = [pytest.param(engine, name, id=f"{engine}-{name}") for engine, table in TABLES.items() for name in table]


def function_of(engine: str, path: str) -> Any:
    pytest.importorskip(engine)
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(path)


def stated(spelling: Spelling) -> tuple[str, dict[str, object]]:
    """The path of a call, and the defaults that it states."""
    text = spelling.call if "(" in spelling.call else spelling.call + "()"
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    return ast.unparse(call.func), {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}


def own_default(function: Any, name: str) -> object:
    """From its signature, or for a builtin from the first line of its documentation."""
    try:
        return inspect.signature(function).parameters[name].default
    except ValueError:
        found = re.search(rf"\b{name} ?= ?([^,)]+)", function.__doc__.partition("->")[0])
        assert found, f"{function} says no default of {name}"
        return ast.literal_eval(found[1])


def untrue(engine: str, spelling: Spelling) -> list[str]:
    path, defaults = stated(spelling)
    function = function_of(engine, path)
    return [name for name, default in defaults.items() if own_default(function, name) != default]


@pytest.mark.parametrize("engine, name", ROWS)
def test_each_path_is_there_with_the_defaults_that_are_stated(engine: str, name: str) -> None:
    assert untrue(engine, TABLES[engine][name]) == []


def test_a_default_that_is_not_so_is_caught() -> None:
    assert untrue("torch", Spelling("torch.var(input, correction=0)")) == ["correction"]
    assert untrue("jax", Spelling("jax.nn.gelu(x, approximate=False)")) == ["approximate"]
    with pytest.raises(AttributeError):
        untrue("torch", Spelling("torch.vary"))


@pytest.mark.parametrize("engine", TABLES)
def test_every_operation_is_spelled(engine: str) -> None:
    assert set(TABLES[engine]) == set(OPERATIONS) - {"max_share"}


@pytest.mark.parametrize("engine", TABLES)
def test_a_parameter_s_default_that_differs_from_ours_has_a_note(engine: str) -> None:
    ours = {"epsilon": "eps", "ddof": "correction"}
    for name, spelling in TABLES[engine].items():
        _, defaults = stated(spelling)
        for parameter, default in defaults.items():
            row = OPERATIONS[name].parameters
            own = ours.get(parameter, parameter)
            if own in row and row[own] != "required" and row[own] != default and not isinstance(row[own], tuple):
                assert spelling.note or parameter == "ignore_index", (name, parameter)


def test_what_the_notes_say_of_numbers() -> None:
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    x = np.array([-1.0, 0.5, 3.0])
    t, j = torch.tensor(x), jax.numpy.asarray(x, dtype="float32")
    functional = torch.nn.functional
    assert np.isclose(torch.var(t), np.var(x, ddof=1)) and np.isclose(jax.numpy.var(j), np.var(x))
    erf, tanh = functional.gelu(t), functional.gelu(t, approximate="tanh")
    assert np.allclose(jax.nn.gelu(j), tanh, atol=1e-6) and not np.allclose(jax.nn.gelu(j), erf, atol=1e-6)
    assert functional.softplus(torch.tensor(20.5, dtype=torch.float64)) == 20.5
    mean, var = torch.zeros(1), torch.ones(1)
    functional.batch_norm(torch.tensor([[1.0], [3.0]]), mean, var, training=True, momentum=0.25)
    assert (mean.item(), var.item()) == (0.25 * 2, 0.75 * 1 + 0.25 * 2)  # 2 is the variance with n - 1
    eps = torch.finfo(torch.float32).eps
    zero = torch.tensor([1e-4], dtype=torch.float32)
    assert np.isclose(functional.rms_norm(zero, (1,)), 1e-4 / np.sqrt(1e-8 + eps), rtol=1e-5)
    target = torch.tensor([0, -100])
    assert functional.cross_entropy(t.repeat(2, 1), target) == functional.cross_entropy(t[None], target[:1])
    assert np.isnan(jax.numpy.take(j, 7)) and not np.any(jax.nn.one_hot(7, 3))
    assert functional.hardtanh(t).tolist() == np.clip(x, -1, 1).tolist()


def test_what_the_notes_say_of_flax() -> None:
    linen = pytest.importorskip("flax.linen")
    assert (linen.BatchNorm.momentum, linen.BatchNorm.epsilon) == (0.99, 1e-5)
    assert linen.LayerNorm.epsilon == linen.GroupNorm.epsilon == linen.RMSNorm.epsilon == 1e-6


def test_one_operation_tells_how_it_is_spelled() -> None:
    text = operation_text("var")
    assert "torch: torch.var(input, dim=None, correction=1)\n    it divides by n - 1" in text
    assert "jax: jax.numpy.var(a, axis=None, ddof=0)" in text
    assert "elsewhere" not in operation_text("max_share")


def test_no_framework_is_loaded_to_tell_it() -> None:
    code = (
        "import sys; from gradaccord.harness.telling.showing import operation_text; operation_text('gelu'); "
        "sys.exit(bool({'torch', 'jax'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
