"""`together`: a response beside a recorded run, step by step, as long as both have the same tokens.

Where the tokens so far are the same, so is what both models were asked: the log-probabilities of the tokens that the
response names can be held against the recorded ones. From the step on at which the tokens part they cannot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from decoding.errors import NotRecordedError
from decoding.partial.partial_trace import PartialChoice, PartialStep, PartialTrace
from decoding.partial.token import KnownToken
from decoding.tokens.token_table import TokenTable

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.recorded.run import RecordedRun

__all__ = ["Beside", "Pair", "Together", "prompts_agree", "together"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A token that the response names, and what the run recorded of it.

    Attributes:
        text: as the response writes it.
        token_id: in the run's vocabulary.
        theirs, ours: log-probabilities in nats, of the response and of the run.
    """

    text: str
    token_id: int
    theirs: float
    ours: float

    @property
    def difference(self) -> float:
        """theirs − ours; 0 where both say impossible."""
        return 0.0 if self.theirs == self.ours else self.theirs - self.ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One step of both.

    Attributes:
        theirs: the step of the response, by its place.
        ours: the step of the run, by its index.
        token_id: the run's token there.
        same: the response has the same one.
        tokens: those that both know, in the response's order; none of a step that was lost, or where tokens that the
            response leaves out are others already.
    """

    theirs: int
    ours: int
    token_id: int
    same: bool
    tokens: tuple[Beside, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """A response's answer beside a row of a run.

    Attributes:
        prompt: `same`, `differs`, or `unsaid` where the response does not say what it was asked.
        row: of the run, the one with which it has the most tokens in common.
        stage: of the run's scores, the one that is held against it: 0 the model's own, −1 the final ones.
        pairs: the steps up to the first at which the tokens part, that one included; none where the prompt differs.
        parts_at: the last pair, where the tokens part there; None where one of both ends before that.
        by_id: the tokens were told by their ids, which are the same in both vocabularies; else by their bytes.
    """

    prompt: str
    row: int
    stage: int
    pairs: tuple[Pair, ...]
    parts_at: int | None
    by_id: bool

    @property
    def differences(self) -> list[float]:
        """Of all tokens that both know, response − run, where both are finite."""
        found = [token.difference for pair in self.pairs for token in pair.tokens]
        return [value for value in found if math.isfinite(value)]

    @property
    def largest(self) -> float | None:
        """The greatest absolute difference; None where no token is known to both."""
        return max(map(abs, self.differences), default=None)


def together(partial: PartialTrace, choice: int, run: RecordedRun) -> Together:
    """A response's answer beside a recorded run.

    Args:
        choice: the place of the answer in `partial.choices`.

    Raises:
        NotRecordedError: the run is a beam search, whose rows are no texts, or was recorded without its token texts.
    """
    if run.ledger is not None:
        raise NotRecordedError("a beam search's rows change places at every step, so no response can stand beside them")
    if run.tokens is None:
        raise NotRecordedError("the run was recorded without a tokenizer, so its tokens cannot be told from their ids")
    answer = partial.choices[choice]
    new = [(place, step) for place, step in enumerate(answer.steps) if not step.in_prompt]
    by_id = _same_vocabulary(answer, run.tokens)
    stage = -1 if partial.kind == "final" else 0
    rows = range(run.n_rows)
    prompts = {row: prompts_agree(partial, answer, run, row // run.rows_per_prompt) for row in rows}
    order = ("same", "unsaid", "differs")
    best = min(prompts.values(), key=order.index)
    walks = {row: _walk(new, run, row, by_id) for row in rows if prompts[row] == best}
    row = max(walks, key=lambda r: sum(met.same for met in walks[r]))
    if best == "differs":
        return Together(prompt=best, row=row, stage=stage, pairs=(), parts_at=None, by_id=by_id)
    has_ids = by_id and all(token.token_id is not None for _, step in new for token in step.known)
    ids = {} if has_ids else _ids_of_bytes(run.tokens)
    steps = dict(new)
    pairs = tuple(
        Pair(
            theirs=met.theirs, ours=met.ours, token_id=run.steps[met.ours].token_ids[row], same=met.same,
            tokens=_known_to_both(steps[met.theirs], run, row, met, stage, ids, by_id) if met.asked else (),
        )
        for met in walks[row]
    )  # fmt: skip
    parts_at = len(pairs) - 1 if pairs and not pairs[-1].same else None
    return Together(prompt=best, row=row, stage=stage, pairs=pairs, parts_at=parts_at, by_id=by_id)


def prompts_agree(partial: PartialTrace, answer: PartialChoice, run: RecordedRun, prompt: int) -> str:
    """`same`, `differs` or `unsaid`: whether a response answers the same prompt as a run.

    Args:
        prompt: of the run's prompts.
    """
    messages = None if run.messages is None else run.messages[prompt]
    if partial.messages is not None:
        return "unsaid" if messages is None else _told(_chat(partial.messages) == _chat(messages))
    if answer.prompt < len(partial.prompt_ids):
        mask = run.prompt_mask[prompt * run.rows_per_prompt].bool()
        ids = run.prompt_ids[prompt * run.rows_per_prompt][mask][: run.start]
        return _told(tuple(ids.tolist()) == partial.prompt_ids[answer.prompt])
    if answer.prompt < len(partial.prompts) and run.prompts is not None:
        text = partial.prompts[answer.prompt]
        return _told(text == run.prompts[prompt]) if messages is None else "unsaid"
    return "unsaid"


def _told(same: bool) -> str:
    return "same" if same else "differs"


def _chat(messages: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """Roles and texts; an empty message says nothing."""
    return [(str(message.get("role")), str(message.get("content"))) for message in messages if message.get("content")]


def _same_vocabulary(answer: PartialChoice, table: TokenTable) -> bool:
    """Whether each id that the response names has the bytes that it has in the run's vocabulary, at least one of them.

    Bytes that are empty say nothing: servers write special tokens so. Where only ids are given, the text tells.
    """
    came = [step.token for step in answer.steps if not step.in_prompt]
    if came and all(token.token_id is not None and token.raw is None for token in came):
        said = b"".join(table.bytes(token.token_id or 0) for token in came)
        return said == answer.text.encode("utf-8", "surrogatepass")
    told = 0
    for step in answer.steps:
        for token in step.known:
            if token.token_id is None or not token.raw:
                continue
            if table.bytes(token.token_id) != token.raw:
                return False
            told += 1
    return told > 0


def _ids_of_bytes(table: TokenTable) -> dict[bytes, int]:
    """The id of each ordinary token by its bytes; not of bytes that two tokens have."""
    found: dict[bytes, int] = {}
    twice: set[bytes] = set()
    for token_id in range(len(table)):
        if table.exists(token_id) and not table.is_special(token_id):
            raw = table.bytes(token_id)
            twice.update([raw] if raw in found else [])
            found[raw] = token_id
    return {raw: token_id for raw, token_id in found.items() if raw not in twice}


@dataclass(frozen=True, slots=True)
class _Met:
    """A step of the response and one of the run.

    Attributes:
        asked: whether both models were asked for the same token.
        held: bytes of tokens before it that the response has no text for until the character is whole.
    """

    theirs: int
    ours: int
    same: bool
    asked: bool = True
    held: bytes = b""


def _walk(steps: Sequence[tuple[int, PartialStep]], run: RecordedRun, row: int, by_id: bool) -> list[_Met]:
    """The steps of both beside each other, up to the parting.

    Where a server left out tokens that are parts of a character, its step stands beside the run's that goes on there.
    vLLM gives such tokens without a text: whether they are the run's is known when the character is whole, so those of
    one that never is are left out.
    """
    ids = [step.token_ids[row] for step in run.steps if not step.ended[row]]
    found: list[_Met] = []
    at, held, began = 0, b"", 0  # began: where in `found` the tokens without a text begin
    for place, step in steps:
        n_before, fits = _passed(step.left_out, ids[at:], run.tokens)
        at += n_before
        if at >= len(ids):
            break
        if not by_id and _is_held(step.token, ids[at], run.tokens):
            began = began if held else len(found)
            found.append(_Met(place, at, True, fits, held))
            if run.tokens is not None and not run.tokens.is_special(ids[at]):
                held += run.tokens.bytes(ids[at])
        else:
            same = fits and _is_same(step.token, ids[at], run.tokens, by_id, held)
            if held and not same:  # which of the tokens of the character is another one, the response does not say
                return [*found[:began], replace(found[began], same=False)]
            found.append(_Met(place, at, same, fits, held))
            held = b""
            if not same:
                break
        at += 1
    return found[:began] if held else found


def _is_held(token: KnownToken, token_id: int, table: TokenTable | None) -> bool:
    """Whether a token without a text may be this one: bytes that are no whole character, or one that is not shown."""
    if table is None or token.raw != b"":
        return False
    return table.is_special(token_id) or "\ufffd" in table.bytes(token_id).decode("utf-8", "replace")


def _passed(left_out: bytes, ids: Sequence[int], table: TokenTable | None) -> tuple[int, bool]:
    """How many of the run's tokens are among bytes that were left out, and whether they are all of them."""
    for n, token_id in enumerate(ids):
        if not left_out:
            return n, True
        raw = b"" if table is None else table.bytes(token_id)
        if not raw or not left_out.startswith(raw):
            return n, False
        left_out = left_out[len(raw) :]
    return len(ids), not left_out


