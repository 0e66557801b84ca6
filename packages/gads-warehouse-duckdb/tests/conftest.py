from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "gads-warehouse" / "tests" / "story"))
sys.path.append(str(Path(__file__).parents[3] / "tests" / "consumer" / "pipeline"))

from warehouse_pipeline import agency, loaded, tables

__all__ = ["agency", "loaded", "tables"]

# Laws are asserts in an installed package; rewritten, they say what they compared.
pytest.register_assert_rewrite("gads_conformance")
