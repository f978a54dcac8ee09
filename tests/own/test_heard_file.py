"""A function that was heard, written to a file and read back; and files that are none."""

# jax is annotated in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from gradaccord.harness.cli import main
from gradaccord.harness.errors import CommandError
from gradaccord.harness.graph.language.printing import text_of
from gradaccord.harness.graph.operations.operation import Operation
from gradaccord.harness.hearing.heard import Ask
from gradaccord.harness.judging.chain import Chain
from gradaccord.harness.judging.subject import Subject
from gradaccord.harness.own import take as taking
from gradaccord.harness.own.elsewhere import Elsewhere
from gradaccord.harness.own.heard_file import read, write
from gradaccord.harness.own.take import Take, take, take_like
from gradaccord.harness.records.verdicts import FINDINGS

ROOT = Path(__file__).parent.parent.parent
X = torch.linspace(-1, 1, 12).reshape(2, 2, 3)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return 3 * g * ctx.saved_tensors[0] ** 2


class Model(nn.Module):
    """With a rule of its own, an index, a mask, two outputs and a nested input."""

    def __init__(self) -> None:
        super().__init__()
        self.lin, self.norm = nn.Linear(3, 3), nn.LayerNorm(3)

    def forward(self, batch: Any, *, scale: float = 1.0) -> Any:
        x, (tokens, mask) = batch["x"], batch["rest"]
        h = Cube.apply(self.norm(self.lin(x))) * scale
        return h[tokens].masked_fill(mask, -1e9).logsumexp(0), {"mean": h.mean()}


def port(params: Any, batch: Any, *, scale: float = 1.0) -> Any:
    x, (tokens, mask) = batch["x"], batch["rest"]
    h = x @ params["w"] + params["b"]
    h = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-5) * params["g"] + params["c"]
    h = h**3 * scale
    return jax.nn.logsumexp(jnp.where(mask, -1e9, h[tokens]), axis=0), {"mean": h.mean()}


def convert(state: Any) -> Any:
    w, b, g, c = (state[name] for name in ("lin.weight", "lin.bias", "norm.weight", "norm.bias"))
    return {"w": jnp.asarray(w).T, "b": b.numpy(), "g": np.asarray(g), "c": c.detach().cpu().numpy()}


def batch() -> Any:
    return {"x": X, "rest": (torch.tensor([1, 0, 1]), torch.eye(2, 3, dtype=torch.bool)[None])}


@pytest.fixture(scope="module")
def original() -> Take:
    torch.manual_seed(0)
    return take(Model(), (batch(),), {"scale": 0.1}, Ask(dtype="float64"))


@pytest.fixture
def file(original: Take, tmp_path: Path) -> Path:
    path = tmp_path / "original.heard"
    write(original, path)
    return path


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def meaning(operation: Operation) -> Any:
    return operation.name, operation.operands, operation.kind, operation.definition, operation.stable, operation.within


def test_what_is_read_is_what_was_written(original: Take, file: Path) -> None:
    found = read(file)
    assert (found.name, found.framework, found.version) == ("Model", "torch", original.version)
    for p, q in zip(original.points, found.points, strict=True):
        assert same(p.inputs, q.inputs) and same(p.kwargs, q.kwargs) and same(dict(p.state), dict(q.state))
        a, b = p.heard, q.heard
        assert a.graph.nodes == b.graph.nodes and a.graph.outputs == b.graph.outputs and a.outputs == b.outputs
        assert text_of(a.graph) == text_of(b.graph)
        assert [*map(meaning, a.graph.definitions)] == [*map(meaning, b.graph.definitions)] != []
        names = ("values", "gradients", "adjoints", "terms", "output")
        assert all(same(getattr(a.evaluation, name), getattr(b.evaluation, name)) for name in names)
        assert same(dict(a.inputs), b.inputs) and same(a.cotangent, b.cotangent) and a.dtype == b.dtype
        assert a.names == b.names and a.places == b.places and a.notes == b.notes and a.seconds == b.seconds


