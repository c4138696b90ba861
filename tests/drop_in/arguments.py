"""What else people give to `generate()`: inputs of other kinds, caches, streamers, functions, flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import ByT5Tokenizer, DynamicCache, StaticCache
from transformers.generation.streamers import BaseStreamer

from decoding.strategies.cache import CACHE_NAME
from tests.drop_in.call import ASK_FOR, BEAMS, ONE_ROW, Call, Request
from tests.drop_in.inputs import IDS, TOKENIZER, changed_model, model, two_rows

__all__ = ["CALLS"]

ALL = (*ONE_ROW, *BEAMS)


def given(kind: str = "llama", rows: Callable[[], dict[str, Any]] = lambda: {"inputs": IDS}, **arguments: Any):
    """A call with these arguments."""
    return lambda mode: Request(model=model(kind), kwargs={**rows(), **mode, **arguments})


def made(arguments: Callable[[], dict[str, Any]], kind: str = "llama", to_verify: tuple[str, ...] = ()):
    """A call whose arguments are made afresh; some of them `verify` needs again."""

    def make(mode: dict[str, Any]) -> Request:
        inputs = {name: value for name, value in arguments().items() if name in to_verify}
        return Request(model=model(kind), kwargs={**arguments(), **mode}, verify={"inputs": inputs} if inputs else {})

    return make


def embedded() -> torch.Tensor:
    return model().get_input_embeddings()(IDS).detach()


def continued(cache: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
    """A longer prompt, whose beginning a cache holds already."""

    def arguments() -> dict[str, Any]:
        filled = cache()
        with torch.no_grad():
            model()(IDS, **{CACHE_NAME: filled}, use_cache=True)
        return {"input_ids": torch.cat([IDS, torch.tensor([[90, 91]])], 1), CACHE_NAME: filled}

    return arguments


def continued_answer() -> dict[str, Any]:
    """The next turn of a talk: the answer of a first call and its cache."""
    first = model().generate(IDS, max_new_tokens=3, eos_token_id=None, return_dict_in_generate=True)
    longer = torch.cat([first.sequences, torch.tensor([[33, 34]])], 1)
    return {"input_ids": longer, CACHE_NAME: first[CACHE_NAME]}


class Collects(BaseStreamer):
    """A streamer that keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def put(self, value: torch.Tensor) -> None:
        self.got.append(value.tolist())

    def end(self) -> None:
        self.got.append("end")


def streamed(mode: dict[str, Any]) -> Request:
    streamer = Collects()
    return Request(
        model=model(),
        kwargs={"inputs": IDS, "streamer": streamer, "eos_token_id": None, **mode},
        after=lambda: streamer.got,
    )


def assisted(mode: dict[str, Any]) -> Request:
    return Request(
        model=model(), kwargs={"inputs": IDS, "assistant_model": changed_model(), "eos_token_id": None, **mode}
    )


class Processor:
    """What AutoProcessor gives: a tokenizer inside."""

    def __init__(self) -> None:
        self.tokenizer = TOKENIZER

    def __call__(self, text: str, **kwargs: Any) -> Any:
        return self.tokenizer(text, **kwargs)


def with_tokenizer(tokenizer: Callable[[], Any], **more: Any):
    """A call whose Recorder is given a tokenizer of some kind."""
    return lambda mode: Request(
        model=model(), kwargs={**two_rows(), **mode, **more}, recorder={"tokenizer": tokenizer()}
    )


def stop_strings(*strings: str, recorder: bool):
    """A call with stop strings and the tokenizer, which the Recorder has as well or not."""
    return lambda mode: Request(
        model=model(),
        kwargs={**two_rows(), "stop_strings": list(strings), "tokenizer": TOKENIZER, **mode},
        recorder={"tokenizer": TOKENIZER} if recorder else {},
    )


