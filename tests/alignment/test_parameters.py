"""Parameters are matched by their numbers, however a port lays them out: words for a table, a map for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradaccord.harness.alignment.parameters import matching

RNG = np.random.default_rng(0)
A: dict[str, Any] = {
    "fc.weight": RNG.normal(size=(6, 4)),
    "q.weight": RNG.normal(size=(8, 4)),
    "k.weight": RNG.normal(size=(8, 4)),
    "v.weight": RNG.normal(size=(8, 4)),
    "q.bias": RNG.normal(size=8),
    "in_proj_weight": RNG.normal(size=(24, 8)),
    "conv.weight": RNG.normal(size=(5, 4, 3, 2)),
    "weight_ih": RNG.normal(size=(16, 3)),
    "bias_ih": RNG.normal(size=16),
    "bias_hh": RNG.normal(size=16),
    "temperature": RNG.normal(size=()),
    "emb": np.where(np.arange(10)[:, None] == 3, 0.0, RNG.normal(size=(10, 4))),
}


def gates(x: Any) -> Any:
    i, f, g, o = np.split(x, 4)
    return np.concatenate([i, g, f, o])


def fused(qkv: Any) -> Any:
    """Heads as JAX's libraries have them: (model, heads, 3 * size)."""
    return qkv.reshape(3, 2, 4, 8).transpose(3, 1, 0, 2).reshape(8, 2, 12)


def merged(out: Any) -> Any:
    return out.reshape(2, 4, 4).transpose(1, 0, 2).reshape(8, 4)


MADE: dict[str, tuple[Any, str]] = {
    "as it is": (lambda a: a["fc.weight"], "fc.weight"),
    "a single number": (lambda a: a["temperature"], "temperature"),
    "transposed": (lambda a: a["fc.weight"].T, "fc.weight, transposed"),
    "reshaped": (lambda a: a["fc.weight"].reshape(2, 3, 4), "fc.weight, reshaped"),
    "axes": (lambda a: a["conv.weight"].transpose(2, 3, 1, 0), "axes (2, 3, 1, 0) of conv.weight"),
    "flipped": (lambda a: a["conv.weight"][:, :, ::-1, ::-1], "conv.weight, flipped along axis 2 and 3"),
    "concat": (
        lambda a: np.concatenate([a["q.weight"].T, a["k.weight"].T, a["v.weight"].T], axis=1),
        "concat of q.weight, k.weight, v.weight, each transposed",
    ),
    "stack": (lambda a: np.stack([a["q.weight"], a["k.weight"]]), "stack of q.weight, k.weight"),
    "rows": (lambda a: a["in_proj_weight"][:8].T, "rows 0:8 of in_proj_weight, transposed"),
    "columns": (lambda a: a["fc.weight"][:, 1:3], "columns 1:3 of fc.weight"),
    "some of each axis": (lambda a: a["conv.weight"][1:3, :, ::2], "conv.weight[1:3, :, 0:3:2, :]"),
    "gates": (lambda a: gates(a["weight_ih"]), "rows 0:4, 8:12, 4:8, 12:16 of weight_ih"),
    "gates of a bias": (lambda a: gates(a["bias_ih"]), "elements 0:4, 8:12, 4:8, 12:16 of bias_ih"),
    "heads": (
        lambda a: a["q.weight"].reshape(2, 4, 4).transpose(0, 2, 1),
        "q.weight reshaped to (2, 4, 4), axes (0, 2, 1) of that",
    ),
    "heads merged": (lambda a: merged(a["q.weight"]), "q.weight, in another order"),
    "fused heads": (
        lambda a: fused(a["in_proj_weight"]),
        "rows 0:8, 8:16, 16:24 of in_proj_weight, transposed, reshaped",
    ),
    "rows of zeros": (lambda a: a["emb"].T, "emb, transposed"),
    "in float32": (lambda a: a["fc.weight"].T.astype(np.float32), "fc.weight, transposed"),
    "sum": (lambda a: a["bias_ih"] + a["bias_hh"], "bias_ih + bias_hh"),
    "scaled": (lambda a: a["q.weight"].T * 0.5, "0.5 times q.weight transposed"),
    "arithmetic": (lambda a: np.exp(a["fc.weight"]), "no counterpart (made by arithmetic)"),
}