def test_what_is_read_is_judged_and_compared_as_what_was_heard(original: Take, file: Path) -> None:
    found = read(file)
    heard = found.points[0].heard
    chain = Chain(Subject("heard", 0, heard.dtype, heard.graph, heard.inputs, heard.cotangent), heard.evaluation)
    chain.judge()
    assert len(chain.links) > 10 and not [link for link in chain.links.values() if link.verdict in FINDINGS]
    ask = Ask(dtype="float64")
    for p, q in zip(take_like(found, port, convert, ask).points, original.points, strict=True):
        np.testing.assert_allclose(p.heard.evaluation.output, q.heard.evaluation.output, rtol=1e-13)  # type: ignore[arg-type]


def test_where_the_originals_framework_is_not_installed_convert_gets_arrays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "_listener", lambda _: Elsewhere())
    found = take_like(read(file), port, convert, Ask(dtype="float64"))
    assert len(found.points) == 2


def test_every_precision_and_number_survives(tmp_path: Path) -> None:
    def scaled(x: Any, y: Any, *, by: Any) -> Any:
        return (x * by[0]).sum() + (y * 2).sum().astype(jnp.float32)

    inputs = (jnp.ones((2, 3), jnp.bfloat16) / 3, np.float32(0.1) * np.ones((), np.float32))
    kwargs = {"by": [0.1, float("inf"), -0.0, 10**20, None, True, "text"]}
    once = take(scaled, inputs, kwargs, Ask(wanted=("x", "y")))
    write(once, tmp_path / "a.heard")
    found = read(tmp_path / "a.heard").points[0]
    assert same(found.inputs, once.points[0].inputs) and same(found.kwargs, kwargs)
    assert found.inputs[0].dtype.name == "bfloat16" and found.inputs[1].shape == ()
    write(once, tmp_path / "b.heard")
    assert (tmp_path / "a.heard").read_bytes() == (tmp_path / "b.heard").read_bytes()


def test_an_input_that_is_no_data_is_not_written(original: Take, tmp_path: Path) -> None:
    spoilt = replace(original, points=(replace(original.points[0], kwargs={"f": {1, 2}}),))
    with pytest.raises(CommandError, match="an input of type set cannot be written"):
        write(spoilt, tmp_path / "x.heard")


# --- damage -----------------------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[dict[str, bytes]], Any]) -> None:
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def json_of(change: Callable[[Any], Any]) -> Callable[[dict[str, bytes]], Any]:
    def changed(members: dict[str, bytes]) -> None:
        told = json.loads(members["take.json"])
        change(told)
        members["take.json"] = json.dumps(told).encode()

    return changed


def pickled(members: dict[str, bytes]) -> None:
    from io import BytesIO

    stream = BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members["0.npy"] = stream.getvalue()


def point(told: Any) -> Any:
    return told["points"][0]


def node(k: int, **new: Any) -> Callable[[dict[str, bytes]], Any]:
    """Another node of the graph."""
    return json_of(lambda told: point(told)["graph"]["nodes"][k].update(new))


