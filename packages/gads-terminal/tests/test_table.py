"""What a table looks like on a terminal and in a pipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import typer

from gads_terminal.cells import width_of
from gads_terminal.output import Format, ListFormat
from gads_terminal.table import print_table
from gads_terminal.table_options import ColumnOptions, ListOptions, Table, TableOptions, columns_of

RUNS = ["20240602T040506789Z-7f3a9c21", "20240603T040506789Z-7f3a9c22"]
TABLE = Table("customer_id name report ~at -#rows @run_id reason -sequence", "there are none")
ROW = {
    "customer_id": "8356619392",
    "name": "Acme",
    "report": "search_term_keyword",
    "at": "2024-06-02T04:05:06.789012Z",
    "rows": 1234567,
    "run_id": RUNS[0],
    "reason": "rows_differ: the stream has 12 rows of the day",
    "sequence": 1234567,
}
NONE = ColumnOptions()
Printed = Callable[..., str]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Printed:
    """What `print_table` writes to a terminal of so many columns."""

    def printed(
        rows: list[Mapping[str, Any]],
        options: ColumnOptions = NONE,
        *,
        width: int = 80,
        table: Table = TABLE,
    ) -> str:
        out = _Terminal()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", out)
            patched.setenv("COLUMNS", str(width))
            print_table(table, rows, options)
        return out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")

    return printed


def rows(**changed: object) -> list[Mapping[str, Any]]:
    return [{**ROW, **changed}, {**ROW, "run_id": RUNS[1], **changed}]


@pytest.mark.parametrize("width", [80, 100, 132, 40, 12])
@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "Nordlicht Fahrräder und Zubehör Handelsgesellschaft mbH",
        "株式会社東京自転車販売" * 12,
        "x" * 70_000,
        "👩‍👩‍👧 " * 40,
        "<b>&amp;\x1b[2J\u202e\n\t" * 30,
    ],
)
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_broken_into_letters(
    on_terminal: Printed, capsys: pytest.CaptureFixture[str], name: str, width: int
) -> None:
    printed = on_terminal(rows(name=name), width=width)
    assert max(map(width_of, printed.splitlines())) <= max(width, 25), "below that, a member and 12 cells of its value"
    assert "\x1b" not in printed
    assert len(printed.splitlines()) < 20 or width < 80, "a long name does not push others off the screen"
    left_out = capsys.readouterr().err.removeprefix("not shown: ").partition(";")[0].split(", ")
    if "─" in printed:
        shown = [name.partition("_")[0] for name in TABLE.names if name not in left_out]
        assert [part.partition("_")[0] for part in printed.splitlines()[0].split()] == shown, (
            "what is not shown is named"
        )
        for whole in ("8356619392", "7f3a9c21", "2024-06-02T04:05:06Z") if width >= 80 else ():
            assert whole in printed
    else:
        assert all(f"\n{column}" in f"\n{printed}" for column in TABLE.names)


def test_what_matters_less_is_left_out_first_and_shown_where_there_is_space(
    on_terminal: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_terminal(rows()).splitlines()[0].split() == ["customer_id", "name", "report", "at", "run_id", "reason"]
    assert capsys.readouterr().err == "not shown: rows, sequence; --wide shows every column\n"
    assert on_terminal(rows(), width=200).splitlines()[0].split() == TABLE.names
    assert capsys.readouterr().err == ""


def test_numbers_have_separators_and_ids_have_none(on_terminal: Printed) -> None:
    line = on_terminal(rows(), width=200).splitlines()[2]
    assert "1,234,567" in line
    assert line.endswith("  1234567")


def test_ids_are_short_if_that_names_one_and_whole_where_they_are_asked_for(on_terminal: Printed) -> None:
    assert RUNS[0] not in on_terminal(rows())
    both = [rows()[0], {**ROW, "run_id": "20240609T040506789Z-7f3a9c21"}]
    assert "20240609T040506789Z-7f3a9c21" in on_terminal(both), "the short form is taken"
    assert RUNS[0] in on_terminal(rows(), ColumnOptions(wide=True))


def test_the_columns_that_are_named_are_shown_in_their_order(on_terminal: Printed) -> None:
    assert on_terminal(rows(), ColumnOptions(columns="rows, report")).splitlines() == [
        "     rows  report",
        "──────────────────────────────",
        "1,234,567  search_term_keyword",
        "1,234,567  search_term_keyword",
    ]


@pytest.mark.parametrize("options", [ColumnOptions(), ColumnOptions(wide=True)])
def test_a_row_that_fits_on_no_line_is_a_block_with_every_member(on_terminal: Printed, options: ColumnOptions) -> None:
    lines = on_terminal([ROW], options).splitlines()
    assert lines[:2] == ["customer_id  8356619392", "name         Acme"]
    assert f"run_id       {RUNS[0]}" in lines
    assert on_terminal([{"a": 1}], options, table=Table("a")) == "a\n─\n1\n", "this one fits"


def test_a_pipe_gets_every_column_and_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE, rows(reason="a\nb " * 50) * 400, title="many")
    printed = capsys.readouterr()
    title, head, _, *lines = printed.out.splitlines()
    assert (title, head.split(), len(lines), printed.err) == ("many", TABLE.names, 800, "")
    assert all(RUNS[number % 2] in line for number, line in enumerate(lines))


def test_a_cell_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table("name"), [{"name": "x" * 100_000}])
    out = capsys.readouterr().out
    assert "…" in out
    assert len(out) < 2_000


def test_a_table_without_rows_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE, [], title="many")
    print_table(TABLE, [], empty="none of them")
    print_table(TABLE, rows(), ColumnOptions(columns="of,another"), "which has them")
    assert capsys.readouterr().out == "there are none\nnone of them\n"


def test_a_column_that_is_none_is_refused_before_anything_is_done() -> None:
    check = columns_of(TABLE, Table("other"))
    check(TableOptions(columns="other,rows"))
    with pytest.raises(typer.BadParameter, match=r"no column 'row'; there are customer_id, .*, other"):
        check(TableOptions(columns="row"))
    for options in (
        TableOptions(columns="rows", format_=Format.JSON),
        ListOptions(columns="rows", format_=ListFormat.CSV),
    ):
        with pytest.raises(typer.BadParameter, match="for tables"):
            check(options)
