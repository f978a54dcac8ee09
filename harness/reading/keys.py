"""The keys of a case file: the one table behind the loader's checks and the JSON Schema.

`case.py` gives what was read its meaning.
"""

from __future__ import annotations

from typing import Any, get_args

from ..records.evaluation import DTYPES, Derivative
from ..records.rows import Quantity
from ..records.verdicts import Verdict
from ..rules.rule import RULES
from .descriptions import DESCRIPTION_FORM, INPUT, RAW
from .editors import for_editors
from .schema import (
    COUNT,
    EXPRESSION_TEXT,
    SIZE,
    TEXT,
    Form,
    Key,
    list_of,
    located,
    mapping_of,
    one_of,
    pattern,
    record,
)
from .yaml_text import Scalar

NAME = pattern(
    "letters, digits, `-`, `_` and `.`",
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
    "it names the case in tables, tests and file names",
)
# As PEP 440 has them.
BOUND = (
    r"(?:(?:>=|<=|>|<|!=)\s*\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?"
    r"|==\s*\d+(?:\.\d+)*(?:\.\*)?|~=\s*\d+(?:\.\d+)+)"
)
VERSIONS = pattern(
    "version bounds such as `>=2.0,<2.14`",
    rf"{BOUND}(?:\s*,\s*{BOUND})*",
    'quote it: `versions: ">=2.0"`',
)
DTYPE = one_of(tuple(DTYPES))
ENGINE = pattern("an engine's name such as torch or jax:jit", r"[^\s,]+")
EXPRESSION = located(EXPRESSION_TEXT)
STEPS = Form(COUNT.expected, {"type": "integer", "minimum": 1}, COUNT.read)  # `update.check` refuses 0

_EXPECTED = mapping_of(located(RAW), "a mapping from names to numbers", least=1)
EXPECT = mapping_of(
    located(RAW),
    "a mapping from names of nodes to numbers",
    least=1,
    fixed={"gradient": Key(_EXPECTED, "gradients of the output with respect to inputs or nodes")},
)
POINT = mapping_of(
    INPUT, "a mapping from inputs to numbers", least=1, fixed={"expect": Key(EXPECT, "what is expected at this point")}
)
GROUPS = list_of(
    mapping_of(
        EXPRESSION,
        "a mapping with `inputs` and settings of theirs",
        least=2,
        fixed={
            "inputs": Key(
                list_of(located(TEXT), "a list of inputs", least=1), "whose settings these are", required=True
            )
        },
    ),
    "a list of mappings with `inputs` and settings",
)
UPDATE = mapping_of(
    EXPRESSION,  # a number, a formula of t, or an answer: `update.faults` says which
    "a mapping with `rule`, `step_size` and `steps`, and further settings of the rule",
    fixed={
        "rule": Key(located(one_of(tuple(RULES))), "the update rule", required=True),
        "steps": Key(located(STEPS), "how many steps to take", required=True),
        "watch": Key(located(STEPS), "k: judge steps 1, 1 + k, 1 + 2k, ... only; every step unless given"),
        "groups": Key(located(GROUPS), "inputs that have settings of their own"),
        "step_size": Key(EXPRESSION, "the length of a step, as a factor of the gradient; a number or a formula of t"),
    },
)
DATA = mapping_of(
    INPUT,
    "a mapping with `batch` and a table for each input that reads one",
    fixed={"batch": Key(located(COUNT), "how many rows of the tables each step reads", required=True)},
)
CARRY = mapping_of(located(TEXT), "a mapping such as {mean: new_mean}, from inputs to nodes", least=1)
ACCEPT = {
    "engine": Key(located(ENGINE), "the engine that differs", required=True),
    "quantity": Key(
        one_of(get_args(Quantity)),
        "value, gradient, tangent, hessian_product, adjoint, term, update, expectation or run",
        required=True,
    ),
    "verdict": Key(one_of(get_args(Verdict)), "the verdict that is expected", required=True),
    "reason": Key(TEXT, "why this is right or known", required=True),
    "name": Key(located(TEXT), "the node or input; every one unless given"),
    "point": Key(located(COUNT), "the point, 0 for `inputs`; every one unless given"),
    "dtype": Key(DTYPE, "the dtype; every one unless given"),
    "link": Key(TEXT, "where this is discussed: an address"),
    "versions": Key(VERSIONS, "the engine's versions for which this holds"),
    "within": Key(
        located(SIZE),
        "how far off at most, as a part of the right number (2^-11): of `wrong`, `imprecise`",
    ),
}
ACCEPTANCE = located(record(ACCEPT, "a mapping with `engine`, `quantity`, `verdict` and `reason`"))

