"""docs/api.md is what the docstrings say, of every public name."""

from __future__ import annotations

import gradaccord

from .api_page import GROUPS, PAGE, page


def test_the_page_is_that_of_the_docstrings() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "`python -m tests.project.api_page` writes it anew"


def test_every_public_name_is_on_it() -> None:
    named = {name for names in GROUPS.values() for name in names}
    assert {*gradaccord.__all__} - {"__version__"} <= named
