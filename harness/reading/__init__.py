"""A YAML file becomes a Case, or the list of all its errors."""