def seeded(mode: dict[str, Any]) -> Request:
    """A Recorder with a seed: what `torch.manual_seed` with that seed gives."""

    def generate(**kwargs: Any) -> Any:
        if "custom_generate" not in kwargs:
            torch.manual_seed(5)
        out = model().generate(**kwargs)
        torch.manual_seed(5)
        return out

    return Request(model=model(), kwargs={**two_rows(), **mode}, through=generate, recorder={"seed": 5})


def allowed(batch: int, ids: torch.Tensor) -> list[int]:
    """Tokens by their rest, another at each length."""
    return list(range(4 + (batch + len(ids)) % 3, 320, 3))


def without_output(mode: dict[str, Any]) -> Request:
    plain = {name: value for name, value in mode.items() if name not in ASK_FOR}
    return Request(model=model(), kwargs={**two_rows(), **plain})


SOURCE = {
    "input_ids": torch.tensor([[5, 60, 7, 80], [9, 33, 2, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
}
TO_VERIFY = ("input_ids", "attention_mask", "decoder_input_ids")
STREAMER = "streamer.*(Recorder|beam search)"
ASSISTANT = "assist"
STOP_STRINGS = "stop_strings.*(StopStringCriteria|Recorder)"


def read_by_encoder(kind: str) -> dict[str, Any]:
    """What the encoder made of the source, computed before."""
    with torch.no_grad():
        return {"encoder_outputs": model(kind).get_encoder()(**SOURCE), "attention_mask": SOURCE["attention_mask"]}


CALLS = (
    Call(name="a left-padded batch", make=given(rows=two_rows)),
    Call(name="a prompt of one token", make=given(rows=lambda: {"input_ids": IDS[:, :1]})),
    Call(name="no prompt at all", make=given(rows=dict)),
    Call(name="several sequences", make=given(rows=two_rows, num_return_sequences=2), modes=("sample", *BEAMS)),
    Call(name="tokens without the output object", make=without_output, returns_scores=False),
    Call(
        name="attentions and hidden states",
        make=given(rows=two_rows, output_attentions=True, output_hidden_states=True),
    ),
    Call(
        name="scores only",
        make=given(output_logits=False, output_scores=True, return_dict_in_generate=True),
        returns_scores=False,
    ),
    Call(name="inputs_embeds", make=made(lambda: {"inputs_embeds": embedded()}, to_verify=("inputs_embeds",))),
    Call(
        name="inputs_embeds with input_ids",
        make=made(lambda: {"inputs_embeds": embedded(), "input_ids": IDS}, to_verify=("inputs_embeds", "input_ids")),
    ),
    Call(
        name="position_ids",
        make=made(
            lambda: {"input_ids": IDS, "position_ids": torch.tensor([[3, 4, 5, 9]])},
            to_verify=("input_ids", "position_ids"),
        ),
    ),
    Call(
        name="a mask with holes",
        make=made(lambda: {"input_ids": IDS, "attention_mask": torch.tensor([[1, 0, 1, 1]])}),
    ),
    Call(name="a cache that holds the prompt's beginning", make=made(continued(DynamicCache)), modes=ONE_ROW),
    Call(
        name="a static cache that holds the prompt's beginning",
        make=made(continued(lambda: StaticCache(config=model().config, max_cache_len=24))),
        modes=ONE_ROW,
    ),
    Call(name="the next turn of a talk", make=made(continued_answer), modes=ONE_ROW),
    Call(
        name="an empty cache of the caller's", make=made(lambda: {"input_ids": IDS, CACHE_NAME: DynamicCache()})
    ),
    Call(name="a static cache", make=given(rows=two_rows, cache_implementation="static")),
    Call(name="a quantized cache", make=given(cache_implementation="quantized"), plain_fails=ALL),
    Call(name="an offloaded cache", make=given(cache_implementation="offloaded"), plain_fails=ALL),
    Call(name="no cache", make=given(rows=two_rows, use_cache=False)),
    Call(name="a sliding window", make=given("mistral", rows=lambda: {"input_ids": IDS.repeat(1, 3)})),
    Call(name="a hybrid cache", make=given("gemma2", rows=lambda: {"input_ids": IDS.repeat(1, 3)})),
    Call(
        name="a static hybrid cache",
        make=given("gemma2", rows=lambda: {"input_ids": IDS.repeat(1, 3)}, cache_implementation="static"),
    ),
    Call(name="a prompt in chunks", make=given(rows=two_rows, prefill_chunk_size=2)),
    Call(name="a prefix function", make=given(rows=two_rows, prefix_allowed_tokens_fn=allowed)),
    Call(name="guidance", make=given(guidance_scale=1.8)),
    Call(
        name="guidance away from a negative prompt",
        make=given(guidance_scale=1.8, negative_prompt_ids=torch.tensor([[7, 8, 9]])),
        modes=ONE_ROW,
    ),
    Call(name="max_time far away", make=given(max_time=600.0)),
    Call(name="low_memory", make=given(low_memory=True), plain_fails=BEAMS),
    Call(name="an argument that nobody knows", make=given(temprature=0.7), plain_fails=ALL),
    Call(name="synced_gpus=False", make=given(synced_gpus=False)),
    Call(name="a streamer", make=streamed, refused=STREAMER, or_equal=True, plain_fails=("beam",)),
    Call(name="an assistant", make=assisted, refused=ASSISTANT),
    Call(
        name="prompt lookup", make=given(prompt_lookup_num_tokens=2), refused="prompt_lookup_num_tokens", modes=ONE_ROW
    ),
    Call(
        name="stop strings and a tokenizer, Recorder(tokenizer)",
        make=stop_strings("e", "a", recorder=True),
        refused=STOP_STRINGS,
        or_equal=True,
    ),
    Call(
        name="stop strings and a tokenizer, Recorder()",
        make=stop_strings("e", "a", recorder=False),
        refused=STOP_STRINGS,
        or_equal=True,
    ),
    Call(name="stop strings without a tokenizer", make=given(stop_strings=["e"]), plain_fails=ALL),
    Call(name="Recorder(tokenizer)", make=with_tokenizer(lambda: TOKENIZER)),
    Call(name="Recorder(tokenizer) that is slow", make=with_tokenizer(ByT5Tokenizer)),
    Call(
        name="Recorder(tokenizer) that is a processor",
        make=with_tokenizer(Processor),
        refused="tokenizer",
        or_equal=True,
    ),
    Call(
        name="Recorder(tokenizer) that is a raw Tokenizer",
        make=with_tokenizer(lambda: Tokenizer.from_str(TOKENIZER.backend_tokenizer.to_str())),
        refused="tokenizer",
        or_equal=True,
    ),
    Call(name="Recorder(tokenizer) that is a name", make=with_tokenizer(lambda: "gpt2"), refused="tokenizer"),
    Call(name="Recorder(tokenizer) that is something else", make=with_tokenizer(lambda: 3), refused="tokenizer"),
    Call(name="Recorder(seed)", make=seeded),
    Call(
        name="Recorder(memory_budget) of nothing",
        make=lambda mode: Request(model=model(), kwargs={**two_rows(), **mode}, recorder={"memory_budget": 0}),
    ),
    *(
        Call(name=f"an encoder and a decoder: {kind}{what}", make=made(arguments, kind, to_verify=TO_VERIFY))
        for kind in ("t5", "bart")
        for what, arguments in {
            "": lambda: dict(SOURCE),
            ", with the answer's beginning": lambda: {
                **SOURCE,
                "decoder_input_ids": torch.tensor([[0, 40, 41], [0, 50, 51]]),
            },
            ", attentions and hidden states": lambda: {
                **SOURCE,
                "output_attentions": True,
                "output_hidden_states": True,
            },
        }.items()
    ),
    *(
        Call(name=f"an encoder's output: {kind}", make=made(lambda kind=kind: read_by_encoder(kind), kind))
        for kind in ("t5", "bart")
    ),
)
