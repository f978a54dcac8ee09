"""Python's search for garbage, in processes that are our own: the command's, its workers', the tests'.

By default the whole heap is searched whenever it has grown by a quarter, which takes a tenth of the time of a large
graph, whose numbers, links and rows all stay. A process that asks for `gradaccord` as a library keeps its setting.
"""

from __future__ import annotations

import gc


def search_less() -> None:
    gc.set_threshold(20_000, 50, 20)
