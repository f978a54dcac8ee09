"""Every example of `docs/optimisers.md` runs as it stands, and prints what is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).parent.parent.parent / "docs" / "optimisers.md").read_text()


def block(mark: str) -> str:
    found = re.findall(rf"^<!-- {mark} -->\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks under <!-- {mark} -->"
    return found[0]


def test_the_example_prints_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(block("file: mine.py"))
    (tmp_path / "example.py").write_text(block("python"))
    run = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == block("output")
