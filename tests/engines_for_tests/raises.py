"""An engine that raises, with a message of several lines."""

# pyright: basic


def prepare(graph, dtype):
    def evaluate(inputs, cotangent):
        raise ValueError("the tape is torn\nand this line is not for the reader")

    return evaluate
