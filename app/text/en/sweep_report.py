"""The report of a sweep, in English."""

from __future__ import annotations

SWEEP_REPORT_EN: dict[str, str] = {
    "sweep.title": "Sweep report",
    "sweep.lead": "{rows} rows: {prompts} prompts under {cells} settings, samples of each where a setting draws: "
    "{samples}. Model {model}, seed {seed}. {failed}",
    "sweep.all_well": "No row failed.",
    "sweep.some_failed": "{n} rows have no run; they are listed below.",
    "sweep.cells_some": "This page has the first {n} of {all} settings; the table runs.parquet has them all.",
    "sweep.choices": "What is shown",
    "sweep.statistic": "Statistic",
    "sweep.across": "Across",
    "sweep.down": "Down",
    "sweep.at": "{axis} at",
    "sweep.setting": "setting",
    "sweep.map": "{statistic} by {axes}",
    "sweep.map_reading": "Least {low} at {at_low}; most {high} at {at_high}. A click on a cell, or on its number in "
    "the table, shows its runs.",
    "sweep.map_same": "{low} everywhere. A click on a cell, or on its number in the table, shows its runs.",
    "sweep.map_empty": "No run has this statistic.",
    "sweep.curve": "{statistic} along {axis}",
    "sweep.curve_reading": "{line}: {first} at {at_first}, {last} at {at_last}.",
    "sweep.curve_bars": "Bars: the mean's 95 % confidence interval for prompts like these (Student's t over {n} "
    "prompts; of each the samples' mean).",
    "sweep.curve_no_bars": "With a single prompt there are no intervals.",
    "sweep.curve_some": "{n} of {all} lines are drawn; the table has them all.",
    "sweep.table": "The numbers as a table",
    "sweep.caption": "Mean over prompts and its 95 % confidence interval",
    "sweep.runs": "Runs at {cell}",
    "sweep.runs_some": "{n} of {all} rows are on this page, the first by prompt; the table runs.parquet has them all.",
    "sweep.runs_all": "All {all} rows of this setting.",
    "sweep.runs_none": "With so many settings the page has no texts; the table runs.parquet has them.",
    "sweep.run": "Prompt {prompt}, sample {sample}",
    "sweep.no_run": "no run: {error}",
    "sweep.open": "Opens it, in the folder of this page:",
    "sweep.copy": "Copy",
    "sweep.copied": "Copied",
    "sweep.trace": "trace file",
    "sweep.failures": "Rows without a run",
    "sweep.failures_all": "Each says why; the others of its batch were recorded.",
    "sweep.failures_some": "The first {n} of {all}.",
    "sweep.prompt": "prompt",
    "sweep.sample": "sample",
    "sweep.why": "why",
    "sweep.no_value": "–",
    "sweep.interval": "{mean} ({low} to {high}, {n} prompts)",
    "sweep.no_interval": "{mean} (one prompt)",
    "sweep.threads_default": "torch's own number",
    "sweep.depends_title": "What these numbers depend on",
    "sweep.depends": "On the plan: prompts, settings, samples, seed {seed}, and the rows that are decoded together "
    "({rows}): rows of a batch draw from one generator, and a model's last bits depend on the shape of its batch, so "
    "another number of rows draws anew. On the processor, its threads ({threads}) and the versions of the libraries: "
    "they may change a logit's last bits, and so, rarely, a token. Not on how many workers there were, nor on where "
    "the sweep was broken off and gone on with.",
    "sweep.stat.logprob": "log-probability of the text",
    "sweep.stat.score": "score of the hypothesis",
    "sweep.stat.self_bleu": "self-BLEU of the samples",
    "sweep.stat.seconds": "time per row",
    "sweep.after.n_left": "tokens left after {stage}",
    "sweep.after.mass_removed": "probability removed by {stage}",
}
