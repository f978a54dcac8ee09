"""An engine that is sound in float64 and kills its process in float32."""

# pyright: basic

import os
import signal

from gradaccord.engines import backprop


def prepare(graph, dtype):
    if dtype == "float32":
        os.kill(os.getpid(), signal.SIGKILL)
    return backprop.prepare(graph, dtype)
