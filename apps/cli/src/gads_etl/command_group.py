"""A group of commands that parses what was typed without what typer loads to convert values."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup, TyperOption


class CommandGroup(TyperGroup):
    """Flags of a group that were not given are False instead of None.

    None is no bool, so typer would have it converted, and load a library for that which costs more time than the help
    of a command: every command is found through its groups.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any group does."""
        for parameter in self.get_params(ctx):
            if isinstance(parameter, TyperOption) and parameter.is_flag and parameter.default is None:
                parameter.default = False
        return super().parse_args(ctx, args)


def group_of_commands(reason: str) -> typer.Typer:
    """A group that shows its help where the command is left out; `purpose` is the help's first line."""
    return typer.Typer(cls=CommandGroup, help=reason, no_args_is_help=True, rich_markup_mode=None)
