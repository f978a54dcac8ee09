"""An engine that needs a package which nobody has."""

import a_package_that_is_not_there


def prepare(graph, dtype):
    return a_package_that_is_not_there.evaluate
