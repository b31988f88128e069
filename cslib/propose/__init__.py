"""Propose a ``cslib.toml`` for data that nobody has described yet."""
