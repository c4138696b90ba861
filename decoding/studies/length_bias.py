"""Beam search's bias to short answers, with and without a length penalty."""

from __future__ import annotations

from decoding.parameters.settings import Settings
from decoding.studies.over_prompts import by_prompt, mean_point, ratio
from decoding.studies.study import Claim, Curve, Findings, Panel, Paper, Part, Run, Runs, Study
from decoding.studies.texts import Texts

__all__ = ["LENGTH_BIAS"]

LENGTH = 40
QUESTIONS = 16
ROWS = 32  # computed together
BEAMS = (2, 4, 8)
PENALTIES = (0.0, 1.0)

CLAIMS = (
    Claim(
        id="wider-is-shorter",
        says="Without a length penalty (length_penalty = 0) answers get shorter as the beam gets wider: their mean "
        "length with 8 beams is below 0.9 of that with 2.",
        high=0.9,
    ),
    Claim(
        id="penalty-lengthens",
        says="With 8 beams, answers without a length penalty are shorter than with one (length_penalty = 1): below 0.8 "
        "of their mean length.",
        high=0.8,
    ),
    Claim(
        id="penalty-mends",
        says="With the length penalty width hardly matters: the mean length with 8 beams is above 0.9 of that with 2.",
        low=0.9,
    ),
)


def _part_name(beams: int, penalty: float) -> str:
    return f"beams-{beams}-penalty-{penalty:g}"


def _parts(texts: Texts) -> tuple[Part, ...]:
    prompts = tuple([{"role": "user", "content": fact.question}] for fact in texts.facts[:QUESTIONS])
    greedy = Part(name="greedy", prompts=prompts, settings=Settings(max_new_tokens=LENGTH), rows=ROWS)
    return greedy, *(
        Part(
            name=_part_name(beams, penalty),
            prompts=prompts,
            settings=Settings(num_beams=beams, length_penalty=penalty, max_new_tokens=LENGTH),
            rows=ROWS,
        )
        for penalty in PENALTIES
        for beams in BEAMS
    )


def _length(run: Run) -> float:
    return float(len(run.surprisals))


def _read(runs: Runs, texts: Texts) -> Findings:
    lengths = {name: by_prompt(found, _length) for name, found in runs.items()}
    few, many = min(BEAMS), max(BEAMS)
    bare_few, bare_many = (lengths[_part_name(beams, 0.0)] for beams in (few, many))
    mended_few, mended_many = (lengths[_part_name(beams, 1.0)] for beams in (few, many))
    cut = [run.ended_by == "max_length" for found in runs.values() for run in found]
    return Findings(
        panels=(_panel(runs),),
        found={
            "wider-is-shorter": ratio(bare_many, bare_few),
            "penalty-lengthens": ratio(bare_many, mended_many),
            "penalty-mends": ratio(mended_many, mended_few),
        },
        notes=(
            f"Answers are cut after {LENGTH} tokens; {sum(cut)} of {len(cut)} were. That makes long answers look "
            "shorter than they would have been, and so the differences smaller.",
            "One beam is greedy decoding, which knows no length penalty.",
            "This is the study’s second version. The first asked twelve open questions (what is a volcano?), and each "
            "of its 84 answers was cut at 40 tokens: all lengths were the same, and nothing was measured. The "
            "questions were changed to ones with short answers; claims and settings are as they were.",
        ),
    )


def _panel(runs: Runs) -> Panel:
    greedy = mean_point(1, runs["greedy"], _length)
    return Panel(
        id="length",
        title="How long answers are",
        x="beams",
        y="length of the answer, in tokens",
        reading="A sum of log-probabilities falls with every token, so that a wide beam, which finds short answers, "
        "prefers them. Divided by the length it does not.",
        value="length of the answer, its end included, in tokens",
        curves=tuple(
            Curve(
                name=f"length_penalty = {penalty:g}",
                points=(greedy, *(mean_point(beams, runs[_part_name(beams, penalty)], _length) for beams in BEAMS)),
            )
            for penalty in PENALTIES
        ),
        log="x",
    )


LENGTH_BIAS = Study(
    name="length-bias",
    title="Wide beams like it short",
    paper=Paper(
        authors="Murray and Chiang",
        year=2018,
        title="Correcting Length Bias in Neural Machine Translation",
        arxiv="1808.10006",
        shows="Translations are too short, and the shorter the wider the beam; corrected for length, they hardly are.",
    ),
    observation="Beam search by the plain sum of log-probabilities prefers short answers, the more so the wider the "
    "beam is; a correction for length takes most of that away.",
    recorded=f"A chat model answers simple questions, at most {LENGTH} tokens each, with 2, 4 and 8 beams; as score "
    "the sum of log-probabilities, or that sum divided by the length (length_penalty = 1). The paper translates, with "
    "up to 1000 beams, and compares the length with a reference’s; here there is none.",
    claims=CLAIMS,
    parts=_parts,
    read=_read,
)
