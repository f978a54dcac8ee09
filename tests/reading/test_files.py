"""Files and folders that hold no case, or too much of one: each is refused, quickly, and says what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gradaccord.harness.reading.case import CaseErrors, find, load_all

from ..conftest import errors_of

HEAD = "name: x\ninputs: {a: 1, b: 2}\ngraph:\n"
TWO = "name: x\ninputs: {a: [1, 2], b: 2}\ngraph:\n  f: a * b\n"


def test_a_missing_file_and_an_empty_folder_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaseErrors) as caught:
        find([tmp_path / "empty", tmp_path / "missing.yaml"])
    assert [error.found for error in caught.value.errors] == ["the folder holds no case", "the file does not exist"]
    assert "does not exist" in str(errors_of(tmp_path / "missing.yaml"))
    assert "is a folder" in str(errors_of(tmp_path / "empty"))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in str(errors_of(tmp_path / "pipe.yaml"))
    os.mkfifo(tmp_path / "w.npy")
    path = tmp_path / "case.yaml"
    path.write_text("name: x\ninputs: {a: {file: w.npy}}\ngraph:\n  f: sin(a)\n")
    assert "no file `w.npy`" in str(errors_of(path))


def test_a_file_of_ten_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(b"\x00" * 10_000_000)
    assert "larger than 2 MB" in str(errors_of(path))


@pytest.mark.parametrize(
    "data, place", [(b"name: x\nabout: \xff\n", "2:8: the byte 0xff"), (b"\xff\xfen\x00", "1:1: the byte 0xff")]
)
def test_bytes_that_are_no_utf8_are_named(tmp_path: Path, data: bytes, place: str) -> None:
    path = tmp_path / "case.yaml"
    path.write_bytes(data)
    assert f"{path}:{place}" in str(errors_of(path))


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    lines = ["k0: &k0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 10)}]" for n in range(1, 30)]
    path.write_text("\n".join(lines))
    assert "aliases written out" in str(errors_of(path))


def test_definitions_that_double_at_each_level_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradaccord.harness.reading.statements.MAX_GRAPH", 1000)
    path = tmp_path / "case.yaml"
    lines = ["  f0(x): x * x"] + [f"  f{n}(x): f{n - 1}(x) + f{n - 1}(x)" for n in range(1, 60)]
    path.write_text("\n".join(["name: x", "inputs: {a: 1}", "define:", *lines, "graph:", "  f: f59(a)", ""]))
    assert "more than 1,000 nodes" in str(errors_of(path))


def test_a_symbolic_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.ones(3))
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "w.npy").symlink_to(tmp_path / "secret.npy")
    path = folder / "case.yaml"
    path.write_text("name: x\ninputs: {a: {file: w.npy}}\ngraph:\n  f: sin(a)\n")
    assert "inside the folder of the case" in str(errors_of(path))


@pytest.mark.parametrize(
    "array, said",
    [
        (np.array([object()], dtype=object), "cannot be read"),
        (np.array([1, 2]), "`w.npy` holds int64"),
        (np.array([1j]), "`w.npy` holds complex128"),
        (np.array(["a"]), "`w.npy` holds <U1"),
    ],
)
def test_a_file_of_something_else_than_floats_is_refused(tmp_path: Path, array: np.ndarray, said: str) -> None:
    np.save(tmp_path / "w.npy", array, allow_pickle=True)
    path = tmp_path / "case.yaml"
    path.write_text("name: x\ninputs: {a: {file: w.npy}}\ngraph:\n  f: sin(a)\n")
    error = errors_of(path)
    assert said in str(error)
    assert (error.errors[0].line, error.errors[0].column) == (2, 20)


def test_a_truncated_array_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones(100))
    (tmp_path / "w.npy").write_bytes((tmp_path / "w.npy").read_bytes()[:200])
    path = tmp_path / "case.yaml"
    path.write_text("name: x\ninputs: {a: {file: w.npy}}\ngraph:\n  f: sin(a)\n")
    assert "cannot be read" in str(errors_of(path))


def test_two_cases_of_one_name_are_an_error(tmp_path: Path) -> None:
    for file in ("one.yaml", "two.yaml"):
        (tmp_path / file).write_text(TWO)
    with pytest.raises(CaseErrors, match=r"the name `x` is that of .*one\.yaml too"):
        load_all(find([tmp_path]))


def test_the_mistakes_of_several_files_come_together(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("name: x\n")
    (tmp_path / "two.yaml").write_text("- 1\n")
    with pytest.raises(CaseErrors) as caught:
        load_all(find([tmp_path]))
    assert [(error.path.name, error.line) for error in caught.value.errors] == [
        ("one.yaml", 1),
        ("one.yaml", 1),
        ("two.yaml", 1),
    ]
