"""The standalone page, in English."""

from __future__ import annotations

STANDALONE_EN: dict[str, str] = {
    "standalone.about": "This file is the whole page: it needs no network and no model, and sends nothing anywhere.",
    "standalone.sliders": "Try other settings on the step in view",
    "standalone.computed": "≈ computed in this page",
    "standalone.computed_tip": "computed by this page from the step's recorded scores; there is no model and no "
    "library behind it that could confirm the last digit",
    "standalone.pending": "≈ only roughly",
    "standalone.pending_tip": "of the less likely tokens this file only keeps how many have about which score, and the "
    "limit lies among them or too close to call, or a rule that this page does not compute would act as well: the "
    "numbers are near the truth, and no more",
    "standalone.absent": "The charts of this step are not in this file, which is kept small; the recorded trace has "
    "them.",
    "standalone.lost": "The scores of this step were lost when it was recorded: {why}",
    "standalone.carried.rows": "To stay small, this file has the charts of the first {n} of {all} steps (and of the "
    "one it opens at); the tokens are all here.",
    "standalone.carried.nodes": "To stay small, this file has charts for {n} of {all} candidates: those on the way to "
    "what was returned, then those kept, then others, step by step. Tree and tables are whole.",
    "standalone.old_browser": "This browser is too old for this file: it cannot unpack compressed data "
    "(DecompressionStream). Chrome 80, Firefox 113, Safari 16.4 and later can.",
    "standalone.no_script": "This page draws itself with JavaScript, which is switched off here.",
    "standalone.broken": "This file was cut short or damaged: {why}",
    "standalone.opening": "Opening …",
    "standalone.frame": "A recorded decoding run",
}
