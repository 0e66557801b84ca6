"""The least sink that keeps the laws on a local folder, and for each fault one that breaks a law."""

import hashlib
import os
import secrets
import shutil
from pathlib import Path

from gads_domain.errors import (
    AlreadySealedError,
    DamagedPartitionError,
    InvalidValueError,
    NotSealedError,
    StorageError,
)
from gads_domain.layout import key_prefix, narrowed_prefix, parse_prefix, partition_prefix, require_payload_name
from gads_domain.local_path import path_of
from gads_domain.metadata import PartitionMetadata
from gads_domain.metadata_codec import LARGEST_SEAL, decode_metadata, encode_metadata


class Writer:
    def __init__(self, sink, key, run_id):
        self.key, self.run_id = key, run_id
        self.folder = sink.root / partition_prefix(key, run_id)
        self.nonce = secrets.token_hex(8)
        self.chunks = []
        self.ended = False
        self.sealed = False

    @property
    def payload(self):
        return f"payload-{self.nonce}.parquet"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.abort()

    def require_open(self):
        if self.ended:
            raise StorageError("ended")

    def keep(self, data):
        self.chunks.append(bytes(data))

    def write(self, data):
        self.require_open()
        self.keep(data)
        return len(data)

    def content(self):
        return b"".join(self.chunks)

    def sum_of(self, data):
        return hashlib.sha256(data).hexdigest()

    def finalize(self, facts):
        self.require_open()
        self.ended = True
        data = self.content()
        metadata = PartitionMetadata(self.key, self.run_id, facts, self.payload, len(data), self.sum_of(data))
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / self.payload).write_bytes(data)
        try:
            self.seal(encode_metadata(metadata))
        except AlreadySealedError:
            self.clean()
            raise
        self.sealed = True
        return metadata

    def seal(self, data):
        hidden = self.folder / f".{self.nonce}"
        hidden.write_bytes(data)
        try:
            (self.folder / "metadata.json").hardlink_to(hidden)
        except FileExistsError:
            raise AlreadySealedError("late") from None
        finally:
            hidden.unlink()

    def clean(self):
        (self.folder / self.payload).unlink()

    def abort(self):
        self.ended = True


class Reader:
    def __init__(self, root):
        self._root = root

    def _seal(self, key, run_id):
        path = self._root / partition_prefix(key, run_id) / "metadata.json"
        if not path.is_file():
            raise NotSealedError("no seal")
        return path

    def runs(self, key):
        return [run_id for _, run_id in self._below(key_prefix(key))]

    def sealed(self, *, source=None, customer_id=None, report=None):
        return self._below(narrowed_prefix(source, customer_id, report))

    def _paths(self, prefix):
        return sorted((self._root / prefix).glob("**/metadata.json"))

    def _below(self, prefix):
        for path in self._paths(prefix):
            try:
                yield parse_prefix(path.parent.relative_to(self._root).as_posix())
            except InvalidValueError:
                continue

    def metadata_bytes(self, key, run_id):
        return self._seal(key, run_id).read_bytes()[: LARGEST_SEAL + 1]

    def open_payload(self, key, run_id, payload_name):
        require_payload_name(payload_name)
        path = self._seal(key, run_id).with_name(payload_name)
        if not path.is_file():
            raise DamagedPartitionError("no payload")
        return path.open("rb")


class Sink(Reader):
    writer = Writer

    def __init__(self, root):
        super().__init__(root)
        self.root = root

    def open_writer(self, key, run_id):
        if (self.root / partition_prefix(key, run_id) / "metadata.json").exists():
            raise AlreadySealedError("late")
        return self.writer(self, key, run_id)

    def check(self):
        pass


class Adapter:
    def __init__(self, sink=Sink, reader=Reader):
        self.sink, self.reader = sink, reader

    def open_sink(self, url, base: Path):
        return self.sink(path_of(url, base))

    def open_reader(self, url, base: Path):
        return self.reader(path_of(url, base))


class TogetherSink(Sink):
    def finalize_together(self, writers):
        return [self.answer(writer, facts) for writer, facts in writers]

    def answer(self, writer, facts):
        try:
            return writer.finalize(facts)
        except Exception as error:
            return error


class PrunableSink(Sink):
    def remove(self, partitions):
        return [self.remove_one(key, run_id) for key, run_id in partitions]

    def remove_one(self, key, run_id):
        seal = self.root / partition_prefix(key, run_id) / "metadata.json"
        if not seal.is_file():
            return 0
        gone = [*self.payloads_of(seal), seal]
        freed = sum(path.stat().st_size for path in gone if path.exists())
        for path in self.in_order(gone):
            path.unlink(missing_ok=True)
        return freed

    def payloads_of(self, seal):
        return list(seal.parent.glob("payload-*.parquet"))

    def in_order(self, gone):
        return gone


