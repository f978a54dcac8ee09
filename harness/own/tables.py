"""The front door to the tables that a run has written: every text as it was, every number as a number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import CommandError
from ..records.rows import NO_INDEX, NO_TEXT, PairRow, Row, TrajectoryRow, columns

if TYPE_CHECKING:
    import pandas as pd

TABLES = {"results.csv": Row, "pairs.csv": PairRow, "trajectories.csv": TrajectoryRow}


def read_csv(path: str | Path) -> pd.DataFrame:
    """A table of a report: `results.csv`, `pairs.csv` or `trajectories.csv`, or the first of these in a folder.

    Text that is not there is empty, a number NaN. Names such as `NA`, `007` and `1e5` come back as they are, which
    `pandas.read_csv` does not do by itself. Raises CommandError where there is none.
    """
    import pandas as pd

    path = Path(path)
    path = path / "results.csv" if path.is_dir() else path
    record = TABLES.get(path.name)
    if record is None or not path.is_file():
        known = ", ".join(TABLES)
        raise CommandError(f"no table {path}: expected the folder of a run, or in it one of {known}")
    dtypes = columns(record)
    missing = {name: ["", "nan"] for name, dtype in dtypes.items() if dtype == "float64"}
    table = pd.read_csv(path, dtype=cast("Any", dtypes), keep_default_na=False, na_values=missing)
    for name, dtype in dtypes.items():
        if dtype == "str":
            nothing = NO_INDEX if name == "index" else NO_TEXT
            column: Any = table[name]
            table[name] = column.where(column != nothing, "")
    return table
