"""The repetition loop that feeds on itself, and beam text that is likelier than what people write."""

from __future__ import annotations

import numpy as np

from decoding.parameters.settings import Settings
from decoding.studies.interval import bootstrap, share
from decoding.studies.over_prompts import mean, padded
from decoding.studies.study import Claim, Curve, Findings, Follow, Panel, Paper, Part, Point, Run, Runs, Study
from decoding.studies.texts import Texts

__all__ = ["DEGENERATION"]

PHRASE, TIMES = 10, 10  # tokens of a phrase, and how often it comes
LENGTH, BEAMS = 40, 4
PASSAGES = 24
ROWS = 32  # computed together

CLAIMS = (
    Claim(
        id="tenth-above-first",
        says="In more than 0.8 of the phrases the tenth occurrence is likelier, per token, than the first.",
        low=0.8,
    ),
    Claim(
        id="tenth-above-second",
        says="In more than 0.8 of the phrases the tenth occurrence is likelier, per token, than the second.",
        low=0.8,
    ),
    Claim(
        id="each-rises",
        says="With each repetition up to the tenth the mean ln p per token rises, or falls by less than 0.01 nats "
        "where it has reached its ceiling: the smallest of the nine rises is above −0.01.",
        low=-0.01,
        unit="nats per token",
    ),
    Claim(
        id="beam-above-human",
        says="Beam text has a higher ln p per token than human text after the same beginning, by more than 1 nat in "
        "the mean.",
        low=1.0,
        unit="nats per token",
    ),
    Claim(
        id="human-varies",
        says="Human text varies more: the standard deviation of ln p over its tokens is larger than over beam text's, "
        "by more than 0.5 nats in the mean.",
        low=0.5,
        unit="nats",
    ),
)


def _parts(texts: Texts) -> tuple[Part, ...]:
    prompts = tuple(passage.prompt for passage in texts.passages[:PASSAGES])
    written = tuple(passage.continuation for passage in texts.passages[:PASSAGES])
    return (
        Part(
            name="loop",
            prompts=prompts,
            settings=Settings(max_new_tokens=PHRASE * TIMES),
            follow=Follow(texts=written, n_tokens=PHRASE, times=TIMES),
            rows=ROWS,
        ),
        Part(
            name="human",
            prompts=prompts,
            settings=Settings(max_new_tokens=LENGTH),
            follow=Follow(texts=written, n_tokens=LENGTH),
            rows=ROWS,
        ),
        Part(name="beam", prompts=prompts, settings=Settings(num_beams=BEAMS, max_new_tokens=LENGTH), rows=ROWS),
    )


def _read(runs: Runs, texts: Texts) -> Findings:
    loops = -np.array([np.reshape(run.surprisals, (TIMES, PHRASE)).mean(axis=1) for run in runs["loop"]])
    human, beam = (-padded([run.surprisals for run in runs[name]]) for name in ("human", "beam"))
    n_ended = sum(run.ended_by != "max_length" for run in runs["beam"])
    return Findings(
        panels=(_loop_panel(runs["loop"], loops), _text_panel(runs, human, beam)),
        found={
            "tenth-above-first": share(loops[:, -1] > loops[:, 0]),
            "tenth-above-second": share(loops[:, -1] > loops[:, 1]),
            "each-rises": bootstrap(loops, lambda drawn: np.diff(drawn.mean(axis=-2), axis=-1).min(axis=-1)),
            "beam-above-human": mean(np.nanmean(beam, axis=1) - np.nanmean(human, axis=1)),
            "human-varies": mean(np.nanstd(human, axis=1) - np.nanstd(beam, axis=1)),
        },
        notes=(
            f"Human text: {texts.source}",
            "Phrases and human text are recorded like any other run: a processor of the study's own lets one token "
            "through at each step, and the model's own scores are recorded before it.",
            "The model may have read these books when it was trained; that makes human text likelier, and so the "
            "difference between the two smaller.",
            f"{n_ended} of {len(runs['beam'])} beam texts ended before {LENGTH} tokens.",
        ),
    )


def _loop_panel(runs: tuple[Run, ...], loops: np.ndarray) -> Panel:
    points = tuple(
        Point(
            x=time + 1,
            y=bootstrap(loops[:, time], lambda drawn: np.exp(drawn.mean(axis=-1))),
            runs=tuple((run, float(np.exp(loops[i, time]))) for i, run in enumerate(runs)),
            step=time * PHRASE,
        )
        for time in range(TIMES)
    )
    return Panel(
        id="loop",
        title="A phrase, said again and again",
        x="occurrence of the phrase",
        y="probability per token",
        reading=f"Each phrase is {PHRASE} tokens of a book, in their place the first time, and then repeated. The "
        "higher, the surer the model is that it will go on with the repetition.",
        value="geometric mean of the probabilities of the phrase’s tokens",
        curves=(Curve(name="repeated phrase", points=points),),
    )


def _text_panel(runs: Runs, human: np.ndarray, beam: np.ndarray) -> Panel:
    return Panel(
        id="text",
        title="Beam text and human text after the same beginnings",
        x="position in the text, in tokens",
        y="probability of the token",
        reading=f"Beam search with {BEAMS} beams, and what the author wrote. Beam text stays likely; human text does "
        "not care to be.",
        value="probability of the token at this position",
        curves=(
            Curve(name="beam search", points=_positions(runs["beam"], np.exp(beam))),
            Curve(name="human", points=_positions(runs["human"], np.exp(human))),
        ),
    )


def _positions(runs: tuple[Run, ...], probabilities: np.ndarray) -> tuple[Point, ...]:
    out = []
    for place, column in enumerate(probabilities.T):
        there = [i for i, p in enumerate(column) if not np.isnan(p)]
        out.append(
            Point(
                x=place + 1, y=mean(column[there]), runs=tuple((runs[i], float(column[i])) for i in there), step=place
            )
        )
    return tuple(out)


DEGENERATION = Study(
    name="degeneration",
    title="The loop that feeds on itself",
    paper=Paper(
        authors="Holtzman, Buys, Du, Forbes and Choi",
        year=2020,
        title="The Curious Case of Neural Text Degeneration",
        arxiv="1904.09751",
        shows="Figure 4: the probability of a repeated phrase rises with each repetition. Figure 2: beam search’s text "
        "has a high probability per token throughout, human text a lower one that goes up and down.",
    ),
    observation="A phrase that has been repeated is likelier to be repeated once more, the more often it was; and what "
    "maximises probability is not what people write: human text is less likely, token by token, than beam text.",
    recorded=f"For each passage of a book the model reads 30 words of it. Then it follows {PHRASE} tokens of the book, "
    f"{TIMES} times over; or {LENGTH} tokens of the book; or decodes {LENGTH} tokens with {BEAMS} beams. The paper "
    "used GPT-2 Large, web text, 200 repetitions and up to 32 beams.",
    claims=CLAIMS,
    parts=_parts,
    read=_read,
)