none = Adapter()
prune_without_faults = Adapter(PrunableSink)
together_without_faults = Adapter(TogetherSink)


def writes(**overrides):
    """An adapter whose writer differs in `overrides`."""
    return Adapter(type("FaultySink", (Sink,), {"writer": type("FaultyWriter", (Writer,), overrides)}))


def together(**overrides):
    """An adapter whose sink seals together and differs in `overrides`."""
    return Adapter(type("FaultySink", (TogetherSink,), overrides))


def reads(**overrides):
    """An adapter whose reader differs in `overrides`, and its sink with it."""
    reader = type("FaultyReader", (Reader,), overrides)
    return Adapter(type("FaultySink", (Sink,), overrides), reader)


def _replace(self, data):
    hidden = self.folder / f".{self.nonce}"
    hidden.write_bytes(data)
    hidden.replace(self.folder / "metadata.json")


def _check_then_write(self, data):
    if (self.folder / "metadata.json").exists():
        raise AlreadySealedError("late")
    hidden = self.folder / f".{self.nonce}"
    with hidden.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    hidden.replace(self.folder / "metadata.json")


def _init_sealing(self, sink, key, run_id):
    Writer.__init__(self, sink, key, run_id)
    self.folder.mkdir(parents=True, exist_ok=True)
    (self.folder / "metadata.json").write_bytes(b"{}")


def _clean_all(self):
    for path in self.folder.glob("payload-*"):
        path.unlink()


def _leave_behind(self):
    if not self.sealed:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / self.payload).write_bytes(self.content())
    self.ended = True


def _unseal(self):
    self.ended = True
    (self.folder / "metadata.json").unlink(missing_ok=True)


def _seal_on_leaving(self, kind, *_):
    if not self.ended and kind is None:
        from gads_conformance.sink.samples import sample_facts

        self.finalize(sample_facts())


