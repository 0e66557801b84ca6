"""The response's descriptor, cut down to the selected fields, so that a parser skips everything else.

A full `GoogleAdsRow` has some 17,000 leaf fields; parsed whole, one page takes 79 MB and most of the time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from gads_domain.errors import QueryError

RESULTS = "results"
REQUEST_ID = "request_id"

_PACKAGE = "gads.pruned"
_RESPONSE = "Response"
_KEPT = (RESULTS, REQUEST_ID)

FieldPath = tuple[FieldDescriptor, ...]
"""The fields from the row down to what is selected."""


def path_of(response: Descriptor, gaql_field: str) -> FieldPath:
    """The descriptors along a GAQL path such as `campaign.status`; raises `QueryError` if there is no such path."""
    message: Descriptor | None = response.fields_by_name[RESULTS].message_type
    path: list[FieldDescriptor] = []
    for name in gaql_field.split("."):
        fields: Mapping[str, FieldDescriptor] = message.fields_by_name if message is not None else {}
        found = fields.get(name)
        if found is None or (path and path[-1].is_repeated):
            raise QueryError(f"the API version has no field {gaql_field!r}")
        path.append(found)
        message = found.message_type
    return tuple(path)


@dataclass
class _Node:
    """A message that is kept: its children by name, or None for a leaf."""

    children: "dict[str, tuple[FieldDescriptor, _Node | None]]" = field(default_factory=dict)


def pruned_response(response: Descriptor, paths: Iterable[FieldPath]) -> Descriptor:
    """A private descriptor of the response that declares `paths` and the request id, with the same field numbers.

    Every single field has presence there. Enums are declared as `int32`, so that an absent one stays absent and an
    unknown number stays itself; a message that is selected whole is declared as `bytes`, which on the wire is the
    same. No path may lie inside another one's message.
    """
    root = _Node()
    for path in paths:
        node = root
        for step in path[:-1]:
            _, below = node.children.setdefault(step.name, (step, _Node()))
            if below is None:
                raise ValueError(f"{step.name} is kept whole and in parts")
            node = below
        node.children[path[-1].name] = (path[-1], None)
    file = FileDescriptorProto(name="gads/pruned.proto", package=_PACKAGE, syntax="proto3")
    row = _declare(file, root)
    message = file.message_type.add(name=_RESPONSE)
    for name in _KEPT:
        _add(message, response.fields_by_name[name], row if name == RESULTS else None)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindMessageTypeByName(f"{_PACKAGE}.{_RESPONSE}")


def _declare(file: FileDescriptorProto, node: _Node) -> str:
    message = file.message_type.add(name=f"Message{len(file.message_type)}")
    name = f".{_PACKAGE}.{message.name}"
    for original, below in node.children.values():
        _add(message, original, None if below is None else _declare(file, below))
    return name


def _add(message: DescriptorProto, original: FieldDescriptor, type_name: str | None) -> None:
    added = message.field.add(name=original.name, number=original.number)
    added.label = FieldDescriptorProto.LABEL_REPEATED if original.is_repeated else FieldDescriptorProto.LABEL_OPTIONAL
    if type_name is not None:
        added.type = FieldDescriptorProto.TYPE_MESSAGE
        added.type_name = type_name
        return
    added.type = _wire_type(original)
    if not original.is_repeated:
        added.proto3_optional = True
        added.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{original.name}")


def _wire_type(original: FieldDescriptor) -> FieldDescriptorProto.Type.ValueType:
    if original.type == FieldDescriptor.TYPE_ENUM:
        return FieldDescriptorProto.TYPE_INT32
    if original.type == FieldDescriptor.TYPE_MESSAGE:
        return FieldDescriptorProto.TYPE_BYTES
    return cast(FieldDescriptorProto.Type.ValueType, original.type)
