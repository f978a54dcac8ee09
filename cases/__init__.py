"""The shipped cases: YAML files by theme, and no code. This file makes the folder a package, found when installed."""
