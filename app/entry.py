"""The command `decoding-explorer`: with this project's own library, whatever else may have its name where it is called.

`decoding` is a name that many projects use, and Python takes the first on its path, which PYTHONPATH may begin. So the
command takes the one beside this package, whose own name (`decoding_explorer`, once installed) is this project's alone.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

__all__ = ["main"]

LIBRARY = "decoding"


class _FromHere(MetaPathFinder):
    """Finds this project's library, and nothing else."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != LIBRARY:
            return None
        folder = Path(__file__).resolve().parents[1] / LIBRARY
        return spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])


def main() -> int:
    """Runs the command line and returns the exit status; see `cli.main`."""
    sys.meta_path.insert(0, _FromHere())
    from .cli.main import main

    return main()
