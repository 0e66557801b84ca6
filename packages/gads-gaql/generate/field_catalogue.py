"""Write `src/gads_gaql/fields/<version>.json.gz` from the descriptors of the installed google-ads client.

Run by hand when the client moves: `python packages/gads-gaql/generate/field_catalogue.py`. The same descriptors
give the same bytes. A version that the client no longer carries loses its file.
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

FIELDS = Path(__file__).resolve().parent.parent / "src" / "gads_gaql" / "fields"

_KINDS = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    8: "bool",
    9: "string",
    11: "message",
    12: "bytes",
    13: "uint32",
    14: "enum",
}
"""The numbers of `FieldDescriptorProto.Type` that the API uses."""


def carried_versions() -> list[str]:
    """The API versions of the installed client, ascending."""
    package = importlib.import_module("google.ads.googleads")
    found = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted((name for name in found if re.fullmatch(r"v\d+", name)), key=lambda name: int(name[1:]))


def describe(version: str) -> dict[str, Any]:
    """What a `GoogleAdsRow` of `version` may hold: its message types, their fields and the enums' values.

    A field is written `name: kind`, with `[]` behind the kind if it is repeated and the name of the message or enum
    type after a space. Types name each other, so that a recursive message is written once. The client's descriptors
    carry the names its Python code uses: `type_`, `min_` and `max_` lose the underscore that GAQL does not know.
    `keys` has the parts of each resource's name below its account, as the client's `<resource>_path` takes them.
    """
    module = importlib.import_module(f"google.ads.googleads.{version}.services.types.google_ads_service")
    row = module.GoogleAdsRow.pb().DESCRIPTOR
    prefix = f"google.ads.googleads.{version}."
    messages: dict[str, dict[str, str]] = {}
    enums: dict[str, list[str]] = {}
    waiting = [row]
    while waiting:
        message = waiting.pop()
        name = message.full_name.removeprefix(prefix)
        if name in messages:
            continue
        messages[name] = {}
        for field in message.fields:
            text = _KINDS[field.type] + ("[]" if field.is_repeated else "")
            if field.message_type is not None:
                text += " " + field.message_type.full_name.removeprefix(prefix)
                waiting.append(field.message_type)
            if field.enum_type is not None:
                enum = field.enum_type.full_name.removeprefix(prefix).rsplit(".", 1)[-1]
                values = [value.name for value in field.enum_type.values]
                if enums.setdefault(enum, values) != values:
                    raise ValueError(f"{version} has two enums named {enum}")
                text += " " + enum
            messages[name][field.name.removesuffix("_")] = text
    root = row.full_name.removeprefix(prefix)
    keys = {name: _name_parts(version, name) for name in messages[root] if name not in ("metrics", "segments")}
    return {"version": version, "row": root, "messages": messages, "enums": enums, "keys": keys}


def _name_parts(version: str, resource: str) -> list[str]:
    services = importlib.import_module(f"google.ads.googleads.{version}.services.services.google_ads_service.client")
    path = getattr(services.GoogleAdsServiceClient, f"{resource}_path", None)
    return [] if path is None else [name for name in inspect.signature(path).parameters if name != "customer_id"]


def encode(document: dict[str, Any]) -> bytes:
    """The file's bytes; equal documents give equal bytes."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def main() -> None:
    """Write every version's file and drop those of versions that are gone."""
    versions = carried_versions()
    FIELDS.mkdir(exist_ok=True)
    for version in versions:
        (FIELDS / f"{version}.json.gz").write_bytes(encode(describe(version)))
    for path in FIELDS.glob("*.json.gz"):
        if path.name.removesuffix(".json.gz") not in versions:
            path.unlink()


if __name__ == "__main__":
    main()
