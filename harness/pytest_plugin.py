"""Placeholder until the plugin is written: declares the ini key, so that pytest starts."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the folders that hold cases."""
    parser.addini("gradaccord_cases", "folders that hold case files", type="paths", default=["cases"])
