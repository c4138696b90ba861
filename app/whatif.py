"""What if, from raw settings: what the page's sliders, the API and the lab ask for becomes a `WhatIf` here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from decoding.errors import DecodingError, SettingError
from decoding.parameters.knobs import KNOBS
from decoding.parameters.settings import Settings
from decoding.recorded.constrained import constraint_in
from decoding.recorded.given import defaults_known, given_to

from .form import form_of, settings_of

if TYPE_CHECKING:
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["NOT_SCORES", "ROWS_ONLY", "WhatIfForm", "acting_settings", "whatif_under", "with_ids"]

# What does not change any score of the recorded steps: moving it is no what-if.
NOT_SCORES = frozenset({"seed", "max_new_tokens", "max_length", "max_time", "stop_strings"})
# Nor this, without beams: more draws from the same distributions.
ROWS_ONLY = frozenset({"num_return_sequences"})
WORDED = ("token_list", "sequence_list", "sequence_bias")


def whatif_under(trace: Trace, settings: Settings, tokenizer: Any = None) -> WhatIf:
    """The run under other settings.

    Args:
        tokenizer: of the run's model, where it is at hand: turns new words among the settings into token ids.

    Raises:
        DecodingError: they are no settings, or none that go together.
    """
    then = trace.settings or acting_settings(trace)
    try:
        return trace.whatif(with_ids(settings, then, tokenizer))
    except (TypeError, ValueError) as error:  # transformers' own checks of a combination
        raise SettingError("settings", "these", "a combination that transformers accepts", str(error)) from error


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIfForm:
    """The run under the settings of the page's panel: a what-if as soon as they differ from the recorded ones.

    Attributes:
        trace: the run, with the settings that acted on it, also where none were given.
        recorded_form: the settings panel's value for the recorded run.
        form: the panel's value under which `whatif` was made.
        whatif: the run under the settings in `form`; None while they are the recorded ones.
        error: what is wrong with the settings in `form`; `whatif` is then None: what came before is no answer to them.
    """

    trace: Trace
    recorded_form: str
    form: str
    whatif: WhatIf | None = None
    error: DecodingError | None = None
    first: WhatIfForm | None = None

    @classmethod
    def of(cls, trace: Trace, form: str | None = None) -> WhatIfForm:
        """The run as it was recorded.

        Args:
            form: the panel's value that it was recorded from, where that is known: a list may be written in several
                ways, and what does not act stands there, too.
        """
        trace = trace if trace.settings is not None else replace(trace, settings=acting_settings(trace))
        form = form_of(trace.settings, trace) if form is None else form
        return cls(trace=trace, recorded_form=form, form=form)

    @cached_property
    def recorded(self) -> WhatIf:
        """The run under its own settings."""
        return whatif_under(self.trace, self.trace.settings) if self.first is None else self.first.recorded

    @property
    def acting(self) -> WhatIf:
        """The run under the settings tried, or else its own."""
        return self.whatif or self.recorded

    def rest(self) -> None:
        """Lets go of scores that were computed: they can be again."""
        for made in (self.whatif, self.__dict__.get("recorded")):
            if made is not None:
                made.rest()
        if self.first is not None:
            self.first.rest()

    def under(self, form: Any, tokenizer: Any = None) -> WhatIfForm:
        """The same with the panel's value, which may be anything, as the settings to try.

        Args:
            tokenizer: see `whatif_under`.
        """
        if not isinstance(form, str) or form == self.form:
            return self
        tried = replace(self, form=form, whatif=None, error=None, first=self.first or self)
        try:
            found = whatif_under(self.trace, settings_of(form, defaults_known(self.trace) or {}), tokenizer)
            return replace(tried, whatif=None if _shaping(found) == _shaping(self.recorded) else found)
        except DecodingError as error:
            return replace(tried, error=error)


def acting_settings(trace: Trace) -> Settings:
    """The settings that acted on a run for which none were given to us: a drop-in recording."""
    values: dict[str, Any] = {}
    for name, value in given_to(trace).items():
        try:  # a parameter given as None, against a default, is the one that does nothing
            values[name] = KNOBS[name].checked(KNOBS[name].neutral if value is None else value)
        except SettingError:  # an object of the caller's own, which acts all the same: it is in the configuration
            continue
    try:
        return Settings(**values)
    except SettingError:
        return Settings(do_sample=trace.mode in ("sample", "beam_sample"))


def _shaping(whatif: WhatIf) -> dict[str, Any]:
    """The parameters that acted, all defaults among them, as far as they shape scores or rank hypotheses."""
    beams = (whatif.config.num_beams or 1) > 1
    left_out = NOT_SCORES if beams else NOT_SCORES | ROWS_ONLY
    config = {**whatif.config.to_dict(), **constraint_in(whatif.settings.given())}
    return {
        name: knob.neutral if config.get(name) is None else config[name]
        for name, knob in KNOBS.items()
        if name not in left_out
    }


def with_ids(settings: Settings, then: Settings, tokenizer: Any) -> Settings:
    """The settings with new words among them as token ids; words that the run already knew stay."""
    known = then.given()
    new = {n for n, v in settings.given().items() if KNOBS[n].kind in WORDED and known.get(n) != v}
    if tokenizer is None or not new:
        return settings
    ids = Settings(**{n: getattr(settings, n) for n in new}).generate_kwargs(tokenizer)
    return replace(settings, **{n: _as_given(n, value) for n, value in ids.items()})


def _as_given(name: str, ids: Any) -> Any:
    return [ids] if KNOBS[name].kind == "token_list" and isinstance(ids, int) else ids
