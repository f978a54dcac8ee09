"""The engines: a file each, a room for each framework. None imports another."""
