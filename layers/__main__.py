"""Layers of Flax and Equinox beside torch's: `python layers` keeps docs/layers.md.

python layers                     all of them, some four minutes
python layers batch_norm gelu     these; the others as they were found before
python layers --page              the page from what was found, nothing is run
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from promotion import TYPES
from table import LAYERS, PORTS
from tried import defaults, tried
from written import page

RECORDS = Path(__file__).parent / "records.json"
PAGE = Path(__file__).parent.parent / "docs" / "layers.md"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python layers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="layer", help=", ".join(layer.folder for layer in LAYERS))
    parser.add_argument("--page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args(words)
    if unknown := set(options.names) - {layer.folder for layer in LAYERS}:
        parser.error(f"no layer {', '.join(sorted(unknown))}; there are {', '.join(layer.folder for layer in LAYERS)}")
    kept: dict[str, Any] = json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.exists() else {"layers": {}}
    if not options.page:
        kept["versions"] = ", ".join(f"{name} {version(name)}" for name in ("torch", "jax", "flax", "equinox"))
        kept["promotion"] = {name: types() for name, types in TYPES.items()}
        for layer in LAYERS:
            if options.names and layer.folder not in options.names:
                continue
            found: dict[str, Any] = {"torch": defaults(layer, "torch")}
            for name in PORTS:
                result = tried(layer, name)
                found[name] = asdict(result) | {"defaults": defaults(layer, name)}
                print(f"{layer.title}, {PORTS[name]}: {'the same' if result.same else 'NOT the same'}", flush=True)
            kept["layers"][layer.folder] = found
            RECORDS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
