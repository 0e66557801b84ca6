"""Public names of a package that are imported when they are first used, so that importing the package is light."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def export_lazily(package: dict[str, Any], names: Mapping[str, str]) -> None:
    """Let a package have the public names of other modules without importing these; to be called with its `globals()`.

    `names` has, for each module, its names, separated by spaces; a module of the package itself begins with a dot.
    Type checkers do not see these names: import them too, under `if TYPE_CHECKING`.
    """
    homes = {name: module for module, several in names.items() for name in several.split()}

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        return getattr(import_module(homes[name], package["__name__"]), name)

    package.update(__getattr__=get, __all__=sorted(homes), __dir__=lambda: sorted({*package, *homes}))