@pytest.mark.parametrize("name", MADE)
def test_a_leaf_is_told_and_other_numbers_are_carried_over(name: str) -> None:
    make, words = MADE[name]
    found = matching(A, {"x": make(A)})
    (one,) = found.counterparts
    assert one.words == words
    if "arithmetic" in words:
        assert found.unused == ("x",) and not found.carry(A)
        return
    assert not found.unused and one.sources
    other = {key: RNG.normal(size=x.shape) for key, x in A.items()}
    np.testing.assert_allclose(found.carry(other)["x"], make(other), rtol=1e-6)
    # What is pulled back is the transpose of what is carried over.
    weights = RNG.normal(size=make(A).shape)
    pulled = found.pull({"x": weights})
    along = sum(float((pulled[key] * other[key]).sum()) for key in pulled)
    assert along == pytest.approx(float((weights * make(other)).sum()), rel=1e-6)


def test_what_is_missing_unused_or_twice_used_is_named() -> None:
    b = {"w": A["fc.weight"].T, "again": A["fc.weight"], "q": A["q.weight"][:4], "own": RNG.normal(size=3)}
    found = matching(A | {"steps": np.array(3), "mask": np.tril(np.ones((3, 3)))}, b)
    assert found.twice == ("fc.weight",) and found.unused == ("own",) and found.partly == ("q.weight",)
    assert set(found.missing) == set(A) - {"fc.weight", "q.weight"}
    whole = matching(A, dict(A))
    assert not (whole.missing or whole.partly or whole.unused or whole.twice)


def test_a_tied_leaf_is_used_by_one_name_or_both() -> None:
    tied = {"emb": A["emb"], "head": A["emb"]}
    for b in ({"e": A["emb"]}, {"e": A["emb"], "h": A["emb"].T}):
        found = matching(tied, b)
        assert not (found.missing or found.twice or found.unused)
    assert matching(tied, {"e": A["emb"], "h": A["emb"].T, "o": A["emb"]}).twice == ("emb",)


def test_constants_are_told_apart_by_names_and_modules() -> None:
    a: dict[str, Any] = {"b0.fc.weight": A["fc.weight"], "b0.fc.bias": np.zeros(6), "b1.fc.weight": 2 * A["fc.weight"],
         "b1.fc.bias": np.zeros(6), "n1.weight": np.ones(6), "n1.bias": np.zeros(6), "n2.weight": np.ones(6),
         "n2.bias": np.zeros(6)}  # fmt: skip
    b = {"['x']['bias']": a["b1.fc.bias"], "['x']['kernel']": a["b1.fc.weight"].T,
         "['y']['bias']": a["b0.fc.bias"], "['y']['kernel']": a["b0.fc.weight"].T,
         "['n1']['bias']": np.zeros(6), "['n1']['scale']": np.ones(6),
         "['n2']['bias']": np.zeros(6), "['n2']['scale']": np.ones(6), "other": np.ones(7)}  # fmt: skip
    found = {one.name: one.sources for one in matching(a, b).counterparts}
    assert found["['x']['bias']"] == ("b1.fc.bias",) and found["['y']['bias']"] == ("b0.fc.bias",)
    for n in ("n1", "n2"):
        assert found[f"['{n}']['bias']"] == (f"{n}.bias",) and found[f"['{n}']['scale']"] == (f"{n}.weight",)
    assert found["other"] == ()


def test_numbers_that_occur_twice_are_placed_by_their_neighbours() -> None:
    few = {"w": np.round(RNG.normal(size=(40, 30)), 3), "v": np.round(RNG.normal(size=(40, 30)), 3)}
    found = matching(few, {"x": np.concatenate([few["w"].T, few["v"].T])})
    assert found.counterparts[0].words == "concat of w, v, each transposed"
