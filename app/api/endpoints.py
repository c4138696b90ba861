"""The API: six named endpoints for programs, the same as MCP tools for assistants.

Their docstrings are what Gradio shows as documentation and what an assistant reads.
"""

# No `from __future__ import annotations`: Gradio reads the annotations as they are.

import functools
import json
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import asdict
from typing import Any

import gradio as gr

from decoding.errors import DecodingError, NotRecordedError, PromptError, ResponseError, SettingError
from decoding.models.load import LanguageModel
from decoding.parameters.acting import model_defaults
from decoding.parameters.settings import Settings
from decoding.partial.response import open_response
from decoding.presets import Told, read, write
from decoding.reading.beam_tree import to_node_link, tree
from decoding.recorded.ledger import Hypothesis
from decoding.recorded.run import Step
from decoding.trace import Trace
from decoding.verify import Verification
from decoding.whatif.beam_replay import Replay
from decoding.whatif.whatif import WhatIf

from ..export.partial import partial_json
from ..export.trace_json import candidate_json, row_json, run_json
from ..form import check_stops, with_length
from ..lab import in_words
from ..partials import check_size
from ..runs import Runs
from ..serving.bounds import Bounds, bounds_here
from ..serving.decoder import Decoder, new_line
from ..serving.failures import noted
from ..serving.limits import limits_of
from ..serving.line import Line
from ..serving.model_shelf import ModelShelf
from ..serving.operation import OutOfTime
from ..serving.pace import size_of
from ..serving.question import Question
from ..serving.stored_runs import StoredRun, StoredRuns
from ..text import Text
from ..views.float32 import float32
from ..views.look import Look
from ..views.step_head import is_open
from ..views.token_row import measures_of
from ..views.token_text import token_text
from ..whatif import acting_settings, whatif_under
from .caller import LOOK_EVERY, Caller
from .kept_runs import KeptRun, KeptRuns

__all__ = ["Api", "add_api"]

Json = dict[str, Any]

MEMORY_BUDGET = 128 * 2**20  # of one run; the rest goes to disk
MOST_TOKENS = 200  # of a step's distribution
MOST_NODES = 20_000  # of a tree: about 8 MB
MODEL = {"concurrency_limit": None}  # `app.serving.line` decides who uses the model, and when
LOOK = {"concurrency_id": "api", "concurrency_limit": 1}


def add_api(shelf: ModelShelf, line: Line, stored: StoredRuns | None = None) -> None:
    """Adds the endpoints to the page that is being built.

    Args:
        line: with the page's visitors.
        stored: runs that were recorded before.
    """
    api = Api(shelf, line=line, stored=stored)
    gr.api(api.record, api_name="record", **MODEL)
    gr.api(api.verify, api_name="verify", **MODEL)
    for look in (api.step, api.whatif, api.tree, api.preset, api.open_response):
        gr.api(look, api_name=look.__name__, **LOOK)


def _answering(endpoint: Callable[..., Json]) -> Callable[..., Json]:
    """An endpoint whose failures reach the caller in words."""

    @functools.wraps(endpoint)
    def answer(*args: Any, **kwargs: Any) -> Json:
        try:
            return endpoint(*args, **kwargs)
        except DecodingError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except gr.Error:
            raise
        except Exception as error:
            number = noted(f"the endpoint {endpoint.__name__} failed", error)
            raise gr.Error(
                f"{endpoint.__name__} failed with {type(error).__name__}: a bug of Decoding Explorer, not of the call; "
                f"the server's log has the details as error {number}",
                print_exception=False,
            ) from error

    return answer


