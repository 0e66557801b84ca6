"""Groups of commands that start fast: a command's module is imported when the command is called or its help shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, wraps
from importlib import import_module
from inspect import Parameter, Signature, signature
from typing import Any, ClassVar, get_args, get_type_hints

import typer
from typer.core import TyperGroup, TyperOption


class CommandGroup(TyperGroup):
    """Flags of a group that were not given are False instead of None.

    typer converts None to a bool, and loads for that a library that takes longer than the help of a command: every
    command is found through its groups.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any group does."""
        for parameter in self.get_params(ctx):
            if isinstance(parameter, TyperOption) and parameter.is_flag and parameter.default is None:
                parameter.default = False
        return super().parse_args(ctx, args)


def group_of_commands(help_: str) -> typer.Typer:
    """A group that shows its help if no command is given; `help_` is the first line of that help."""
    group = typer.Typer(cls=CommandGroup, help=help_, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
    group.callback()(_nothing)
    return group


def _nothing() -> None:
    """A group has a callback so that it stays a group with a single command too; the help is that of the group."""


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command or group of commands: the attribute `name` of the module, and the line that the list of commands has.

    `line` is the first sentence of its help, so that the list needs no module.
    """

    module: str
    name: str
    line: str


class LazyGroup(CommandGroup):
    """The group whose commands are `entries`, by name, in the order of the help; `last_line` ends the help of each."""

    entries: ClassVar[Mapping[str, LazyCommand]] = {}
    last_line: ClassVar[str] = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the help."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, its module being imported now."""
        if cmd_name in self.entries and cmd_name not in self.commands:
            self.commands[cmd_name] = _loaded(cmd_name, self.entries[cmd_name], self.last_line)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.line) for name, entry in self.entries.items()])


@cache  # a program that runs several commands would wrap each again
def _loaded(name: str, entry: LazyCommand, last_line: str) -> Any:
    target = getattr(import_module(entry.module), entry.name)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(rich_markup_mode=None, add_completion=False)
        target.command(name)(function)
    target.info.epilog = last_line
    for command in target.registered_commands:
        command.epilog = last_line
        if command.callback is not None:
            command.callback = flattened(command.callback)
    found = typer.main.get_command(target)
    found.name = name
    return found


def flattened(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as typer takes it: a parameter that is a dataclass of options is replaced by the options.

    What such a parameter is annotated with checks the options that were given, before the command is called.
    """
    parameters: list[Parameter] = []
    groups: dict[str, tuple[Any, tuple[Callable[[Any], None], ...]]] = {}
    for name, parameter in signature(command, eval_str=True).parameters.items():
        kind, *checks = get_args(parameter.annotation) or [parameter.annotation]
        if is_dataclass(kind):
            groups[name], hints = (kind, tuple(checks)), get_type_hints(kind, include_extras=True)
            for field in fields(kind):
                of_field = Parameter(field.name, Parameter.KEYWORD_ONLY, annotation=hints[field.name])
                parameters.append(of_field.replace(default=field.default))
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))

    @wraps(command)
    def called(**given: Any) -> None:
        for name, (group, checks) in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
            for check in checks:
                check(given[name])
        command(**given)

    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # read by `inspect.signature`
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called
