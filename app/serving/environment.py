"""How a server is run, as its environment says: proxies before it, its log, who may read its numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from decoding.errors import DecodingError

from .bounds import PREFIX

__all__ = ["LOG", "METRICS", "PROXIES", "Environment"]

PROXIES, LOG, METRICS = (PREFIX + name for name in ("PROXIES", "LOG", "METRICS"))
SHORTEST_KEY = 16  # characters
MOST_PROXIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the environment says.

    Attributes:
        public: whether this page is for everyone.
        proxies: in front of this server, each of which adds the address that it was asked from to X-Forwarded-For. A
            Space has one.
        behind_private: whether addresses of a private network, too, are proxies' own, as on a Space: nobody there can
            say how many there are, and every visitor comes from without.
        log: `json` or `text`.
        metrics: "" where nobody may read /metrics, "1" for everybody, else the key that has to be shown.
    """

    public: bool
    proxies: int
    behind_private: bool
    log: str
    metrics: str

    @classmethod
    def read(cls, *, public: bool, environment: Mapping[str, str] = os.environ) -> Environment:
        """Reads it.

        Raises:
            DecodingError: a variable has a value that it cannot have.
        """
        proxies = environment.get(PROXIES, "") or ("1" if environment.get("SPACE_ID") else "0")
        if not (proxies.isascii() and proxies.isdecimal() and int(proxies) <= MOST_PROXIES):
            raise DecodingError(
                "the variable {variable} must be a whole number in [0, {most}], got {value}; it is how many proxies "
                "stand before this server",
                variable=PROXIES, most=MOST_PROXIES, value=repr(proxies),
            )  # fmt: skip
        log = environment.get(LOG, "") or ("json" if public else "text")
        if log not in ("json", "text"):
            raise DecodingError(
                "the variable {variable} must be json or text, got {value}", variable=LOG, value=repr(log)
            )
        metrics = environment.get(METRICS, "")
        metrics = "" if metrics == "0" else metrics
        if metrics not in ("", "1") and (len(metrics) < SHORTEST_KEY or not metrics.isascii()):
            raise DecodingError(
                "the variable {variable} must be 1, which lets everybody read the numbers, or a key of at least "
                "{shortest} ASCII characters",
                variable=METRICS, shortest=SHORTEST_KEY,
            )  # fmt: skip
        within = bool(environment.get("SPACE_ID"))
        return cls(public=public, proxies=int(proxies), behind_private=within, log=log, metrics=metrics)
