"""An engine that needs a package which nobody has."""

# pyright: basic

from importlib import import_module

package = import_module("a_package_that_is_not_there")


def prepare(graph, dtype):
    return package.evaluate
