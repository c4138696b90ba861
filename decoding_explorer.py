"""In a checkout: the page's folder `app/` under the name that it is installed under.

A wheel carries `app/` as the package `decoding_explorer`, since an installed package called `app` would meet
everybody's own. What finds the page by that name (the command, a trace in a notebook) finds it here, too.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parent / "app")]
