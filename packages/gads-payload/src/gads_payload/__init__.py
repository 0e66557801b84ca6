"""The payload's codec: Arrow batches to and from a sink's byte streams; imported when it is first used, as Arrow is."""

from typing import TYPE_CHECKING

from gads_domain.lazy_exports import export_lazily

if TYPE_CHECKING:
    from gads_payload.content import content_sha256 as content_sha256
    from gads_payload.grain import duplicates as duplicates
    from gads_payload.reader import PayloadFile as PayloadFile
    from gads_payload.reader import open_payload as open_payload
    from gads_payload.schema import arrow_schema as arrow_schema
    from gads_payload.schema import table_schema_of as table_schema_of
    from gads_payload.writer import PayloadWriter as PayloadWriter
else:
    export_lazily(
        globals(),
        {
            ".content": "content_sha256",
            ".grain": "duplicates",
            ".reader": "PayloadFile open_payload",
            ".schema": "arrow_schema table_schema_of",
            ".writer": "PayloadWriter",
        },
    )