INPUTS = mapping_of(INPUT, "a mapping from names to numbers, nested lists or descriptions", least=1)
GRAPH = mapping_of(EXPRESSION, "a mapping from names to expressions", least=1)
DEFINE = mapping_of(EXPRESSION, "a mapping such as {swish(x): x * sigmoid(x)}")
NATIVE = mapping_of(
    mapping_of(EXPRESSION, "a mapping such as {torch: torch.special.logit, jax: jax.scipy.special.logit}", least=1),
    "a mapping such as {logit: {torch: torch.special.logit}}",
)
CALL = located(mapping_of(EXPRESSION, "a mapping such as {torch: model.py:Block, jax: port.py:block}", least=1))
TAGS = list_of(pattern("a word", r"[A-Za-z0-9][A-Za-z0-9._-]*"), "a list of words")
POINTS = list_of(located(POINT), "a list of mappings from inputs to numbers", whole=False)
DERIVATIVES = list_of(
    located(one_of(("gradient", *get_args(Derivative)))), "a list of derivatives", least=1, whole=False
)
DTYPES_LIST = list_of(located(DTYPE), "a list of dtypes", least=1, whole=False)

KEYS = {
    "name": Key(located(NAME), "the case's identity, unique in a run", required=True),
    "about": Key(TEXT, "what the case shows, in a sentence"),
    "source": Key(TEXT, "where it comes from: a book, a paper, an address"),
    "tags": Key(TAGS, "words to select cases by"),
    "inputs": Key(INPUTS, "the inputs", required=True),
    "define": Key(DEFINE, "composites of this file's own"),
    "native": Key(NATIVE, "functions of frameworks that run in place of definitions, judged by their texts"),
    "graph": Key(GRAPH, "the computation, in evaluation order"),
    "call": Key(CALL, "in place of `graph` a function of one's own for each framework, which only --allow-code runs"),
    "output": Key(
        located(TEXT), "the node that is differentiated: the last one unless given; a name for what `call` gives"
    ),
    "cotangent": Key(INPUT, "weights that contract an output which is no scalar"),
    "points": Key(POINTS, "further inputs for the same graph"),
    "dtypes": Key(DTYPES_LIST, "precisions to run in; float64 and float32 unless given"),
    "derivatives": Key(DERIVATIVES, "what is computed: the gradient always, a tangent or a Hessian-vector product too"),
    "expect": Key(EXPECT, "numbers that are known: integers exactly, decimals to half a unit of the last digit"),
    "update": Key(located(UPDATE), "a trajectory: which rule moves the inputs, and how far"),
    "data": Key(located(DATA), "tables of which each step of the update reads a batch of rows"),
    "carry": Key(located(CARRY), "inputs that are state: of each the node whose value it is at the next step"),
    "accept": Key(list_of(ACCEPTANCE, "a list of mappings", whole=False), "the ledger of known disagreements"),
}
CASE = record(KEYS, "a mapping with `name`, `inputs` and `graph`")
# What a case whose computation is code has not.
DATA_ALONE = ("define", "native", "update", "data", "carry", "derivatives")


def schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of case files, for editors. It says what `CASE` checks, apart from what words cannot."""
    number = {"anyOf": [{"type": ["number", "boolean"]}, {"type": "array", "items": {"$ref": "#/$defs/numbers"}}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a case of gradaccord",
        **CASE.schema,
        "properties": for_editors(CASE.schema["properties"]),
        "oneOf": [
            {"required": ["graph"]},
            {"required": ["call"], "not": {"anyOf": [{"required": [name]} for name in DATA_ALONE]}},
        ],
        "$defs": {"numbers": number, "description": dict(DESCRIPTION_FORM.schema)},
    }


def text_in(scalar: Scalar | None) -> str:
    """The text of an optional scalar."""
    return "" if scalar is None else scalar.text
