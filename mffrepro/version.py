"""Version of the package, the same as in pyproject.toml and CITATION.cff."""

__version__ = "0.1.0"
