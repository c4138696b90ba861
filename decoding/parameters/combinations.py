"""Parameters that cannot go together: told at once where they were given, or once the model's defaults are known.

transformers raises on these, less clearly, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

from decoding.constraints.texts import CONSTRAINTS
from decoding.errors import SettingError, shown
from decoding.parameters.acting import acting
from decoding.words import words

__all__ = ["check_acting", "check_given"]

Values = Mapping[str, Any]


def check_given(given: Values) -> None:
    """Returns if the parameters given can go together, whatever a model's own defaults are.

    Raises:
        SettingError: two or more of them cannot.
    """
    for names, rule in (*RULES, *OF_THE_GIVEN):
        if all(given.get(name) is not None for name in names):
            rule(given, given)


def check_acting(defaults: Values, given: Values) -> None:
    """Returns if the parameters given and a model's own defaults can go together.

    Args:
        defaults: the model's own, see `decoding.parameters.acting.model_defaults`.
        given: the parameters given.

    Raises:
        SettingError: some cannot; of a value that was not given it says whose default it is.
    """
    values = acting(defaults, given)
    for _, rule in RULES:
        try:
            rule(values, given)
        except SettingError as error:
            raise _with_whose_defaults(error, defaults, given) from None


def _with_whose_defaults(error: SettingError, defaults: Values, given: Values) -> SettingError:
    """The same, with the parameters that it names and that the model itself has set."""
    said = f"{error.parameter} {error.accepts}"
    own = [f"{n}={defaults[n]!r}" for n in PARTS if n in defaults and n not in given and n in said]
    if not own:
        return error
    remedy = words(
        "{remedy} ({own} is the model's own default; what is given takes its place)",
        remedy=error.remedy, own=", ".join(own),
    )  # fmt: skip
    return SettingError(error.parameter, error.value, error.accepts, remedy)


# --- the rules: (the parameters that decide, what raises where they cannot go together) --------------------


def _greedy_returns_one(v: Values, given: Values) -> None:
    if _beams(v) == 1 and _returned(v) > 1 and not v.get("do_sample"):
        raise SettingError(
            "num_return_sequences", _returned(v), "1 for greedy decoding",
            "greedy gives the same answer every time; use do_sample=True or num_beams > 1",
        )  # fmt: skip


def _beams_return_no_more(v: Values, given: Values) -> None:
    if 1 < _beams(v) < _returned(v):
        raise SettingError(
            "num_return_sequences", _returned(v), words("in [1, num_beams] = [1, {beams}]", beams=_beams(v)),
            "raise num_beams or ask for fewer",
        )  # fmt: skip


def _groups_share_the_beams(v: Values, given: Values) -> None:
    groups, beams = _groups(v), _beams(v)
    if beams == 1 and given.get("num_beam_groups") is None:
        return  # generate() looks at groups only where there are beams
    if groups > beams or beams % groups:
        raise SettingError(
            "num_beam_groups", groups, words("a divisor of num_beams = {beams}", beams=beams),
            "groups share the beams evenly",
        )


def _groups_do_not_sample(v: Values, given: Values) -> None:
    if _groups(v) > 1 and _beams(v) > 1 and v.get("do_sample"):
        raise SettingError("do_sample", True, "False with num_beam_groups > 1", "diverse beam search does not sample")


def _groups_are_penalised(v: Values, given: Values) -> None:
    if _groups(v) > 1 and _beams(v) > 1 and not v.get("diversity_penalty"):
        raise SettingError(
            "diversity_penalty", v.get("diversity_penalty"), "> 0 with num_beam_groups > 1",
            "without it all groups are alike",
        )  # fmt: skip


def _contrast_needs_a_choice(v: Values, given: Values) -> None:
    if given.get("penalty_alpha") and v.get("top_k") == 1 and _beams(v) == 1 and not v.get("do_sample"):
        raise SettingError(
            "top_k", 1, "a whole number > 1 for contrastive search",
            "there is nothing to choose from; leave penalty_alpha out for greedy decoding",
        )  # fmt: skip


def _one_steers(v: Values, given: Values) -> None:
    target = v.get("adaptive_target")
    if v.get("mirostat_tau") is not None and target is not None and target >= 0:
        raise SettingError(
            "adaptive_target", target, "left out where mirostat_tau is given",
            "each of the two decides alone what may be drawn; choose one",
        )  # fmt: skip


def _one_away_from(name: str) -> Callable[[Values, Values], None]:
    def rule(v: Values, given: Values) -> None:
        n = v.get(name) or 1
        if given.get("negative_prompt") is not None and v.get("guidance_scale") not in (None, 1) and n > 1:
            raise SettingError(  # generate() repeats the prompt for each of them, but not the negative one
                name, n, "1 where guidance_scale moves away from a negative_prompt",
                "leave the negative_prompt out, or take one sequence: transformers fails on the two together",
            )  # fmt: skip

    return rule


def _at_most(low: str, high: str) -> Callable[[Values, Values], None]:
    def rule(v: Values, given: Values) -> None:
        if v[low] > v[high]:
            accepts = words("<= {high} = {most}", high=high, most=v[high])
            raise SettingError(low, v[low], accepts, words("lower it or raise {high}", high=high))

    return rule


def _not_contrastive(name: str) -> Callable[[Values, Values], None]:
    def rule(v: Values, given: Values) -> None:
        if v.get(name) is None:
            return
        if v.get("penalty_alpha") and v.get("top_k") != 1 and _beams(v) == 1 and not v.get("do_sample"):
            raise SettingError(
                name, shown(v[name]), "left out in contrastive search",
                "which may take a token that was forbidden, as it weighs other things, too; decode in another mode",
            )  # fmt: skip

    return rule


def _alone(name: str, other: str) -> Callable[[Values, Values], None]:
    def rule(v: Values, given: Values) -> None:
        accepts = words("left out where {other} is given", other=other)
        raise SettingError(name, v[name], accepts, "a text can be held to one of them; give one")

    return rule


def _beams(v: Values) -> int:
    return v.get("num_beams") or 1


def _returned(v: Values) -> int:
    return v.get("num_return_sequences") or 1


def _groups(v: Values) -> int:
    return v.get("num_beam_groups") or 1


RULES = (
    (("num_return_sequences", "num_beams", "do_sample"), _greedy_returns_one),
    (("num_return_sequences", "num_beams"), _beams_return_no_more),
    (("num_beam_groups", "num_beams"), _groups_share_the_beams),
    (("num_beam_groups", "num_beams", "do_sample"), _groups_do_not_sample),
    (("num_beam_groups", "num_beams", "diversity_penalty"), _groups_are_penalised),
    (("penalty_alpha", "top_k", "num_beams", "do_sample"), _contrast_needs_a_choice),
    (("mirostat_tau", "adaptive_target"), _one_steers),
    (("negative_prompt", "guidance_scale", "num_beams"), _one_away_from("num_beams")),
    (("negative_prompt", "guidance_scale", "num_return_sequences"), _one_away_from("num_return_sequences")),
    *(((name, "penalty_alpha"), _not_contrastive(name)) for name in CONSTRAINTS),
)
# Only of two that were given: of a default generate() warns, and goes on.
OF_THE_GIVEN = (
    (("min_new_tokens", "max_new_tokens"), _at_most("min_new_tokens", "max_new_tokens")),
    (("min_length", "max_length"), _at_most("min_length", "max_length")),
    *(((b, a), _alone(b, a)) for a, b in combinations(CONSTRAINTS, 2)),
)
PARTS = tuple(dict.fromkeys(name for names, _ in RULES for name in names))
