"""An engine that is sound in float64 and kills a process in float32."""

# pyright: basic

import os
import signal

from gradaccord.engines import backprop


def killing(process):
    def prepare(graph, dtype):
        if dtype == "float32":
            os.kill(process(), signal.SIGKILL)
        return backprop.prepare(graph, dtype)

    return prepare


prepare = killing(os.getpid)
with_its_parent = killing(os.getppid)