def _init_locking(self, sink, key, run_id):
    Writer.__init__(self, sink, key, run_id)
    self.folder.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(self.folder / ".lock", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        raise StorageError("locked") from None


def _seal_then_unlock(self, data):
    Writer.seal(self, data)
    (self.folder / ".lock").unlink()


_MEMORY = {}


def _seal_in_memory(self, data):
    if _MEMORY.setdefault((self.folder, "metadata.json"), data) is not data:
        raise AlreadySealedError("late")


def _seal_or_memory(self, key, run_id):
    folder = self._root / partition_prefix(key, run_id)
    if (folder, "metadata.json") in _MEMORY:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metadata.json").write_bytes(_MEMORY[folder, "metadata.json"])
    return Reader._seal(self, key, run_id)


def _payloads_too(self, prefix):
    return sorted((self._root / prefix).glob("**/*.*"))


def _sound_only(self, prefix):
    for path in Reader._paths(self, prefix):
        try:
            decode_metadata(path.read_bytes())
        except DamagedPartitionError:
            continue
        yield path


def _open_anything(self, key, run_id, payload_name):
    try:
        return self._seal(key, run_id).with_name("x").parent.joinpath(payload_name).open("rb")
    except (OSError, ValueError):
        raise DamagedPartitionError("no payload") from None


def _open_nothing(self, key, run_id, payload_name):
    try:
        return Reader.open_payload(self, key, run_id, payload_name)
    except DamagedPartitionError:
        return Path(os.devnull).open("rb")


def _trip(self, prefix):
    for path in self._paths(prefix):
        yield parse_prefix(path.parent.relative_to(self._root).as_posix())


def _everything(self, *, source=None, customer_id=None, report=None):
    narrowed_prefix(source, customer_id, report)
    return self._below("")


def _check_and_leave(self):
    self.root.mkdir(parents=True, exist_ok=True)
    (self.root / ".probe").touch()


seal_replaces = writes(seal=_replace)
seal_checks_then_writes = writes(seal=_check_then_write)
seal_comes_first = writes(__init__=_init_sealing, seal=_replace)
one_payload_name = writes(payload="payload-0123456789abcdef.parquet")
last_chunk_is_lost = writes(content=lambda self: b"".join(self.chunks[:-1]))
sum_is_of_nothing = writes(sum_of=lambda self, data: hashlib.sha256().hexdigest())
buffer_is_kept = writes(keep=lambda self, data: self.chunks.append(data))
loser_stays = writes(clean=lambda self: None)
loser_takes_the_winner_away = writes(clean=_clean_all)
abort_forgets = writes(abort=_leave_behind)
abort_unseals = writes(abort=_unseal)
leaving_seals = writes(__exit__=_seal_on_leaving)
run_is_locked = writes(__init__=_init_locking, seal=_seal_then_unlock)
ended_writer_writes_on = writes(require_open=lambda self: None)
memory_is_the_storage = Adapter(
    type(
        "MemorySink",
        (Sink,),
        {"writer": type("MemoryWriter", (Writer,), {"seal": _seal_in_memory}), "_seal": _seal_or_memory},
    )
)
sealed_is_opened_again = Adapter(
    type("FaultySink", (Sink,), {"open_writer": lambda self, key, run_id: Writer(self, key, run_id)})
)
unsealed_is_listed = reads(_paths=_payloads_too)
seals_are_endless = reads(metadata_bytes=lambda self, key, run_id: self._seal(key, run_id).read_bytes())
damage_is_hidden = reads(_paths=_sound_only)
payload_name_is_a_path = reads(open_payload=_open_anything)
missing_payload_is_empty = reads(open_payload=_open_nothing)
listing_is_unsorted = reads(_paths=lambda self, prefix: reversed(Reader._paths(self, prefix)))
listing_trips_over_foreign_files = reads(_below=_trip)
listing_ignores_narrowing = reads(sealed=_everything)
reader_can_write = Adapter(Sink, Sink)
check_leaves_something = Adapter(type("FaultySink", (Sink,), {"check": _check_and_leave}))


def _until_one_fails(self, writers):
    answers = []
    for writer, facts in writers:
        failed = bool(answers) and isinstance(answers[-1], Exception)
        answers.append(answers[-1] if failed else self.answer(writer, facts))
    return answers


def _raising(self, writer, facts):
    return writer.finalize(facts)


def _only_promised(self, writers):
    answers = []
    for writer, facts in writers:
        data, writer.ended = writer.content(), True
        answers.append(
            PartitionMetadata(writer.key, writer.run_id, facts, writer.payload, len(data), writer.sum_of(data))
        )
    return answers


together_stops_at_the_first_failure = together(finalize_together=_until_one_fails)
together_raises = together(answer=_raising)
together_answers_backwards = together(
    finalize_together=lambda self, writers: TogetherSink.finalize_together(self, writers)[::-1]
)
together_only_promises = together(finalize_together=_only_promised)
together_forgets_the_losers = Adapter(
    type("FaultySink", (TogetherSink,), {"writer": type("Litterer", (Writer,), {"clean": lambda self: None})})
)


def prunes(**overrides):
    """An adapter whose sink can remove a run and differs in `overrides`."""
    return Adapter(type("FaultySink", (PrunableSink,), overrides))


def _seals_first(self, partitions):
    folders = [self.root / partition_prefix(key, run_id) for key, run_id in partitions]
    freed = [sum(path.stat().st_size for path in folder.glob("*.*")) for folder in folders]
    for name in ("metadata.json", "payload-*.parquet"):
        for folder in folders:
            for path in folder.glob(name):
                path.unlink()
                os.sync() if len(partitions) > 20 else None  # slow enough to be killed in the midst
    return freed


def _whole_partition(self, key, run_id):
    for other in self.runs(key):
        PrunableSink.remove_one(self, key, other)
    return 1


def _sound_runs_alone(self, key, run_id):
    try:
        decode_metadata(self.metadata_bytes(key, run_id))
    except (DamagedPartitionError, NotSealedError):
        return 0
    return PrunableSink.remove_one(self, key, run_id)


def _whole_folder(self, key, run_id):
    freed = PrunableSink.remove_one(self, key, run_id)
    shutil.rmtree(self.root / partition_prefix(key, run_id), ignore_errors=True)
    return freed


def _impatient(self, key, run_id):
    self.metadata_bytes(key, run_id)
    return PrunableSink.remove_one(self, key, run_id)


prune_takes_seals_first = prunes(remove=_seals_first)
prune_forgets_orphans = prunes(
    payloads_of=lambda self, seal: [seal.with_name(decode_metadata(seal.read_bytes()).payload_name)]
)
prune_keeps_payloads = prunes(payloads_of=lambda self, seal: [])
prune_takes_the_day = prunes(remove_one=_whole_partition)
prune_fears_damage = prunes(remove_one=_sound_runs_alone)
prune_takes_the_folder = prunes(remove_one=_whole_folder)
prune_raises_for_nothing = prunes(remove_one=_impatient)
prune_only_says_so = prunes(in_order=lambda self, gone: [])
