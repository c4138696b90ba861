"""Constraints as logits processors: JSON schema, regular expression, grammar.

They stand where `generate()` puts a caller's processors: after the penalties, before temperature, top-k, top-p and
min-p. Engines mask before these, too, and for a reason: what a rule such as top-p keeps is a share of what is still
possible, so it has to be asked of the tokens that are allowed; the other way round it may leave none of them.

Which tokens may come depends on a row's tokens since its prompt, and on nothing else. So a row is known by these: a
matcher that has read them is kept from one step to the next, copied where a beam is continued twice, and made anew from
the tokens wherever none is at hand. That is why beams may change places, and steps may be asked for in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

from decoding.constraints.compiled import compiled_grammar
from decoding.constraints.texts import checked_text
from decoding.constraints.vocabulary import xgrammar_of
from decoding.errors import RecordingError, SettingError
from decoding.tokens.known_tables import table_of
from decoding.tokens.token_table import TokenTable
from decoding.tokens.tokenizer import as_tokenizer
from decoding.words import words

__all__ = ["Constraint", "GrammarConstraint", "JsonSchemaConstraint", "RegexConstraint"]

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Where a text stands.

    Attributes:
        allowed: bool [tokens], what may come next; the end tokens alone for a text that is over.
        matcher: has read it; None where it is over.
        over: it has ended, or it is none of the grammar's.
        n_strange: its token, counted from 1, that the grammar does not allow; 0 where all are.
    """

    allowed: np.ndarray
    matcher: Any = None
    over: bool = False
    n_strange: int = 0


