"""The path that an update rule takes, walked by an engine and judged step by step."""
