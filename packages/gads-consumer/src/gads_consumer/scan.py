"""The rows of a snapshot as Arrow: columns and filter are pushed down into the payloads' decoding."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gads_consumer.errors import NothingAuthoritativeError, PartitionAlteredError, SchemaMismatchError
from gads_consumer.evolution import CUSTOMER_ID, IDENTITY, LOGICAL_DATE, RUN_ID, one_schema
from gads_consumer.payloads import Payload, PayloadReader, Seal, fetched
from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import InvalidValueError
from gads_domain.metadata import TableSchema
from gads_domain.ports.sink import RawReader
from gads_payload.schema import arrow_schema

BATCH_ROWS = 65_536
"""Rows of a batch by default."""


def _arrow_dataset() -> Any:
    """`pyarrow.dataset`, imported when rows are read: where pandas is installed it brings all of it along."""
    return importlib.import_module("pyarrow.dataset")


_TABLE_ROWS = 1 << 17
_BATCHES_AHEAD = 4
_FILES_AHEAD = 2


class Scan:
    """A query of pinned partitions, which may be executed any number of times.

    It gives the same rows each time, in the order of the partitions (account, then day) and of the rows in them. It
    speaks the Arrow PyCapsule protocol, so that polars, DuckDB, pandas and others take it as it is.

    Every method that reads raises `PartitionGoneError` or `PartitionAlteredError` rather than skip a partition,
    `SchemaMismatchError` for several schema versions without `unify`, `NothingAuthoritativeError` if there is no
    partition at all, `NewerContractError`, `StorageError`.
    """

    def __init__(
        self,
        partitions: Sequence[CurrentPartition],
        reader: RawReader,
        *,
        integrity: bool,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 -- it is what Arrow calls it
        identity: bool = False,
        unify: bool = False,
    ) -> None:
        if isinstance(columns, str):
            raise InvalidValueError("columns is a text", hint=f"give a list: [{columns!r}]")
        self._partitions = tuple(partitions)
        self._payloads = PayloadReader(reader, integrity)
        self._columns = None if columns is None else list(columns)
        self._filter = filter
        self._identity = identity
        self._unify = unify

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of the rows; asking reads one seal of each schema version."""
        stored = pa.schema([*self._stored, *IDENTITY])
        return pa.schema([stored.field(name) for name in self._names])

    def to_table(self) -> pa.Table:
        """All rows at once. Gathered from batches, which keeps Arrow's threads busier than a table a group of files."""
        return pa.Table.from_batches(list(self.to_batches(rows=_TABLE_ROWS)), self.schema)

    def to_batches(self, *, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most `rows`, none empty, in bounded memory: some payloads at once."""
        if rows < 1:
            raise InvalidValueError(f"a batch of {rows} rows", hint="ask for one row at least")
        with self._reading() as readings:
            for payloads in readings:
                with self._dataset(payloads) as dataset:
                    for batch in dataset.to_batches(
                        columns=self._names,
                        filter=self._filter,
                        batch_size=rows,
                        batch_readahead=_BATCHES_AHEAD,
                        fragment_readahead=_FILES_AHEAD,
                    ):
                        if batch.num_rows:
                            yield batch

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as a stream that other Arrow software takes."""
        return pa.RecordBatchReader.from_batches(self.schema, self.to_batches())

    def head(self, rows: int) -> pa.Table:
        """The first `rows` rows, reading no further than needed."""
        taken: list[pa.RecordBatch] = []
        missing = rows
        if missing > 0:
            for batch in self.to_batches(rows=min(missing, BATCH_ROWS)):
                taken.append(batch.slice(0, missing))
                missing -= taken[-1].num_rows
                if missing == 0:
                    break
        return pa.Table.from_batches(taken, self.schema)

    def count_rows(self) -> int:
        """How many rows there are; without a filter that is what the ledger says, and no payload is read."""
        if self._filter is None:
            return sum(partition.record_count for partition in self._partitions)
        return sum(batch.num_rows for batch in self.to_batches())

    def __arrow_c_schema__(self) -> object:
        """The schema as a PyCapsule."""
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as a PyCapsule of a stream."""
        reader: Any = self.to_reader()  # pyarrow does not type its capsule
        return reader.__arrow_c_stream__(requested_schema)

    @cached_property
    def _versions(self) -> dict[int, TableSchema]:
        if not self._partitions:
            raise NothingAuthoritativeError("the snapshot holds no partition, so there is nothing to read")
        first = {partition.schema_version: partition for partition in reversed(self._partitions)}
        return {version: self._payloads.seal(partition).metadata.facts.schema for version, partition in first.items()}

    @cached_property
    def _stored(self) -> pa.Schema:
        versions = self._versions
        if self._columns is not None and self._unify:
            # What is not asked for may differ.
            wanted = {*self._columns, *self._filtered(versions)}
            versions = {
                version: TableSchema(tuple(column for column in schema.columns if column.name in wanted))
                for version, schema in versions.items()
            }
        return one_schema(versions, unify=self._unify)

    @cached_property
    def _names(self) -> list[str]:
        """The columns of the rows, checked, with the filter: raises `InvalidValueError` for what cannot be asked."""
        known = pa.schema([*self._stored, *IDENTITY])
        names = self._stored.names if self._columns is None else list(self._columns)
        strangers = [name for name in names if name not in known.names]
        if strangers:
            raise InvalidValueError(
                f"no column is named {', '.join(map(repr, strangers))}", hint=f"there are {', '.join(known.names)}"
            )
        if len(set(names)) != len(names):
            raise InvalidValueError("a column is asked for twice")
        if not names and not self._identity:
            raise InvalidValueError("no column is asked for", hint="leave columns away for all of them")
        if self._identity:
            names += [name for name in IDENTITY.names if name not in names]
        self._require_filter_fits(known)
        return names

    def _require_filter_fits(self, known: pa.Schema) -> None:
        try:
            _bind(self._filter, known)
        except _UNBOUND as error:
            raise InvalidValueError(
                f"the filter does not fit the columns: {str(error).splitlines()[0]}",
                hint=f"there are {', '.join(f'{field.name}: {field.type}' for field in known)}",
            ) from None

    def _filtered(self, versions: dict[int, TableSchema]) -> list[str]:
        """The columns of any version that the filter names."""
        types = {field.name: field.type for version in sorted(versions) for field in arrow_schema(versions[version])}
        known = pa.schema([*types.items(), *IDENTITY])
        self._require_filter_fits(known)
        return [name for name in types if _names_any(self._filter, known, [name])]

    @cached_property
    def _needs_identity(self) -> bool:
        known = pa.schema([*self._stored, *IDENTITY])
        return not set(IDENTITY.names).isdisjoint(self._names) or _names_any(self._filter, known, IDENTITY.names)

    @contextmanager
    def _reading(self) -> Iterator[Iterator[list[Payload]]]:
        # What is wrong with columns and filter is found before the first payload is read.
        _ = self.schema
        readings = fetched(self._pruned(), self._payloads, self._require_schema)
        try:
            yield readings
        finally:
            readings.close()

    def _pruned(self) -> Sequence[CurrentPartition]:
        """Without the partitions that the filter rules out by account, day or run."""
        if self._filter is None or not self._needs_identity:
            return self._partitions
        ds = _arrow_dataset()
        form = ds.ParquetFileFormat()
        empty: Any = pa.py_buffer(b"")
        fragments = [form.make_fragment(empty, partition_expression=_origin(one)) for one in self._partitions]
        dataset = ds.FileSystemDataset(fragments, pa.schema([*self._stored, *IDENTITY]), form)
        kept = {
            (keys[CUSTOMER_ID], keys[LOGICAL_DATE], keys[RUN_ID])
            for keys in (
                ds.get_partition_keys(fragment.partition_expression)
                for fragment in dataset.get_fragments(filter=self._filter)
            )
        }
        return [one for one in self._partitions if (one.customer_id, one.logical_date, one.run_id.value) in kept]

    def _require_schema(self, seal: Seal) -> None:
        version, found = seal.partition.schema_version, seal.metadata.facts.schema
        if found.columns != self._versions[version].columns:
            differences = self._versions[version].differences(found)
            raise SchemaMismatchError(
                f"{seal.partition} has schema version {version} and other columns: "
                f"{', '.join(differences) or 'of other fields'}",
                hint="two schemas are authoritative under one version; report it to the operator of the pipeline",
            )

    @contextmanager
    def _dataset(self, payloads: list[Payload]) -> Iterator[Any]:
        ds = _arrow_dataset()
        form = ds.ParquetFileFormat()
        schema = pa.schema([*self._stored, *IDENTITY]) if self._needs_identity else self._stored
        with ExitStack() as stack:
            fragments = []
            for payload in payloads:
                source: Any = payload.data
                if source is None:
                    source = stack.enter_context(self._payloads.open(payload.seal))
                origin = _origin(payload.seal.partition) if self._needs_identity else None
                fragments.append(form.make_fragment(source, partition_expression=origin))
            try:
                yield ds.FileSystemDataset(fragments, schema, form)
            except (pa.ArrowException, OSError) as error:
                for payload in payloads:
                    self._payloads.recheck(payload.seal)
                among = f"{payloads[0].seal.partition} to {payloads[-1].seal.partition}"
                raise PartitionAlteredError(
                    f"a payload of {among} cannot be decoded: {str(error).splitlines()[0]}"
                ) from error


def _origin(partition: CurrentPartition) -> pc.Expression:
    """What is true of every row of `partition`; Arrow fills the columns from it."""
    return (
        (pc.field(CUSTOMER_ID) == partition.customer_id)
        & (pc.field(LOGICAL_DATE) == pa.scalar(partition.logical_date, pa.date32()))
        & (pc.field(RUN_ID) == partition.run_id.value)
    )


_UNBOUND = (pa.ArrowException, TypeError, ValueError)


def _bind(filter_: pc.Expression | None, schema: pa.Schema) -> None:
    """Raise one of `_UNBOUND` unless Arrow can apply the filter to rows of `schema`."""
    if filter_ is not None:
        _arrow_dataset().dataset(schema.empty_table()).to_table(filter=filter_)


def _names_any(filter_: pc.Expression | None, schema: pa.Schema, names: Sequence[str]) -> bool:
    """Whether the filter, which fits `schema`, names one of the columns `names`: then it does not fit without them.

    An expression does not list its columns, and its text does not tell a column from a literal. They are renamed and
    not removed, so that a reference by position stays what it is; no column has a name with a dot.
    """
    others = pa.schema([field.with_name(f"{field.name}.") if field.name in names else field for field in schema])
    try:
        _bind(filter_, others)
    except _UNBOUND:
        return True
    return False
