"""Every example of `docs/own-functions.md` runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "own-functions.md").read_text()
EXAMPLES = re.findall(r"^<!-- python(?:: jax)? -->\n```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(mark: str) -> str:
    found = re.findall(rf"^<!-- {mark} -->\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks under <!-- {mark} -->"
    return found[0]


def test_every_example_runs_as_it_stands(tmp_path: Path) -> None:
    files = [tmp_path / f"example-{number}.py" for number, _ in enumerate(EXAMPLES, 1)]
    for file, example in zip(files, EXAMPLES, strict=True):
        file.write_text(example)
    # One process: most of each example's time goes into importing the frameworks.
    one_by_one = "import runpy, sys\nfor file in sys.argv[1:]:\n    runpy.run_path(file, run_name='__main__')"
    words = [sys.executable, "-c", one_by_one, *map(str, files)]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert len(files) > 5 and run.returncode == 0, run.stderr


def test_a_case_of_code_is_judged_as_it_stands(tmp_path: Path) -> None:
    for name in ("pool.yaml", "pooling.py", "port.py"):
        (tmp_path / name).write_text(block(f"file: {name}"))
    words = [sys.executable, "-m", *block("run: 2").split()]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no unexplained disagreement" in run.stdout
    refused = subprocess.run(words[:-1], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--allow-code" in refused.stderr


def test_the_first_command_gives_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(block("file: model.py"))
    words = block("run: 1").split()
    run = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    shown, printed = block("output").splitlines(), run.stdout.splitlines()

    def without_numbers(line: str) -> str:
        return re.sub(r"[-\d.]+(e-?\d+)?|\[.*\]|/\S*/", "", line)

    # What is the worst component depends on how sums are split over threads.
    assert [without_numbers(line) for line in printed[:4]] == [without_numbers(line) for line in shown[:4]]
    assert "the rule's backward is not the derivative of its forward" in run.stdout
