"""The command `decoding-explorer`: this project's own packages, whatever else may have their names where it is called.

`app` and `decoding` are names that many projects use, and Python takes the first on its path, which PYTHONPATH may
begin. So the command takes both from beside this file, whose name is this project's alone.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

__all__ = ["main"]

HERE = Path(__file__).parent
NAMES = ("app", "decoding")


class _FromHere(MetaPathFinder):
    """Finds this project's packages, and nothing else."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in NAMES:
            return None
        folder = HERE / name
        return spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])


def main() -> int:
    """Runs the command line and returns the exit status; see `app.cli.main`."""
    sys.meta_path.insert(0, _FromHere())
    from app.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