DAMAGED: dict[str, tuple[Callable[[dict[str, bytes]], Any], str]] = {
    "no json": (lambda m: m.pop("take.json"), "a zip without take.json"),
    "half a json": (lambda m: m.update({"take.json": m["take.json"][:100]}), "is damaged: JSONDecodeError"),
    "another zip": (json_of(lambda t: t.update(format="other")), "does not say `gradaccord heard`"),
    "a list": (lambda m: m.update({"take.json": b"[1]"}), "does not say `gradaccord heard`"),
    "another version": (
        json_of(lambda t: t.update(version=99, gradaccord="7.0")),
        "format 99, written by .* 7.0",
    ),
    "an array is missing": (lambda m: m.pop("3.npy"), "is damaged: KeyError.*3.npy"),
    "an array is cut off": (lambda m: m.update({"3.npy": m["3.npy"][:-5]}), "is damaged"),
    "an array is no array": (lambda m: m.update({"3.npy": b"hello"}), "is damaged"),
    "a pickle": (pickled, "is damaged: ValueError: Object arrays cannot be loaded"),
    "no points": (json_of(lambda t: t.update(points=[])), "no point"),
    "a key is missing": (json_of(lambda t: point(t).pop("cotangent")), "KeyError: 'cotangent'"),
    "an operation that is none": (node(-1, op="os"), "is no operation"),
    "an operand that is none": (
        json_of(lambda t: point(t)["graph"]["nodes"][-1].update(args=["q"])),
        "is damaged: KeyError: 'q'",
    ),
    "an output that is none": (json_of(lambda t: point(t).update(outputs=["q"])), "an output that is no node"),
    "another output that is none": (json_of(lambda t: point(t)["graph"].update(outputs=["q"])), "an output that is no"),
    "another shape": (node(0, shape=[9]), "is damaged"),
    "another kind": (node(0, kind="str"), "of kind 'str'"),
    "another dtype": (json_of(lambda t: point(t)["output"].update(dtype="float32")), "where float32 is expected"),
    "a definition of code": (
        json_of(lambda t: point(t)["graph"]["definitions"][0].update(text="__import__('os').system('x')")),
        "is damaged",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_told(name: str, file: Path) -> None:
    change, said = DAMAGED[name]
    rewritten(file, change)
    with pytest.raises(CommandError, match=said) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_what_is_no_zip_or_not_there_is_told(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    for cut in (data[: len(data) // 2], b"", b"hello"):
        file.write_bytes(cut)
        with pytest.raises(CommandError, match="damaged, or no file that `gradaccord hear` wrote"):
            read(file)
    file.write_bytes(data[:200] + bytes([data[200] ^ 255]) + data[201:])  # one byte
    with pytest.raises(CommandError, match="is damaged"):
        read(file)
    with pytest.raises(CommandError, match=r"no file .*`gradaccord hear` writes one"):
        read(tmp_path / "nothing.heard")


# --- the command ------------------------------------------------------------------------------------------------------

PAGE = ROOT / "docs" / "compare.md"


def files_of_the_page(folder: Path) -> list[str]:
    """The files of the page, written; the commands of its section on two environments."""
    page = PAGE.read_text()
    for name, text in re.findall(r"^<!-- file: (\w+\.py) -->\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(text)
    section = page.partition("## The file: two environments")[2]
    return re.findall(r"^gradaccord (hear .*)$", section, re.MULTILINE)


def test_the_page_on_two_environments_does_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = files_of_the_page(tmp_path)
    assert len(commands) == 2
    for words in commands:
        done = CliRunner().invoke(main, words.split())
        assert done.exit_code == 0, done.output
    a, b = read(tmp_path / "original.heard"), read(tmp_path / "port.heard")
    assert (a.framework, b.framework) == ("torch", "jax")
    outputs = [take.points[1].heard.evaluation.output for take in (a, b)]
    assert outputs[0] is not None and outputs[1] is not None
    assert 1e-9 < np.abs(outputs[0] - outputs[1]).max() < 1e-3  # the port's eps is another one


BAD = {
    "hear model.py:Block -o x.zip": "ends in .heard",
    "hear model.py:Block --inputs model.py:inputs --like original.heard -o x.heard": "exclude each other",
    "hear port.py:block --parameters port.py:convert -o x.heard": "`--parameters` without `--like FILE.heard`",
    "hear port.py:block --like nothing.heard -o x.heard": "no file nothing.heard",
    "hear port.py:block --like model.py -o x.heard": "damaged, or no file that `gradaccord hear` wrote",
    "hear model.py:Blok -o x.heard": "Did you mean `Block`",
}


def test_wrong_commands_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files_of_the_page(tmp_path)
    for words, said in BAD.items():
        done = CliRunner().invoke(main, words.split())
        assert done.exit_code == 2 and said in done.output, (words, done.output)
    (tmp_path / "bad.py").write_text("def convert(state):\n    return state['nothing']\n")
    CliRunner().invoke(main, files_of_the_page(tmp_path)[0].split())
    done = CliRunner().invoke(
        main, ["hear", "port.py:block", "--like", "original.heard", "--parameters", "bad.py", "-o", "x.heard"]
    )
    assert done.exit_code == 2 and "bad.py" in done.output and "KeyError: 'nothing'" in done.output
    assert asdict(read("original.heard").points[0].heard.places["layer_norm"])["line"] == 13
