from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "story"))
sys.path.append(str(Path(__file__).parents[3] / "tests" / "consumer" / "pipeline"))

from warehouse_pipeline import agency, loaded, tables

__all__ = ["agency", "loaded", "tables"]
