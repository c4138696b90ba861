"""The runs beside each other, forks among them, in English."""

from __future__ import annotations

FORK_EN: dict[str, str] = {
    "runs.title": "Runs beside each other",
    "runs.hint": "choose one to look into it; grey is what a fork took over",
    "runs.name": "Run {n}",
    "runs.named": "Run {n}: {name}",
    "runs.rename": "Rename run {n}",
    "runs.name.label": "Name of run {n}",
    "runs.remove": "Remove run {n}",
    "runs.remove.sure": "Remove?",
    "runs.remove.sure_tip": "Run {n} cannot be brought back; its forks stay. Press again to remove it.",
    "runs.gone": "That run is no longer kept here. Its prompt and settings are in the form: press Run to record it "
    "again.",
    "reload.gone": "The server no longer has this tab's runs. Nothing was decoded again: what they were asked for is "
    "listed under the prompt.",
    "reload.label": "From before, no longer on the server:",
    "reload.tip": "puts its prompt and settings into the form; nothing is decoded before you press Run",
    "reload.forget": "Forget them",
    "reload.forget_tip": "this tab then keeps nothing more of these runs",
    "draft.label": "Not run yet:",
    "draft.button": "Bring it back",
    "draft.tip": "puts what you had typed, with its model and settings, back into the form",
    "runs.detail.join": " · ",
    "runs.detail.example": "recorded example",
    "runs.detail.stored": "recorded before",
    "runs.detail.file": "opened file",
    "runs.detail.fork": "fork of run {n} at step {step}",
    "runs.detail.anew": "run {n} from step {step} on",
    "runs.detail.same": "same settings",
    "runs.detail.prompt": "other prompt",
    "runs.detail.template.chat": "as chat",
    "runs.detail.template.text": "as plain text",
    "runs.detail.without": "no {name}",
    "runs.tip.fork": "{token} was taken at step {step}.",
    "runs.tip.fork.instead": "{token} was taken at step {step} instead of {other}.",
    "runs.tip.reused": "What comes before was not computed again; last bits may differ from a run from scratch.",
    "runs.more": "… {n} more tokens",
}
