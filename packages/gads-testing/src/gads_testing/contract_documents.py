"""A contract with one schema: what does not fit it, its examples, and the numbers of its promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from gads_testing import REPOSITORY


class Contract:
    """`contracts/<name>/v1`, whose documents the file `<schema>.schema.json` describes."""

    def __init__(self, name: str, schema: str) -> None:
        self.folder = REPOSITORY / "contracts" / name / "v1"
        self.schema: dict[str, Any] = json.loads((self.folder / f"{schema}.schema.json").read_bytes())
        self.examples: list[Path] = sorted((self.folder / "examples").glob("*/*.json"))
        """Each lies in a folder that says whether it is `valid` or `invalid`."""
        self._validator = Draft202012Validator(self.schema)

    def faults(self, document: object) -> list[str]:
        """What of the document does not fit; it passes through JSON, as it does on its way to a reader."""
        return [error.message for error in self._validator.iter_errors(json.loads(json.dumps(document)))]

    def promises(self) -> list[int]:
        """The numbers of the promises, in the order of the text."""
        text = (self.folder / "README.md").read_text(encoding="utf-8")
        return [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]


ERASURE = Contract("erasure", "receipt")
EXPECTATIONS = Contract("expectations", "expectations")
OUTCOME = Contract("outcome", "outcome")
STATUS = Contract("status", "status")
