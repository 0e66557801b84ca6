"""Write `src/gads_gaql/fields/<version>.json.gz` and `….binpb.gz` from the installed google-ads client's descriptors.

Run by hand when the client moves: `python packages/gads-gaql/generate/field_catalogue.py`. The same descriptors
give the same bytes. A version that the client no longer carries loses its files.
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

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

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

_SERVICES = {
    "services.types.google_ads_service": "GoogleAdsRow",
    "services.types.customer_service": "ListAccessibleCustomersResponse",
    "services.types.google_ads_field_service": "SearchGoogleAdsFieldsResponse",
    "errors.types.errors": "GoogleAdsFailure",
}
"""A message of each file that is kept, with what these files import."""


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


def descriptor_set(version: str) -> bytes:
    """The messages that are read and sent, a `FileDescriptorSet` in the order of imports with the API's names."""
    found: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name not in found:
            for needed in sorted(file.dependencies, key=lambda dependency: str(dependency.name)):
                add(needed)
            found[file.name] = FileDescriptorProto()
            file.CopyToProto(found[file.name])
            found[file.name].dependency.sort()

    for module, message in _SERVICES.items():
        types = importlib.import_module(f"google.ads.googleads.{version}.{module}")
        add(getattr(types, message).pb().DESCRIPTOR.file)
    for file in found.values():
        file.ClearField("options")
        for message_type in file.message_type:
            _use_names_of_the_api(message_type)
    return FileDescriptorSet(file=found.values()).SerializeToString(deterministic=True)


def _use_names_of_the_api(message: DescriptorProto) -> None:
    for field in message.field:
        field.name = field.name.removesuffix("_")
        field.ClearField("json_name")
    for nested in message.nested_type:
        _use_names_of_the_api(nested)


def encode(document: dict[str, Any]) -> bytes:
    """The file's bytes; equal documents give equal bytes."""
    return pack(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def pack(data: bytes) -> bytes:
    """Compressed without the time."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def main() -> None:
    """Write every version's file and drop those of versions that are gone."""
    versions = carried_versions()
    FIELDS.mkdir(exist_ok=True)
    for version in versions:
        (FIELDS / f"{version}.json.gz").write_bytes(encode(describe(version)))
        (FIELDS / f"{version}.binpb.gz").write_bytes(pack(descriptor_set(version)))
    for path in FIELDS.glob("*.gz"):
        if path.name.partition(".")[0] not in versions:
            path.unlink()


if __name__ == "__main__":
    main()