class Api:
    """The endpoints.

    Args:
        shelf: the page's models.
        runs: where recorded runs are kept.
        line: of all who use the models; None for a new one.
        stored: runs that were recorded before; None where every run is decoded.
    """

    def __init__(
        self,
        shelf: ModelShelf,
        runs: KeptRuns | None = None,
        line: Line | None = None,
        stored: StoredRuns | None = None,
    ) -> None:
        self._stored, self._line = stored, line or new_line()
        self._shelf, self._decoder = shelf, Decoder(limits_of(Bounds.read(public=True)), shelf.batchers)
        self._runs = KeptRuns() if runs is None else runs

    @_answering
    def record(
        self,
        prompt: str = "",
        settings: dict[str, Any] | None = None,
        model: str = "",
        messages: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Runs a language model on a prompt and records every step of its decoding: all scores before and after each logits processor, and in beam search every candidate. Returns the text, each token with its probability, and the id of the run, with which step, whatif, tree and verify answer questions such as why this token came.

        Args:
            prompt: the text to continue; leave it empty where messages are given.
            settings: decoding parameters under the names of transformers' generate(), such as {"do_sample": true, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "seed": 0, "max_new_tokens": 40} or {"num_beams": 4}; what is left out is at the model's or transformers' default, and max_new_tokens is 64. At most 16 beams or sequences, and 512 new tokens.
            model: smollm2-135m, a Hub id or a directory on the server; empty for the server's default. A public server takes only some.
            messages: a chat instead of a prompt, such as [{"role": "user", "content": "Hello"}]; it goes through the model's chat template.

        Returns:
            An object: run (the id, kept for a while on the server), text (of the first answer), tokens (of the first answer, with step and row for the step tool, and probabilities), answers (all sequences), stop_reasons, stages (the logits processors that ran, in order), origins (where each parameter that acted came from: given, model for the model's own default, transformers), silent (parameters that had no effect, with the reason), warnings, recorded_before (when, where the same had been asked and was not decoded again, else null), and what else describes the run.
        """  # noqa: E501
        asked = _asked(prompt, messages)
        given = with_length(_settings(settings))
        name = model.strip()[:500] if isinstance(model, str) and model.strip() else self._shelf.default
        lm = self._model(name)
        question = None if self._stored is None else Question.of(lm, asked, given)
        found, cut = self._answer(question), ""
        if found is None:
            found, cut = self._decoded(lm, asked, given, question)
        run = self._runs.add(found.trace, name)
        about = run_json(found.trace)
        about["warnings"] += [cut] if cut else []
        at = found.recorded_at
        about["recorded_before"] = None if at is None else at.isoformat(timespec="seconds")
        kept = {
            "run": run.id, "kept_for_seconds": self._runs.lives, "text": found.trace.text(),
            "tokens": _tokens(found.trace),
        }  # fmt: skip
        return {**kept, **{key: value for key, value in about.items() if key not in ("format", "version", "n_head")}}

    @_answering
    def step(self, run: str, step: int = 0, row: int = 0, n: int = 20) -> dict[str, Any]:
        """Says why this token came: what every logits processor did at one step of a recorded run, which tokens it removed and by what margin, and how likely each token was before and after.

        Args:
            run: the id that record gave.
            step: which step, from 0; record's tokens say which step made each of them.
            row: which row of generate(), from 0: of a beam or of a returned sequence; record's tokens say it.
            n: how many of the likeliest tokens to list, at most 200.

        Returns:
            An object: chosen (the token or tokens that the row went on with), reading (the step in words), stages (the model's logits first, then each processor with its parameters: tokens still possible after it, tokens and probability mass it removed, entropy in nats), head (the likeliest tokens with their rank, logit, probability before the first stage and after each, and removed_by: the index in stages of the one that removed it, or null). In beam search also candidates, with the fate of each.
        """  # noqa: E501
        trace = self._runs.get(run).trace
        at, row = _within("step", step, len(trace.steps)), _within("row", row, trace.n_rows)
        n = _within("n", n, MOST_TOKENS + 1, least=1, remedy="a step has no more that matter")
        recorded = trace.steps[at]
        if not is_open(recorded, row, trace.rows_per_prompt):
            raise NotRecordedError(f"row {row} had ended before step {at}; choose an earlier step or another row")
        values = row_json(trace, recorded, row, n)
        facts = values.pop("facts") or [{}] * (len(recorded.stages) + 1)
        names = [{"name": "logits", "params": {}}, *run_json(trace)["stages"]]
        return {
            "run": run, "step": at, "prompt": row // trace.rows_per_prompt, **values,
            "stages": [{**stage, **fact} for stage, fact in zip(names, facts, strict=True)],
            "reading": _reading(trace, recorded, row),
            **_beams(trace, recorded, row),
        }  # fmt: skip

    @_answering
    def whatif(self, run: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Says what other decoding settings would have made of a recorded run, without running the model: whether each chosen token would still have been possible and how likely, and from which step on the run would have gone another way. Exact up to there; for what comes after, record again.

        Args:
            run: the id that record gave.
            settings: the parameters to change, such as {"top_p": 0.5}; the others stay as they were recorded, and null takes one back to its default.

        Returns:
            An object: settings (all of them), mode, diverges_at (the first step at which the run would have gone another way, or null), chosen (for each row its steps: does the token survive, its probability and rank), statements (what cannot be told without the model), and for beam search replay (the answers under another length_penalty, early_stopping or num_return_sequences), or null.
        """  # noqa: E501
        kept = self._runs.get(run)
        trace = kept.trace
        tried = self._tried(kept, _settings_object(settings))
        return {
            "run": run,
            "settings": _plain(tried.settings.to_json()),
            "mode": tried.mode,
            "stages": [_plain(asdict(stage)) for stage in tried.stages],
            "statements": [asdict(statement) for statement in tried.statements],
            "diverges_at": tried.diverges_at,
            "row_diverges_at": list(tried.row_diverges_at),
            "chosen": [_chosen(trace, tried, row) for row in range(trace.n_rows)],
            "replay": None if tried.replay is None else _replay(trace, tried.replay),
        }

    @_answering
    def tree(self, run: str, prompt: int = 0, last_step: int = -1) -> dict[str, Any]:
        """Gives the beam tree of a recorded beam search: every candidate of every step with its parent, log-probability, score, margin and fate (kept, pruned, finished, ended_outside, beaten).

        Args:
            run: the id that record gave.
            prompt: of which prompt, from 0.
            last_step: the last step to include, from 0; -1 for all of them.

        Returns:
            Node-link data, as networkx.node_link_graph(data, edges="edges") reads it: nodes (id, kind, step, rank, token_text, logprob, score, fate, and so on) and edges (source, target, probability).
        """  # noqa: E501
        trace = self._runs.get(run).trace
        last = _within("last_step", last_step, len(trace.steps), least=-1)
        graph = tree(trace, _within("prompt", prompt, trace.n_prompts))
        if last >= 0:
            graph = graph.subgraph([node for node, depth in graph.nodes(data="depth") if depth <= last + 1]).copy()
        if len(graph) > MOST_NODES:
            raise NotRecordedError(f"the tree has {len(graph):,} nodes, more than {MOST_NODES:,}; lower last_step")
        return to_node_link(graph)

    @_answering
    def verify(self, run: str) -> dict[str, Any]:
        """Runs transformers' own generate() again with the inputs and parameters of a recorded run and compares every token, logit and score with the recording.

        Args:
            run: the id that record gave.

        Returns:
            An object: equal (true or false), grade (bits: everything is the same, bit for bit; tokens: the same tokens, scores that differ by no more than largest; other: other tokens), largest, because (known reasons for a difference, such as another processor), against (what it was compared with), checks (name, equal, detail, largest of each), notes, and text (the report in words).
        """  # noqa: E501
        kept = self._runs.get(run)
        report = self._verified(kept.trace, self._model(kept.model_name))
        verdict = {name: getattr(report, name) for name in ("equal", "grade", "largest", "text")}
        return {"run": run, **verdict, **_plain(asdict(report))}

    @_answering
    def preset(self, text: str, engine: str = "", defaults: bool = True, to: str = "") -> dict[str, Any]:
        """Translates the settings of another engine: reads a request to llama.cpp's server or vLLM, SamplingParams(...), Ollama's options or a Modelfile, or a preset of text-generation-webui, and gives the settings that record takes; or writes them for another engine. Says what has no counterpart and what means something else.

        Args:
            text: the request or preset, at most 20,000 characters.
            engine: whose it is: llama.cpp, vllm, ollama or text-generation-webui; empty to tell it by its keys.
            defaults: whether what that engine does by itself, where nothing is given, becomes a setting, too.
            to: an engine to write the settings for; empty for none.

        Returns:
            An object: engine (whose it was read as), sure (whether no other engine knows as many of its keys), settings (for record), filled (the engine's own defaults among them), told (for each key that is not simply taken over: kind, name, value, why; kind is wrong, unknown, missing, idle, differs or aside), written (text and told, where to was given, else null).
        """  # noqa: E501
        found = read(text, engine or None, defaults=defaults is not False)
        written = write(found.settings, to) if to else None
        return {
            "engine": found.engine, "sure": found.sure, "settings": _plain(found.settings.to_json()),
            "filled": dict(found.filled), "told": [_told_of(each) for each in found.told],
            "written": written and {"text": written.text, "told": [_told_of(each) for each in written.told]},
        }  # fmt: skip

    @_answering
    def open_response(self, response: str, vocab_size: int = 0) -> dict[str, Any]:
        """Reads a response of another engine that has log-probabilities (a chat or completion of an OpenAI-compatible server such as vLLM, or llama.cpp's own form) and says what is known of each step: the tokens it names with rank and probability, the probability of the unknown tail, and the least and greatest entropy that fit. It is a partial trace: what needs all logits (step, whatif, tree, verify) is there for recorded runs only.

        Args:
            response: the JSON as the server sent it, as text; a stream's events, or a line of JSON each; with the request before it, if there is one.
            vocab_size: tokens in the model's vocabulary, which the greatest entropy needs; 0 where it is not known.

        Returns:
            An object: kind (whose probabilities they are: model, final or unsaid), model, prompts, messages, request, and choices: for each answer its text, notes, and steps with known (tokens: text, bytes, id, logprob, probability, rank), chosen (the index in known), tail, entropy_least_nats, entropy_most_nats, surprisal_nats, marks. null is what is not known.
        """  # noqa: E501
        if not isinstance(response, str):
            raise ResponseError("response must be a text: the server's JSON as it came")
        size = _within("vocab_size", vocab_size, 10_000_001, remedy="give 0 where it is not known")
        if (n := len(response)) > (most := bounds_here().response_bytes):
            raise ResponseError(f"the response has {n:,} characters, and at most {most:,} are taken; ask for fewer")
        trace = open_response(response)
        check_size(trace, "the response")
        return partial_json(trace, size or None)

    def _answer(self, question: Question | None) -> StoredRun | None:
        """A run that was recorded before, if it answers the question."""
        return None if self._stored is None else self._stored.find(question)

    def _decoded(
        self, lm: LanguageModel, asked: Any, settings: Settings, question: Question | None
    ) -> tuple[StoredRun, str]:
        """The run, its steps taken in turn with others', and a warning where it was broken off; or, where others asked
        the same and had the answer first, theirs."""
        caller, recorder, cut = Caller(), self._decoder.recorder(MEMORY_BUDGET), ""
        size = size_of(settings.given(), model_defaults(lm.model))
        with self._line.join(caller.who, lm.name, *size, None if question is None else question.key) as place:
            coming = place.prepare(lambda: self._decoder.stream(lm, asked, settings, recorder))
            if not place.is_let_in:
                found = caller.wait(place, lambda: self._answer(question)) or self._answer(question)
                if found is not None:
                    return found, ""
                # Anew: a limit of time counts from here.
                coming = place.prepare(lambda: self._decoder.stream(lm, asked, settings, recorder))
            looked = time.monotonic()
            steps = place.steps(coming, until=lambda: looked + LOOK_EVERY, is_over=lambda: caller.has_gone)
            try:
                for _ in steps:
                    caller.check()
                    looked = time.monotonic()
            except OutOfTime as error:
                cut = str(error)
            finally:
                steps.close()
            if self._stored is not None and self._stored.keep(question, recorder.trace) is None:
                place.no_answer()
        return StoredRun(trace=recorder.trace, recorded_at=None), cut

    def _verified(self, trace: Trace, lm: LanguageModel) -> Verification:
        """The second run, its steps taken in turn with others'."""
        caller, rows = Caller(), trace.n_rows
        with self._line.join(caller.who, lm.name, rows, len(trace.steps)) as place:
            caller.wait(place)
            going_on = place.whole(lambda others_first: self._decoder.verify(trace, lm, others_first))
            while wait([going_on], LOOK_EVERY).not_done:
                caller.check()
            return going_on.result()

    def _model(self, name: str) -> LanguageModel:
        """The model, once it is loaded."""
        for state in self._shelf.loading(name):
            if state.error is not None:
                raise state.error
        return state.lm

    def _tried(self, kept: KeptRun, changes: Json) -> WhatIf:
        trace = kept.trace
        then = trace.settings or acting_settings(trace)
        values = {**then.to_json(), **changes}
        settings = Settings.from_json({name: value for name, value in values.items() if value is not None})
        lm = self._shelf.state(kept.model_name).lm
        return whatif_under(trace, settings, None if lm is None else lm.tokenizer)


# --- what was asked for -----------------------------------------------------------------------------------


def _asked(prompt: Any, messages: Any) -> Any:
    """A text or a chat, not too long; what else is wrong with it `encode_prompt` says."""
    if messages and prompt:
        raise PromptError("give either prompt or messages, not both")
    if messages:
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise PromptError('messages must be a list like [{"role": "user", "content": "Hello"}]')
        length = len(json.dumps(messages))
    elif not isinstance(prompt, str):
        raise PromptError(f"prompt must be a text, got {type(prompt).__name__}; several are several calls")
    else:
        length = len(prompt)
    if length > (most := bounds_here().prompt_characters):
        raise PromptError(f"the prompt has {length:,} characters, and at most {most:,} are taken; shorten it")
    return messages or prompt


def _settings_object(settings: Any) -> Json:
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise SettingError("settings", settings, "an object of parameter names and values", 'like {"top_p": 0.9}')
    length = len(json.dumps(settings))
    if length > (most := bounds_here().settings_characters):
        raise SettingError(
            "settings", f"{length:,} characters", f"at most {most:,} characters of JSON", "use fewer words"
        )
    check_stops(settings.get("stop_strings"))
    return settings


def _settings(settings: Any) -> Settings:
    return Settings.from_json({name: value for name, value in _settings_object(settings).items() if value is not None})


def _within(name: str, value: Any, end: int, *, least: int = 0, remedy: str = "choose one of this run's") -> int:
    """A whole number from `least` up to, not including, `end`; programs in JavaScript send 3 as 3.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < end:
        raise SettingError(name, value, f"a whole number in [{least}, {end - 1}]", remedy)
    return value


# --- answers ----------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Infinite biases, for which JSON has no number, as texts."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and value in (float("inf"), -float("inf")) else value


def _tokens(trace: Trace) -> list[Json]:
    """The tokens of the first answer."""
    if trace.ledger is None:
        live = [step for step in trace.steps if not step.ended[0]]
        return [_token(trace, step, 0) for step in live]
    return _path(trace, trace.hypotheses[0]) if trace.hypotheses else []


def _token(trace: Trace, step: Step, row: int) -> Json:
    token_id = step.token_ids[row]
    out = {"step": step.index, "row": row, "id": token_id, "text": token_text(trace, token_id)}
    m = measures_of(step, row)
    if m.rank is None:  # the disk was full
        return out
    return {
        **out, "probability": m.probability, "rank": m.rank, "entropy_nats": m.entropy_nats,
        "final_probability": m.final_probability,
    }  # fmt: skip


def _path(trace: Trace, hypothesis: Hypothesis) -> list[Json]:
    """A hypothesis token by token; `row` is the one whose scores it was taken from."""
    out = []
    path = trace.ledger.path(hypothesis.step, hypothesis.prompt, hypothesis.rank)
    for (step, rank), token_id, logprob in zip(path, hypothesis.token_ids, hypothesis.logprobs, strict=True):
        row = int(trace.ledger.steps[step]["parent"][hypothesis.prompt, rank])
        token = {"step": step, "row": row, "id": token_id, "text": token_text(trace, token_id)}
        out.append({**token, "logprob": float32(logprob), "rank": rank})
    return out


def _reading(trace: Trace, step: Step, row: int) -> list[str]:
    """The step in words, as the page's tab has them."""
    chosen = [token for token, parent in zip(step.token_ids, step.parents, strict=False) if parent == row]
    token_id = step.token_ids[row] if not step.parents else chosen[0] if chosen else None
    look = Look(
        trace=trace, row=row, step=step.index, token_id=token_id, runs=Runs(trace, trace.model.name), text=Text("en")
    )
    items = in_words.sheet(look, {})["items"]
    plain = ((item["label"], "".join(p if isinstance(p, str) else p["text"] for p in item["pieces"])) for item in items)
    return [f"{label}: {text}" for label, text in plain]


def _beams(trace: Trace, step: Step, row: int) -> Json:
    """The candidates that continue this row's prompt; nothing in other modes."""
    if trace.ledger is None:
        return {}
    prompt = row // trace.rows_per_prompt
    return {"candidates": [candidate_json(trace, c) for c in step.candidates if c.prompt == prompt]}


def _chosen(trace: Trace, tried: WhatIf, row: int) -> list[Json]:
    return [
        {
            "step": step.index,
            "id": step.token_ids[row],
            "text": token_text(trace, step.token_ids[row]),
            **_told(tried, step.index, row),
        }
        for step in trace.steps
        if not step.ended[row]
    ]


def _told_of(each: Told) -> Json:
    return {"kind": each.kind, "name": each.name, "value": each.value, "why": str(each.why)}


def _told(tried: WhatIf, step: int, row: int) -> Json:
    """What the settings make of the token chosen there; null where the step's scores were lost."""
    probability, rank = tried.chosen_probability[step][row], tried.chosen_rank[step][row]
    return {
        "survives": tried.chosen_survives[step][row],
        "probability": None if probability is None else float(probability),
        "rank": None if rank is None else int(rank) + 1,
    }


def _replay(trace: Trace, replay: Replay) -> Json:
    answers = [
        {
            "prompt": h.prompt,
            "place": h.place,
            "answer": h.answer,
            "score": float32(h.score),
            "finished": h.finished,
            "text": trace.tokens.plain(h.token_ids) if trace.tokens else "",
            "tokens": list(h.token_ids),
        }
        for h in replay.hypotheses
    ]
    return {"answers": answers, "n_steps": replay.n_steps, "decided": replay.decided}
