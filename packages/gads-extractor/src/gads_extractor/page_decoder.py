"""A page's bytes to flat Arrow columns, without making a Python object of any row."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ptars
import pyarrow as pa
import pyarrow.compute
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from pyarrow.lib import StringBuilder

from gads_domain.errors import PermanentApiError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_extractor.pruned_descriptor import REQUEST_ID, RESULTS, FieldPath, path_of, pruned_response
from gads_gaql.descriptors import message_class
from gads_payload.schema import arrow_schema, arrow_type

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

_ITEM = "element"
_CONFIG = ptars.PtarsConfig(list_value_name=_ITEM)
_FIELD_MASK = "google.protobuf.FieldMask"
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page and the API's request id, empty if there was none."""

    rows: pa.RecordBatch
    request_id: str


class PageDecoder:
    """Decodes the pages of one query; not for several threads at once.

    Columns come out in the order and with the types of `schema`. What the API left out is null: an absent value, and
    everything below an absent message. A repeated field without items is an empty list. An enum's number that the
    client does not know comes out as the number's text.

    Raises `ConfigurationError` for an API version that is not known, `QueryError` for an unknown field.
    """

    def __init__(self, api_version: str, schema: TableSchema) -> None:
        response = message_class(api_version, "services.SearchGoogleAdsStreamResponse").DESCRIPTOR
        paths = {column.field: path_of(response, column.field) for column in schema.columns}
        shapes = [_Shape(response, part) for part in _without_overlap(paths)]
        self._schema = arrow_schema(schema)
        self._shapes = shapes
        self._columns = [_Column(spec, paths[spec.field], shapes) for spec in schema.columns]

    def decode(self, data: bytes) -> Page:
        """Decode a `SearchGoogleAdsStreamResponse`; raises `PermanentApiError` for bytes that are not one."""
        try:
            pages = [shape.parse(data) for shape in self._shapes]
            columns = [column.take_from(pages) for column in self._columns]
            request_id = pages[0].column(REQUEST_ID)[0].as_py()
        except (ValueError, pa.ArrowException, OverflowError, DecodeError) as error:
            reason = str(error).splitlines()[0]
            raise PermanentApiError(
                f"the API sent a page that cannot be decoded: {reason}",
                hint="nothing was written; if it happens again, try another google_ads.api_version",
            ) from error
        return Page(pa.RecordBatch.from_arrays(columns, schema=self._schema), request_id or "")


class _Shape:
    """A pruned descriptor and its parser; the paths in it do not overlap.

    `ptars` skips unknown groups by recursion without a bound, which overflows the stack and ends the process. The
    official parser refuses what is nested more than 100 deep, so it reads the bytes first.
    """

    def __init__(self, response: Descriptor, paths: Mapping[str, FieldPath]) -> None:
        self.fields = frozenset(paths)
        descriptor = pruned_response(response, paths.values())
        self._bounded = message_factory.GetMessageClass(descriptor)
        self._parser = ptars.HandlerPool([descriptor.file], config=_CONFIG).get_for_message(descriptor)

    def parse(self, data: bytes) -> Any:
        self._bounded.FromString(data)
        return self._parser.list_to_record_batch([data])


class _Column:
    """One column: where its values are in a parsed page, and what has to be done to them."""

    def __init__(self, spec: ColumnSpec, path: FieldPath, shapes: list[_Shape]) -> None:
        self._steps = [step.name for step in path]
        self._shape = next(n for n, shape in enumerate(shapes) if spec.field in shape.fields)
        self._type: Any = arrow_type(spec.type)
        self._convert = _converter(path[-1], spec.type.removeprefix("list<").removesuffix(">"))

    def take_from(self, pages: list[Any]) -> Any:
        values = pc.struct_field(pages[self._shape].column(RESULTS).flatten(), self._steps)
        if not pa.types.is_list(values.type):
            return self._convert(values)
        items = self._convert(values.values)
        return pa.ListArray.from_arrays(values.offsets, items, type=self._type, mask=pc.is_null(values))


def _without_overlap(paths: Mapping[str, FieldPath]) -> list[dict[str, FieldPath]]:
    """Part `paths` so that no part holds a message whole and something inside it as well."""
    whole = {name for name in paths if any(other.startswith(f"{name}.") for other in paths)}
    parts = [{name: path for name, path in paths.items() if name not in whole}]
    parts += [{name: paths[name]} for name in sorted(whole)]
    return parts


def _converter(field: FieldDescriptor, scalar: str) -> Callable[[Any], Any]:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _EnumNames(field.enum_type)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _JsonTexts(field.message_type)
    target = arrow_type(scalar)
    if scalar == "date32":
        return lambda values: _through_dictionary(values, lambda texts: texts.cast(target))
    return lambda values: values if values.type == target else values.cast(target)


def _through_dictionary(values: Any, convert: Callable[[Any], Any]) -> Any:
    """Convert each distinct value once."""
    encoded = pc.dictionary_encode(values)
    return pc.take(convert(encoded.dictionary), encoded.indices)


def _text_array(texts: Iterable[str | None]) -> Any:
    """`pa.array` would do, but imports pandas wherever it is installed, which takes a second."""
    builder = StringBuilder()
    for text in texts:
        builder.append(text)
    return builder.finish()


class _EnumNames:
    """Numbers to names; a number without a name becomes its own text."""

    def __init__(self, enum: EnumDescriptor | None) -> None:
        assert enum is not None
        self._names = {number: value.name for number, value in enum.values_by_number.items()}

    def __call__(self, values: Any) -> Any:
        return _through_dictionary(values, self._named)

    def _named(self, numbers: Any) -> Any:
        return _text_array(self._names.get(number, str(number)) for number in numbers.to_pylist())


class _JsonTexts:
    """Whole messages to JSON: the API's field names, sorted, without spaces, only what is present.

    Otherwise as https://protobuf.dev/programming-guides/json/ says: 64-bit integers are texts, enums are names, and a
    field mask that is selected itself is the text of its paths, with commas between them.
    """

    def __init__(self, message: Descriptor | None) -> None:
        assert message is not None
        self._is_field_mask = message.full_name == _FIELD_MASK
        self._message = message_factory.GetMessageClass(message)
        self._known: dict[bytes, str] = {}

    def __call__(self, values: Any) -> Any:
        return _text_array(None if value is None else self._text(value) for value in values.to_pylist())

    def _text(self, data: bytes) -> str:
        text = self._known.get(data)
        if text is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            text = self._known[data] = self._write(data)
        return text

    def _write(self, data: bytes) -> str:
        try:
            message: Any = self._message.FromString(data)
        except Exception as error:
            raise ValueError(f"{self._message.DESCRIPTOR.full_name}: {error}") from error
        if self._is_field_mask:
            return ",".join(message.paths)
        value = json_format.MessageToDict(message, preserving_proto_field_name=True)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
