"""64-bit numbers, switched on by JAX's context manager around every call.

The global flag would do the same, and change every other array of the process as well, those of a user's own test
suite included.
"""

from __future__ import annotations

from typing import Any

import jax


def mode() -> Any:
    """64-bit numbers, within a `with`."""
    return jax.enable_x64(True)
