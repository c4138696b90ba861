"""min_p against top_p when the temperature is high."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from decoding.parameters.settings import Settings
from decoding.studies.over_prompts import by_prompt, mean, mean_point
from decoding.studies.study import Claim, Curve, Findings, Panel, Paper, Part, Run, Runs, Study
from decoding.studies.texts import Texts

__all__ = ["MIN_P"]

LENGTH, SAMPLES = 16, 2
ROWS = 32  # computed together
TEMPERATURES = (0.7, 1.0, 1.5, 2.0, 3.0)
LOW, HIGH = (0.7, 1.0), (2.0, 3.0)
RULES = {"top_p": 0.9, "min_p": 0.1}
_SETTINGS = {
    "top_p": Settings(do_sample=True, top_k=0, top_p=RULES["top_p"], max_new_tokens=LENGTH),
    "min_p": Settings(do_sample=True, top_k=0, min_p=RULES["min_p"], max_new_tokens=LENGTH),
}

CLAIMS = (
    Claim(
        id="hot-answers",
        says="At temperatures 2 and 3 more answers are right with min_p = 0.1 than with top_p = 0.9: the difference of "
        "their shares is above 0.1.",
        low=0.1,
    ),
    Claim(
        id="hot-text",
        says="At temperatures 2 and 3 what comes with top_p has a higher surprisal under the model’s own distribution "
        "than what comes with min_p, by more than 1 nat per token.",
        low=1.0,
        unit="nats per token",
    ),
    Claim(
        id="cool-alike",
        says="At temperatures 0.7 and 1 the two are alike: their shares of right answers differ by less than 0.15, "
        "either way.",
        low=-0.15,
        high=0.15,
    ),
)


def _part_name(rule: str, temperature: float) -> str:
    return f"{rule}-temperature-{temperature:g}"


def _parts(texts: Texts) -> tuple[Part, ...]:
    prompts = tuple([{"role": "user", "content": fact.question}] for fact in texts.facts)
    return tuple(
        Part(
            name=_part_name(rule, temperature),
            prompts=prompts,
            settings=replace(settings, temperature=temperature),
            samples=SAMPLES,
            rows=ROWS,
        )
        for rule, settings in _SETTINGS.items()
        for temperature in TEMPERATURES
    )


def _read(runs: Runs, texts: Texts) -> Findings:
    def right(run: Run) -> float:
        return float(is_right(run.text, texts.facts[run.prompt].answers))

    def hotter(value: Callable[[Run], float], temperatures: tuple[float, ...]) -> np.ndarray:
        """Of each prompt by how much min_p is above top_p, over these temperatures."""
        of = {
            rule: sum(by_prompt(runs[_part_name(rule, t)], value) for t in temperatures) / len(temperatures)
            for rule in RULES
        }
        return np.asarray(of["min_p"] - of["top_p"])

    n = len(texts.facts)
    return Findings(
        panels=(
            _panel(
                runs, right, id="answers", title="Right answers", y="share of right answers",
                value="whether the answer is right: 1 or 0",
                reading="An answer is right if the right word is in it. Heat spreads the probability; top_p then takes "
                "in whatever makes up 0.9 of it, min_p only what has a tenth of the likeliest token’s.",
            ),
            _panel(
                runs, _surprisal, id="surprisal", title="How surprising the text is to the model itself",
                y="surprisal, in nats per token", value="mean surprisal of the text’s tokens, in nats",
                reading="Under the model’s own distribution, before temperature and truncation. Fluent text has a "
                "few nats per token; a token drawn evenly from a vocabulary of V tokens has ln V or more.",
            ),
        ),
        found={
            "hot-answers": mean(hotter(right, HIGH)),
            "hot-text": mean(-hotter(_surprisal, HIGH)),
            "cool-alike": mean(hotter(right, LOW)),
        },
        notes=(
            f"{n} questions that can be answered in a word, {SAMPLES} samples each. The paper’s are school "
            "mathematics and science.",
            "Right means that the word is there, not that the sentence is good.",
        ),
    )  # fmt: skip


def is_right(text: str, answers: tuple[str, ...]) -> bool:
    """Whether one of the answers is in the text as a word, in whatever case.

    Example:
        >>> is_right("It is paris.", ("Paris",)), is_right("comparison", ("Paris",))
        (True, False)
    """
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) for answer in answers)


def _surprisal(run: Run) -> float:
    return float(np.mean(run.surprisals))


def _panel(runs: Runs, of: Callable[[Run], float], **words: str) -> Panel:
    return Panel(
        x="temperature",
        curves=tuple(
            Curve(
                name=f"{rule} = {value:g}",
                points=tuple(mean_point(t, runs[_part_name(rule, t)], of) for t in TEMPERATURES),
            )
            for rule, value in RULES.items()
        ),
        **words,
    )


MIN_P = Study(
    name="min-p",
    title="Turning up the heat",
    paper=Paper(
        authors="Nguyen, Baker, Neo, Roush, Kirsch and Shwartz-Ziv",
        year=2024,
        title="Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs",
        arxiv="2407.01082",
        shows="Accuracy on school mathematics and science questions over temperature: with top_p it collapses as the "
        "temperature rises, with min_p it stays up for longer.",
    ),
    observation="At high temperatures text sampled with min_p stays coherent where text sampled with top_p falls "
    "apart; at low ones the two are alike.",
    recorded=f"A chat model answers simple questions, {LENGTH} tokens at most, at temperatures from 0.7 to 3, with "
    "min_p = 0.1 or top_p = 0.9 and nothing else, temperature first as in transformers. The paper used models of 1 to "
    "123 billion parameters and harder questions.",
    claims=CLAIMS,
    parts=_parts,
    read=_read,
)
