from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from gads_domain import errors
from gads_domain.errors import FailureReason, FailureScope, GadsError, failure_codes


def kinds(base: type[GadsError] = GadsError) -> list[type[GadsError]]:
    return [
        base,
        *(kind for child in base.__subclasses__() for kind in kinds(child) if kind.__module__ == errors.__name__),
    ]


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in kinds() if kind.code != getattr(kind.__base__, "code", "")]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_crosses_processes_whole(kind: type[GadsError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what went wrong", hint="what to do")))
    assert (type(error), error.message, error.hint, str(error)) == (
        kind,
        "what went wrong",
        "what to do",
        "what went wrong",
    )


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_is_put_on_record(kind: type[GadsError]) -> None:
    reason = FailureReason.of(kind("what went wrong"))
    assert reason == FailureReason(kind.code, "what went wrong", kind.retryable, kind.default_hint)
    assert str(reason) == f"{kind.code}: what went wrong"


def test_anything_else_is_recorded_as_a_bug() -> None:
    assert FailureReason.of(KeyError("x")) == FailureReason("internal", "KeyError: 'x'", retryable=False)


def test_an_empty_hint_silences_the_default() -> None:
    assert errors.StorageFullError("full").hint
    assert errors.StorageFullError("full", hint="").hint == ""


def test_what_is_wider_than_a_partition_is_named_so() -> None:
    wide = {kind.__name__ for kind in kinds() if kind.scope.stops_the_run}
    assert wide == {
        "ConfigurationError",
        "CredentialsError",
        "ClockSkewError",
        "HeldElsewhereError",
        "StorageError",
        "StorageFullError",
        "StorageCredentialsError",
        "SinkLostError",
        "LedgerError",
        "LedgerFullError",
        "ApiUnreachableError",
        "QuotaExhaustedError",
        "BudgetSpentError",
    }
    of_an_account = {kind.__name__ for kind in kinds() if kind.scope is FailureScope.ACCOUNT}
    assert of_an_account == {
        "AccountErasedError",
        "AccountRefusedError",
        "AccountUnavailableError",
        "AccountQuotaError",
    }


def test_the_codes_of_an_adapter_are_known_before_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = failure_codes()
    installed = tmp_path / "strange_sink-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-sink\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[gads.failure_codes]\nstrange_fault = strange_sink.errors:Strange\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert failure_codes() == known | {"strange_fault"}


def test_the_codes_do_not_hang_on_what_was_imported() -> None:
    known = failure_codes()

    class StrangeError(GadsError):
        code = "strange_import"

    assert StrangeError.code not in known
    assert failure_codes() == known
