from __future__ import annotations

import pickle

import pytest

from gads_domain import errors
from gads_domain.errors import ApiError, ExitCode, FailureReason, GadsError


def kinds(base: type[GadsError] = GadsError) -> list[type[GadsError]]:
    return [
        base,
        *(kind for child in base.__subclasses__() for kind in kinds(child) if kind.__module__ == errors.__name__),
    ]


def test_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "INCOMPLETE": 1,
        "USAGE": 2,
        "CREDENTIALS": 4,
        "HELD": 5,
        "BUG": 70,
    }


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in kinds() if kind is not ApiError]
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