class Constraint(LogitsProcessor):
    """Lets only those tokens come with which the text can become one that is asked for; use one of the classes below.

        only = RegexConstraint(" (Rome|Paris|Oslo)", tokenizer)
        model.generate(**inputs, logits_processor=[only])

    When the text is complete, only the end tokens are left. One object may serve several calls, one after the other.

    Args:
        text: the schema (a text, or an object), the expression, or the grammar.
        tokenizer: of the model: one of transformers, or of the `tokenizers` library; or its `TokenTable`.
        eos_token_id: what ends a text, one id or several; the tokenizer's own where it is left out. Give the model's
            (`model.generation_config.eos_token_id`) where it has others.
        num_beams: as given to `generate()`; a beam that has no way on is dropped while others of its prompt have one.
        start: tokens before the constrained text; where it is left out, those of the first call.
        strict: raise where a text has no way on, or is none of the grammar's; else all of its scores become −∞.

    Attributes:
        start: as given; None where it is found out.

    Raises:
        SettingError: the text cannot be used, or xgrammar is not installed.
    """

    parameter = ""

    def __init__(
        self,
        text: Any,
        tokenizer: Any,
        *,
        eos_token_id: int | Sequence[int] | None = None,
        num_beams: int = 1,
        start: int | None = None,
        strict: bool = True,
    ) -> None:
        if not isinstance(num_beams, int) or isinstance(num_beams, bool) or num_beams < 1:
            raise SettingError("num_beams", num_beams, "a whole number >= 1", "give that of the call of generate()")
        tokenizer = tokenizer if isinstance(tokenizer, TokenTable) else as_tokenizer(tokenizer)
        if eos_token_id is None:
            eos_token_id = getattr(tokenizer, "eos_token_id", None)
        ends = [] if eos_token_id is None else [eos_token_id] if isinstance(eos_token_id, int) else list(eos_token_id)
        table = tokenizer if isinstance(tokenizer, TokenTable) else table_of(tokenizer)
        self.start = start
        self._text, self._n_beams, self._strict = checked_text(self.parameter, text), num_beams, strict
        self._grammar = compiled_grammar(self.parameter, self._text, table, ends)
        self._xgrammar, self._n_tokens = xgrammar_of(self.parameter, self._text), len(table)
        self._found_start = start
        self._bits = self._xgrammar.allocate_token_bitmask(1, len(table))  # int32 [1, words]
        only_ends = np.zeros(len(table), dtype=np.bool_)
        only_ends[[i for i in ends if 0 <= i < len(table)]] = True
        self._over = _Row(allowed=only_ends, over=True)
        self._rows: dict[Ids, _Row] = {}  # of the last call

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] with −∞ for every token that the grammar forbids.

        Raises:
            RecordingError: a row has no way on: the grammar allows nothing that this vocabulary has, or nothing that
                an earlier processor has left; or it holds what the grammar does not allow.
        """
        allowed = self.allowed(input_ids)
        width = scores.shape[-1]
        if width != allowed.shape[-1]:  # ids that no token has, or tokens that the model does not know
            allowed = np.pad(allowed[:, :width], ((0, 0), (0, max(0, width - allowed.shape[-1]))))
        out = scores.masked_fill(torch.from_numpy(~allowed).to(scores.device), -torch.inf)
        if self._strict and bool((out == -torch.inf).all(-1).any()):
            self._check_ways_on(input_ids, allowed, out)
        return out

    def allowed(self, input_ids: Tensor) -> np.ndarray:
        """Which tokens may come next in each row: bool [rows, tokens].

        Args:
            input_ids: the rows so far, prompt included, int64 [rows, length].
        """
        rows = [tuple(ids) for ids in input_ids[:, self._start_of(input_ids) :].tolist()]
        found: dict[Ids, _Row] = {}
        for ids in rows:
            if ids not in found:
                found[ids] = self._rows.get(ids) or self._read(ids)
        self._rows = found
        if self._n_beams == 1 and self._strict:
            self._check_known(rows)
        return np.stack([found[ids].allowed for ids in rows])

    def reads(self, input_ids: Tensor) -> bool:
        """Whether each row [rows, length] is a text that the grammar allows, as far as it goes, and is not over."""
        rows = [tuple(ids) for ids in input_ids[:, self._start_of(input_ids) :].tolist()]
        return not any(self._read(ids).over for ids in rows)

    def _start_of(self, input_ids: Tensor) -> int:
        """Tokens before the constrained text: those of the first call, which begins anew where no row goes on."""
        if self.start is not None:
            return self.start
        length, begun = input_ids.shape[1], self._found_start
        if begun is None or length < begun or not self._goes_on(input_ids[:, begun:].tolist()):
            self._found_start, self._rows = length, {}
        return self._found_start if self._found_start is not None else length

    def _goes_on(self, rows: list[list[int]]) -> bool:
        """Whether each row is one of the last call, or goes on from one by a token."""
        return all(tuple(ids) in self._rows or tuple(ids[:-1]) in self._rows for ids in rows)

    def _read(self, ids: Ids) -> _Row:
        """The state of a text, from that of the text without its last token where it is known."""
        before = self._rows.get(ids[:-1]) if ids else None
        if before is not None:
            if before.over:
                return before
            return self._after(before.matcher.fork(), ids, len(ids) - 1)
        return self._after(self._xgrammar.GrammarMatcher(self._grammar), ids, 0)

    def _after(self, matcher: Any, ids: Ids, n_read: int) -> _Row:
        for i in range(n_read, len(ids)):
            if matcher.is_terminated():
                return self._over
            if not 0 <= ids[i] < self._n_tokens or not matcher.accept_token(ids[i]):
                allowed = self._over.allowed if self._strict else np.zeros_like(self._over.allowed)
                return _Row(allowed=allowed, over=True, n_strange=i + 1)
        if matcher.is_terminated():
            return self._over
        self._bits.fill_(-1)
        matcher.fill_next_token_bitmask(self._bits)
        packed = self._bits.numpy().view(np.uint8)[0]
        allowed = np.unpackbits(packed, count=self._n_tokens, bitorder="little").view(np.bool_)
        return _Row(allowed=allowed, matcher=matcher)

    def _check_known(self, rows: list[Ids]) -> None:
        for row, ids in enumerate(rows):
            if self._rows[ids].n_strange:
                raise RecordingError(
                    "token {n} of row {row} is none that {parameter} allows there; let nothing that comes after it "
                    "choose among the tokens that it forbids (and with beams, give it num_beams)",
                    n=self._rows[ids].n_strange, row=row + 1, parameter=self.parameter,
                )

    def _check_ways_on(self, input_ids: Tensor, allowed: np.ndarray, out: Tensor) -> None:
        """Refuses to go on where no beam of a prompt is left with any token; without beams, where a row is not."""
        rows = [tuple(ids) for ids in input_ids[:, self._start_of(input_ids) :].tolist()]
        dead = [not self._rows[ids].over and gone for ids, gone in zip(rows, _none_left(out), strict=True)]
        for first in range(0, len(rows), self._n_beams):
            beams = range(first, min(first + self._n_beams, len(rows)))
            ended = any(self._rows[rows[row]].over and not self._rows[rows[row]].n_strange for row in beams)
            if ended or not all(dead[row] or self._rows[rows[row]].over for row in beams):
                continue
            row = next((row for row in beams if dead[row]), None)
            if row is not None:
                raise self._no_way_on(row, rows[row], int(allowed[row].sum()))

    def _no_way_on(self, row: int, ids: Ids, n_allowed: int) -> RecordingError:
        ends = bool(n_allowed) and bool((self._rows[ids].allowed <= self._over.allowed).all())
        if not n_allowed:
            why: str = words("no token of this model goes on from here with what it allows")
        elif ends:
            why = words("the text is complete, and an earlier processor has removed the end token (min_new_tokens?)")
        else:
            why = words("an earlier processor has removed whatever it allows ({n}); loosen that", n=n_allowed)
        return RecordingError(
            "{parameter} leaves nothing that token {n} of row {row} could be: {why}. The steps before are kept",
            n=len(ids) + 1, row=row + 1, parameter=self.parameter, why=why,
        )  # fmt: skip


def _none_left(scores: Tensor) -> list[bool]:
    return (scores == -torch.inf).all(-1).tolist()


class JsonSchemaConstraint(Constraint):
    """The text is JSON that fits a schema; what a schema does not name, the JSON has not, as engines take it."""

    parameter = "json_schema"


class RegexConstraint(Constraint):
    """The whole text matches a regular expression."""

    parameter = "regex"


class GrammarConstraint(Constraint):
    """The text is one of a grammar's, in EBNF as llama.cpp's GBNF writes it; it begins with the rule `root`."""

    parameter = "grammar"
