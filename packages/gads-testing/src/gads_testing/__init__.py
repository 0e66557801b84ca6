"""What the tests of several packages share. Not published."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[4]
"""The root of the repository: the packages are installed in editable form."""
