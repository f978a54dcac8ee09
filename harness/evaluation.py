"""The contract with engines by the path that it had before `import gradaccord` offered it."""

from .records.evaluation import *  # noqa: F403
