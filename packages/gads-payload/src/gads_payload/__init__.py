"""The payload's codec: Arrow batches to and from a sink's byte streams; imported when it is first used, as Arrow is."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gads_payload.content import content_sha256
    from gads_payload.grain import duplicates
    from gads_payload.reader import PayloadFile, open_payload
    from gads_payload.schema import arrow_schema, table_schema_of
    from gads_payload.writer import PayloadWriter
else:
    _MODULES = {
        "PayloadFile": "reader",
        "PayloadWriter": "writer",
        "arrow_schema": "schema",
        "content_sha256": "content",
        "duplicates": "grain",
        "open_payload": "reader",
        "table_schema_of": "schema",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = [
    "PayloadFile",
    "PayloadWriter",
    "arrow_schema",
    "content_sha256",
    "duplicates",
    "open_payload",
    "table_schema_of",
]
