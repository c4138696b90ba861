"""What the person typed becomes token ids: plain texts, chats, batches of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from decoding.errors import PromptError
from decoding.words import Words, words

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from decoding.models.load import LanguageModel

__all__ = ["ROLES", "EncodedPrompt", "Message", "Prompt", "check_fits", "check_known", "encode_prompt"]

Message = dict[str, str]  # {"role": ..., "content": ...}
Prompt = str | Sequence[str] | Sequence[Message] | Sequence[Sequence[Message]]

ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedPrompt:
    """One row of token ids per prompt, padded to one length.

    Args:
        input_ids: int64 [n_prompts, length], on the CPU.
        attention_mask: int64 [n_prompts, length], 0 where it is padding.
        texts: what was tokenised, one text a prompt; for a chat what its template made of it.
        messages: the chats, or None for plain text.
        negative_ids: int64 [n_prompts, negative length] for classifier-free guidance, or None.
        negative_mask: int64, like `negative_ids`, or None.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    texts: tuple[str, ...]
    messages: tuple[tuple[Message, ...], ...] | None
    negative_ids: torch.Tensor | None = None
    negative_mask: torch.Tensor | None = None

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of tokens of each prompt, padding not counted."""
        return tuple(self.attention_mask.sum(-1).tolist())


def encode_prompt(lm: LanguageModel, prompt: Prompt, negative_prompt: Prompt | None = None) -> EncodedPrompt:
    """The prompt as the model will read it.

    Args:
        lm: whose tokenizer and chat template to use.
        prompt: a text; a list of texts; a chat (a list of messages with `role` and `content`); or a list of
            chats. A chat goes through the model's chat template, up to where the assistant's turn begins.
        negative_prompt: what guidance steers away from (`guidance_scale`): in one of the same forms, one for
            all prompts or one for each.

    Raises:
        PromptError: the prompt is empty, not of these forms, longer than the model's context, of tokens that the
            model does not have, or a chat for a model without a chat template.
    """
    rows, texts, messages = _tokenise(lm.tokenizer, prompt, "prompt")
    for ids in rows:
        check_fits(lm, len(ids))
        check_known(lm.model, ids, lm.tokenizer, "the prompt")
    input_ids, attention_mask = _pad(lm.tokenizer, rows)
    negative_ids = negative_mask = None
    if negative_prompt is not None:
        negative, _, _ = _tokenise(lm.tokenizer, negative_prompt, "negative_prompt")
        if len(negative) not in (1, len(rows)):
            raise PromptError(
                "negative_prompt must be one for all prompts or one for each of the {n_rows}, got {n_negative}",
                n_rows=len(rows), n_negative=len(negative),
            )
        if len(negative) < len(rows):
            negative = negative * len(rows)
        for ids in negative:
            check_fits(lm, len(ids))
            check_known(lm.model, ids, lm.tokenizer, "negative_prompt")
        negative_ids, negative_mask = _pad(lm.tokenizer, negative)
    return EncodedPrompt(
        input_ids=input_ids,
        attention_mask=attention_mask,
        texts=texts,
        messages=messages,
        negative_ids=negative_ids,
        negative_mask=negative_mask,
    )


def check_fits(lm: LanguageModel, length: int, max_new_tokens: int | None = None, *, n_started: int = 1) -> None:
    """Returns if a prompt of `length` tokens and the answer fit the model's context.

    Args:
        lm: whose context counts; one without a limit (T5) takes everything.
        length: tokens of the prompt.
        max_new_tokens: tokens of the answer; None asks for room for one.
        n_started: of an encoder–decoder the tokens that its answer begins with.

    Raises:
        PromptError: naming the lengths, the limit and what to do.
    """
    limit = lm.context_length
    if limit is None:
        return
    if lm.is_encoder_decoder:
        _check_encoder_decoder(lm, limit, length, max_new_tokens, n_started)
        return
    if length >= limit:
        raise PromptError(
            "the prompt has {length:,} tokens, and {name} takes at most {limit:,}, its answer included; shorten the "
            "prompt to less than {limit:,} tokens, or choose a model with a longer context",
            length=length, name=lm.name, limit=limit,
        )
    if max_new_tokens is not None and length + max_new_tokens > limit:
        raise PromptError(
            "the prompt has {length:,} tokens, which with max_new_tokens={max_new_tokens} makes {total:,}, and "
            "{name} takes at most {limit:,}; set max_new_tokens to at most {most}, or shorten the prompt",
            length=length, max_new_tokens=max_new_tokens, total=length + max_new_tokens, name=lm.name, limit=limit,
            most=limit - length,
        )


def check_known(model: Any, ids: Sequence[int], tokenizer: Any = None, parameter: str = "the prompt") -> None:
    """Returns if the model has an embedding for each of the tokens; elsewhere torch fails without saying of what.

    Raises:
        PromptError: naming the first token that it has none for, and what to do.
    """
    embeddings = model.get_input_embeddings()
    n_known = getattr(embeddings, "num_embeddings", None)
    unknown = next((i for i in ids if not 0 <= i < n_known), None) if n_known else None
    if n_known is None or unknown is None:
        return
    text = "" if tokenizer is None else tokenizer.convert_ids_to_tokens([unknown])[0] if unknown >= 0 else ""
    raise PromptError(
        "{parameter} has the token {text}(id {unknown}), and the model has tokens in [0, {last}]; leave it out, "
        "use the tokenizer of this model, or, where tokens were added to it, call "
        "model.resize_token_embeddings({n})",
        parameter=parameter, text=f"{_short(text)} " if text else "", unknown=unknown, last=n_known - 1,
        n="len(tokenizer)" if tokenizer is None else len(tokenizer),
    )


def _check_encoder_decoder(
    lm: LanguageModel, limit: int, length: int, max_new_tokens: int | None, n_started: int
) -> None:
    if length > limit:
        raise PromptError(
            "the prompt has {length:,} tokens, and the encoder of {name} takes at most {limit:,}; shorten the prompt "
            "to that",
            length=length, name=lm.name, limit=limit,
        )
    if max_new_tokens is not None and n_started + max_new_tokens > limit:
        raise PromptError(
            "max_new_tokens={max_new_tokens} is more than the decoder of {name} can write; set it to at most {limit}",
            max_new_tokens=max_new_tokens, name=lm.name, limit=limit - n_started,
        )


# --- from the given form to rows of ids -------------------------------------------------------------------

Rows = list[list[int]]


def _tokenise(
    tokenizer: PreTrainedTokenizerBase, prompt: Any, parameter: str
) -> tuple[Rows, tuple[str, ...], tuple[tuple[Message, ...], ...] | None]:
    texts, chats = _sort_out(prompt, parameter)
    if chats is None:
        for text in texts:
            _check_characters(text, parameter)
        rows = [tokenizer(text).input_ids for text in texts]
    else:
        rendered = [_render(tokenizer, chat, parameter) for chat in chats]
        texts, rows = [text for text, _ in rendered], [ids for _, ids in rendered]
    for number, ids in enumerate(rows):
        if not ids:
            raise PromptError(_empty(tokenizer, parameter, number, len(rows)))
    return rows, tuple(texts), chats


def _sort_out(prompt: Any, parameter: str) -> tuple[list[str], tuple[tuple[Message, ...], ...] | None]:
    """Texts, or chats: which of the four forms was given."""
    if isinstance(prompt, str):
        return [prompt], None
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes | bytearray):
        raise PromptError(
            "{parameter} must be a text, a list of texts, or chat messages, got {prompt_type}; a chat looks like "
            '[{{"role": "user", "content": "Hello"}}]',
            parameter=parameter, prompt_type=type(prompt).__name__,
        )
    if not prompt:
        raise PromptError("{parameter} is an empty list; give a text, or at least one message", parameter=parameter)
    if all(isinstance(item, str) for item in prompt):
        return list(prompt), None
    if all(isinstance(item, dict) for item in prompt):
        return [], (_chat(prompt, parameter),)
    if all(isinstance(item, Sequence) and not isinstance(item, str | bytes) for item in prompt):
        return [], tuple(_chat(chat, f"{parameter}[{number}]") for number, chat in enumerate(prompt))
    kinds = ", ".join(sorted({type(item).__name__ for item in prompt}))
    raise PromptError(
        "{parameter} must be all texts, all messages or all chats, got a mixture of {kinds}",
        parameter=parameter, kinds=kinds,
    )


def _chat(messages: Sequence[Any], parameter: str) -> tuple[Message, ...]:
    if not messages:
        raise PromptError("{parameter} is a chat without messages; give at least one", parameter=parameter)
    chat = []
    for number, message in enumerate(messages):
        where = f"{parameter}[{number}]"
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise PromptError(
                '{where} must have exactly "role" and "content", got {message}',
                where=where, message=_short(message),
            )
        if message["role"] not in ROLES:
            raise PromptError(
                "{where}: role must be one of {roles}, got {message}",
                where=where, roles=", ".join(ROLES), message=_short(message["role"]),
            )
        if not isinstance(message["content"], str):
            raise PromptError(
                "{where}: content must be a text, got {message_type}",
                where=where, message_type=type(message["content"]).__name__,
            )
        _check_characters(message["content"], where)
        chat.append({"role": message["role"], "content": message["content"]})
    return tuple(chat)


def _render(
    tokenizer: PreTrainedTokenizerBase, chat: tuple[Message, ...], parameter: str
) -> tuple[str, list[int]]:
    """The text that the chat template makes of the chat, and its tokens."""
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise PromptError(
            "{parameter} is a chat, and this model has no chat template; give plain text, or choose a model that was "
            "trained to chat (often called Instruct)",
            parameter=parameter,
        )
    try:
        text = tokenizer.apply_chat_template(list(chat), add_generation_prompt=True, tokenize=False)
        encoded = tokenizer.apply_chat_template(
            list(chat), add_generation_prompt=True, tokenize=True, return_dict=True
        )
    except TemplateError as error:
        raise PromptError(
            "{parameter}: the model's chat template refuses this chat: {error}",
            parameter=parameter, error=error,
        ) from error
    return text, list(encoded["input_ids"])


def _check_characters(text: str, parameter: str) -> None:
    """Half a surrogate pair is no character: no tokenizer can encode it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PromptError(
            "{parameter} has half a character (a lone surrogate, U+{code:04X}) at position {start}; remove it",
            parameter=parameter, code=ord(text[error.start]), start=error.start,
        ) from None


def _empty(tokenizer: PreTrainedTokenizerBase, parameter: str, number: int, n_prompts: int) -> Words:
    which = parameter if n_prompts == 1 else f"{parameter}[{number}]"
    if not tokenizer.bos_token:
        return words(
            "{which} is empty: there is nothing the model could go on from; write at least one word", which=which
        )
    return words(
        "{which} is empty: there is nothing the model could go on from; write at least one word, or {token} to start "
        "from nothing",
        which=which, token=tokenizer.bos_token,
    )  # fmt: skip


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _pad(tokenizer: PreTrainedTokenizerBase, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    length = max(map(len, rows))
    if min(map(len, rows)) < length and tokenizer.pad_token_id is None:
        raise PromptError(
            "prompts of different lengths need padding, and this model's tokenizer has no pad token; "
            "set tokenizer.pad_token, or give the prompts one by one"
        )
    input_ids = torch.full((len(rows), length), tokenizer.pad_token_id or 0, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(rows):
        place = slice(length - len(ids), length) if tokenizer.padding_side == "left" else slice(0, len(ids))
        input_ids[row, place] = torch.tensor(ids)
        attention_mask[row, place] = 1
    return input_ids, attention_mask
