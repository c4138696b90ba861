"""The log: a line of JSON for each thing that happened, on standard error. Prompts and texts are never in it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["JsonLines", "begin_logging"]

# What every record has; whatever else stands in one was put there by us.
PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
OWN = __name__.partition(".")[0]  # the package has another name where it is installed


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, event, logger, and what else it was given."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        line |= {name: value for name, value in vars(record).items() if name not in PLAIN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def begin_logging(form: str) -> None:
    """Lets this process log.

    Args:
        form: `json`: lines of it, from the level of information on, one for each run; `text`: warnings alone, as people
            read them.
    """
    if form != "json":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in (OWN, "decoding"):
        logging.getLogger(name).setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):  # its own handlers write text
        theirs = logging.getLogger(name)
        theirs.handlers, theirs.propagate = [], True