def _is_same(token: KnownToken, token_id: int, table: TokenTable | None, by_id: bool, held: bytes) -> bool:
    if by_id and token.token_id is not None:
        return token.token_id == token_id
    return table is not None and token.raw is not None and held + table.bytes(token_id) == token.raw


def _known_to_both(
    step: PartialStep, run: RecordedRun, row: int, met: _Met, stage: int, ids: Mapping[bytes, int], by_id: bool
) -> tuple[Beside, ...]:
    try:
        ours = _log_softmax(run.scores(step=met.ours, row=row, stage=stage))
    except NotRecordedError:
        return ()
    found = []
    for token in step.known:
        known = token.token_id if by_id else None
        token_id = _id_of(token.raw or b"", met.held, ids) if known is None else known
        if token.logprob is None or token_id is None or not 0 <= token_id < len(ours):
            continue
        found.append(Beside(text=token.text, token_id=token_id, theirs=token.logprob, ours=float(ours[token_id])))
    return tuple(found)


def _id_of(raw: bytes, held: bytes, ids: Mapping[bytes, int]) -> int | None:
    """The token of these bytes, of which some came with the tokens before it."""
    return ids.get(raw[len(held) :]) if raw.startswith(held) else None


def _log_softmax(scores: Tensor) -> Tensor:
    """In float64: what is compared is the engines' arithmetic, not this one's."""
    return torch.log_softmax(scores.double(), dim=-1)
