"""The front door: a person's own function, heard, and judged link by link on its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from ..errors import CommandError
from ..hearing.definitions import known
from ..hearing.heard import Ask, Heard
from ..judging.heard import judged_run
from ..running.files import name_of
from ..running.listeners import listener
from ..running.loading import knowledge
from ..running.selection import check_dtypes
from ..words import nearest
from .checked import Checked
from .frameworks import framework_of


def check(
    function: Callable[..., Any],
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    wanted: Sequence[str] | str | None = None,
    cotangent: Any = None,
    dtype: Any = "",
    intended: Mapping[Any, str] | None = None,
    reference: bool = False,
    framework: str = "",
) -> Checked:
    """Hear one run of a torch function or module, or of a JAX function, and judge every link of it.

    `inputs` and `kwargs` are handed to the function. `wanted` names the inputs and parameters whose gradient is asked
    for, as the signature, `named_parameters` or key paths name them; all floats where it is None. `cotangent` weighs
    the outputs, in their structure; fixed weights where it is None, 1 for a scalar. `dtype` casts every float input and
    parameter. `intended` gives for custom rules that are meant to be no derivative of their forward the text whose
    derivative they are.

    Where every number is finite, no kink is touched and each link is sound, also without what underflow may do, the run
    is certified by its links: neither its truth nor what rounding may do to it is computed. With `reference` the truth
    is computed there too: reference and digits of each gradient.

    Raises Refused for what cannot be heard, CommandError for arguments that make no sense; what the function itself
    raises goes through as it is.
    """
    ask = asked(wanted, cotangent, dtype, intended)
    framework, heard = hear(function, inputs, kwargs or {}, ask, framework)
    return judged(function, framework, heard, reference=reference)


def asked(wanted: Sequence[str] | str | None, cotangent: Any, dtype: Any, intended: Mapping[Any, str] | None) -> Ask:
    """What the arguments of a call ask for: a name alone is one; `dtype` may be a framework's own, `torch.float64`."""
    named = getattr(dtype, "__name__", str(dtype)).removeprefix("torch.")
    return Ask(
        wanted=None if wanted is None else (wanted,) if isinstance(wanted, str) else tuple(wanted),
        cotangent=cotangent,
        dtype=named and check_dtypes([named])[0],
        intended=_surrogates(intended),
    )


def _surrogates(intended: Mapping[Any, str] | None) -> dict[Any, str]:
    """What `intended` says, by rule or name of a rule. Raises CommandError for what is neither."""
    example = "expected intended={Rule: 'text'}, a rule or its name with the formula whose derivative it is"
    if intended is not None and not isinstance(intended, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CommandError(f"intended={intended!r}; {example}")
    surrogates = dict(intended or {})
    for rule, text in surrogates.items():
        if not isinstance(rule, str) and not callable(rule):
            raise CommandError(f"intended has the key {rule!r}; {example}")
        if not isinstance(text, str) or not text.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise CommandError(f"intended has {text!r} for `{_called(rule)}`; {example}")
    return surrogates


def _called(rule: Any) -> str:
    return rule if isinstance(rule, str) else str(getattr(rule, "__name__", "") or rule)


def _known_rules(ask: Ask, heard: Heard) -> None:
    """Raises CommandError where `intended` names a rule that the run has not."""
    rules = dict.fromkeys(place.rule.partition(" ")[0] for place in heard.places.values() if place.rule)
    for name in map(_called, ask.intended):
        if name not in rules:
            found = f"`intended` names `{name}`, and no wanted number of this run goes through a rule of that name"
            there = f"Its rules are {', '.join(rules)}" if rules else "It has no custom rule"
            raise CommandError(" ".join(filter(None, (f"{found}.", nearest(name, rules), f"{there}."))))


def hear(
    function: Callable[..., Any], inputs: Sequence[Any], kwargs: Mapping[str, Any], ask: Ask, framework: str = ""
) -> tuple[str, Heard]:
    """One run, and whose it is."""
    if not callable(function):  # whoever has no type checker
        raise CommandError(f"{function!r} is no function; expected one, or a module, and then its inputs")
    framework = framework or framework_of(function, [*inputs, *kwargs.values()])
    listens = listener(framework)
    ask = replace(ask, defined=known(framework))
    heard = listens.hear(function, tuple(inputs), kwargs, ask)
    _known_rules(ask, heard)
    return framework, heard


def judged(function: Callable[..., Any], framework: str, heard: Heard, *, reference: bool = False) -> Checked:
    """A run that was heard, with its verdicts."""
    start, name = perf_counter(), name_of(function)
    run = judged_run(heard, name, framework, knowledge=knowledge(framework), truth=reference)
    seconds = {**heard.seconds, "judged": perf_counter() - start}
    return Checked(name, listener(framework).version(), heard, run.rows, run.links, seconds, run.certified)
