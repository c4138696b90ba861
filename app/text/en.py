"""English."""

from __future__ import annotations

from decoding.knobs import KNOBS

EN: dict[str, str] = {
    # -- frame
    "name": "Decoding Explorer",
    "tagline": "from logits to text, decision by decision",
    "language": "Language",
    "scheme": "Light or dark",
    "skip": "Skip to the run",
    "close": "Close this message",
    # -- ask
    "ask.model": "Model",
    "ask.model.info": "the offline model's name, a Hub id, or a local directory",
    "ask.format": "Prompt as",
    "ask.format.text": "Text",
    "ask.format.chat": "Chat",
    "ask.prompt": "Prompt",
    "ask.prompt.text": "Continue this text. A line with only --- starts another prompt.",
    "ask.prompt.chat": "Your message; the model's chat template is put around it.",
    "ask.system": "System message",
    "ask.system.info": "left empty: whatever the template does by itself",
    "ask.run": "Run",
    "ask.stop": "Stop",
    "ask.verify": "Verify this run",
    "ask.verify.tip": "Runs generate() again with the same settings and random state, and compares tokens, logits "
    "and scores bit for bit.",
    # -- settings
    "settings.mode": "How the next token is chosen",
    "settings.unset": "Back to the default",
    "settings.default": "default",
    "settings.not_here": "It has no effect in this mode.",
    "settings.zero": "Temperature divides the logits, so 0 is no temperature. For \"always the same "
    "answer\" use greedy decoding, which always takes the most likely token.",
    "settings.use_greedy": "Use greedy",
    "mode.greedy": "Greedy",
    "mode.sample": "Sample",
    "mode.beam_search": "Beam search",
    "mode.beam_sample": "Beam sample",
    "mode.group_beam_search": "Diverse beams",
    "mode.contrastive_search": "Contrastive",
    "mode.greedy.help": "Always the most likely token (do_sample=False).",
    "mode.sample.help": "Draws the token at random from the distribution (do_sample=True).",
    "mode.beam_search.help": "Carries the num_beams best continuations along. Often a likelier text than greedy's, "
    "not always: greedy's own path may be dropped on the way.",
    "mode.beam_sample.help": "Beam search that draws its candidates.",
    "mode.group_beam_search.help": "Beam search in groups that avoid each other's tokens.",
    "mode.contrastive_search.help": "Weighs confidence against similarity to what was said.",
    "group.mode": "Run",
    "group.sampling": "Temperature and truncation",
    "group.penalties": "Penalties and guidance",
    "group.length": "Length and stopping",
    "group.constraints": "Bans, biases, forced tokens",
    "group.other": "Other",
    "format.text_list": "one, or one, two",
    "format.token_list": "ids or words: 42, yes",
    "format.sequence_list": "words, or [[1, 2], [3]]",
    "format.sequence_bias": "word: 2.5, other: -1",
    "format.decay": "10, 1.05",
    "format.watermark": "{\"bias\": 2.5}",
    "format.text": "text",
    # -- model state
    "state.idle": "{name} · not loaded",
    "state.loading": "{name} · {what}",
    "state.downloading": "downloading",
    "state.converting": "converting, once",
    "state.opening": "loading",
    "state.ready": "{name} · {device} · {dtype}",
    "state.running": "{name} · {device} · token {done}",
    "state.reading": "{name} · {device} · reading the prompt",
    "state.waiting": "{name} · waiting for another run",
    "state.failed": "{name} · could not be loaded",
    "state.tip": "The model, the device and the number format that decide. The page shows a recorded "
    "example until you run something.",
    # -- token row
    "row.title": "Tokens",
    "row.hint": "choose a token: click, or ← →",
    "row.rows": "Rows of the run",
    "row.row": "{n}",
    "row.row.tip": "Prompt {prompt}, answer {answer}",
    "row.colour": "Colour by",
    "row.step": "Step",
    "row.tip": "{kind}id {id} · step {step}\nprobability {p} (rank {rank}) · after all stages {q}\n"
    "surprisal {s} nats · entropy {h} nats",
    "row.tip.prompt": "{kind}prompt token · id {id}",
    "row.kind.special": "special token · ",
    "row.kind.bytes": "part of a character: {joined} · ",
    "row.probability": "Probability",
    "row.surprisal": "Surprisal",
    "row.entropy": "Entropy",
    "row.none": "No token was generated.",
    # -- glossary
    "term.probability": "How likely the model found this token: the softmax of its logits, before any "
    "processor.",
    "term.surprisal": "−ln of the probability, in nats: 0 for a token that was certain, 2.3 for one in ten.",
    "term.entropy": "How undecided the distribution is, in nats: 0 when one token has everything, ln n "
    "when n tokens are equally likely.",
    "term.logits": "The numbers the model gives, one per token of the vocabulary; the softmax makes "
    "probabilities of them.",
    "term.stage": "A logits processor: one of the steps that change the scores between the model and the "
    "choice.",
    "term.mass": "The sum of probabilities.",
    "term.removed": "A removed token has the score −∞ after that stage: it cannot be chosen any more. The model's "
    "own logits are not changed.",
    "term.nucleus": "The smallest set of most likely tokens whose probabilities add up to top_p.",
    "term.silent": "A parameter that was given and changed nothing.",
    "term.stop": "What ended the run.",
    "term.device": "Where the logits were computed.",
    "term.dtype": "The number format of the logits.",
    "term.rank": "1 is the most likely token.",
    # -- waterfall
    "waterfall.title": "Waterfall: the likeliest tokens, [[stage|stage]] by stage",
    "waterfall.label": "Probabilities of the likeliest tokens before and after every stage; the table "
    "below has the same numbers",
    "waterfall.reading.none": "“{token}” came at step {step} with probability {q}; no processor ran, the "
    "choice was made from the model's own [[logits|logits]].",
    "waterfall.reading": "“{token}” came at step {step} with probability {q}; the model's own "
    "[[probability|probability]] was {p} ([[rank|rank]] {rank}). ",
    "waterfall.alive.some": "Of {vocab} tokens {alive} [[removed|stayed possible]]{cuts}.",
    "waterfall.alive.all": "All {vocab} tokens [[removed|stayed possible]].",
    "waterfall.reading.cut": "{stage} removed {n} ({mass})",
    "waterfall.reading.join": ": ",
    "waterfall.reading.and": ", ",
    "waterfall.logits": "logits",
    "waterfall.alive": "alive",
    "waterfall.mass": "mass cut",
    "waterfall.entropy": "entropy",
    "waterfall.same": "changed nothing at this step",
    "waterfall.hover": "<b>{token}</b> · id {id}<br>after {stage}: {p}<br>score {score}",
    "waterfall.hover.removed": "<b>{token}</b> · id {id}<br>removed by {stage}{margin}",
    "waterfall.hover.margin": ",<br>{margin} {unit} outside its boundary",
    "unit.probability": "of probability",
    "unit.logit": "in logits",
    "unit.nats": "nats",
    "waterfall.table": "Step {step}: probability after each stage",
    "waterfall.table.token": "token",
    "waterfall.table.id": "id",
    "waterfall.table.logit": "logit",
    "waterfall.table.removed": "removed by",
    "waterfall.table.margin": "margin",
    "waterfall.table.show": "Table of these numbers",
    "waterfall.summary": "Tokens alive, mass removed and entropy after each stage",
    # -- cut-off
    "cutoff.title": "Cut-off",
    "cutoff.label": "The rule of the chosen stage at this step; the table below has the same numbers",
    "cutoff.none": "No truncation rule ran at this step: every token stayed possible, and the choice was "
    "made among all of them.",
    "cutoff.none.greedy": "Greedy decoding takes the most likely token, so nothing needs to be cut off.",
    "cutoff.reading.top_p": "top_p = {setting} adds up tokens from the likeliest down. “{crossing}” "
    "crosses the line ({value}) and is kept: {kept} of {alive} stay in the [[nucleus|nucleus]], {mass} "
    "of the [[mass|mass]] goes.",
    "cutoff.reading.top_k": "top_k = {setting} draws a line under [[rank|rank]] {setting}: {kept} of "
    "{alive} tokens stay, {mass} of the [[mass|mass]] goes.",
    "cutoff.reading.min_p": "min_p = {setting} asks for {setting} × the likeliest token's probability "
    "({reference}), that is {threshold}: {kept} of {alive} tokens reach it, {mass} of the [[mass|mass]] "
    "goes.",
    "cutoff.reading.typical": "typical_p = {setting} adds up tokens whose [[surprisal|surprisal]] is "
    "nearest to the [[entropy|entropy]] ({reference} nats) until “{crossing}” crosses the line: {kept} "
    "of {alive} stay, {mass} of the [[mass|mass]] goes.",
    "cutoff.reading.epsilon": "epsilon_cutoff = {setting} asks for a probability of {threshold}: {kept} of "
    "{alive} tokens reach it, {mass} of the [[mass|mass]] goes.",
    "cutoff.reading.eta": "eta_cutoff = {setting} puts the threshold at {threshold}, because the "
    "[[entropy|entropy]] is {reference} nats: {kept} of {alive} tokens reach it, {mass} of the "
    "[[mass|mass]] goes.",
    "cutoff.reading.top_h": "top_h = {setting} lets [[entropy|entropy]] add up to {threshold} nats "
    "({setting} × {reference} nats): {kept} of {alive} tokens stay, {mass} of the [[mass|mass]] goes.",
    "cutoff.reading.minimum": "{parameter} = {setting} would keep nothing; the least number of tokens is "
    "kept all the same: {kept} of {alive}, {mass} of the [[mass|mass]] goes.",
    "cutoff.table": "{stage} at step {step}: {kept} of {alive} tokens kept",
    "cutoff.table.rank": "place",
    "cutoff.table.token": "token",
    "cutoff.table.p": "probability",
    "cutoff.table.kept": "kept",
    "cutoff.table.margin": "margin",
    "cutoff.table.minimum": "yes (minimum)",
    "cutoff.axis.top_p": "cumulative probability",
    "cutoff.axis.top_k": "probability (log scale)",
    "cutoff.axis.min_p": "probability (log scale)",
    "cutoff.axis.typical": "cumulative probability, most typical first",
    "cutoff.axis.epsilon": "probability (log scale)",
    "cutoff.axis.eta": "probability (log scale)",
    "cutoff.axis.top_h": "cumulative entropy (nats)",
    "cutoff.line.top_p": "top_p {threshold}",
    "cutoff.line.top_k": "top_k {setting}",
    "cutoff.line.min_p": "{setting} × {reference} = {threshold}",
    "cutoff.line.typical": "typical_p {threshold}",
    "cutoff.line.epsilon": "{threshold}",
    "cutoff.line.eta": "{threshold}",
    "cutoff.line.top_h": "{threshold} nats",
    "cutoff.crosses": "crosses",
    "cutoff.gap": "… {n} more ({mass})",
    "cutoff.gap.chosen": "… {n} more ({mass}) with ▸ {token}",
    "cutoff.hover": "<b>{token}</b> · place {rank}<br>probability {p}<br>{axis}: {value}<br>{state}",
    "cutoff.state.kept": "kept",
    "cutoff.state.removed": "removed",
    "cutoff.state.minimum": "outside, kept as the minimum",
    # -- facts
    "fact.model": "model",
    "fact.device": "device",
    "fact.dtype": "dtype",
    "fact.seconds": "time",
    "fact.steps": "tokens",
    "fact.rows": "{n} in {rows} rows",
    "fact.beam_steps": "steps",
    "fact.memory": "At each step the scores of all {vocab} tokens are kept, before and after every stage, without "
    "loss: {size} in all.",
    "fact.stop": "ended by",
    "fact.state": "state",
    "fact.mode": "mode",
    "fact.example": "recorded example",
    "fact.example.tip": "A run that was recorded beforehand and comes with the program. Press Run to record your "
    "own.",
    "fact.file": "opened file",
    "fact.file.tip": "A run that was saved to a file. Press Run to record your own.",
    "fact.stages": "stages",
    "stop.eos": "end token",
    "stop.max_length": "length limit",
    "stop.max_time": "time limit",
    "stop.stop_string": "stop string",
    "stop.user": "you",
    "stop.error": "an error",
    # -- notes
    "notes.silent": "[[silent|Silent settings]]: given, without effect",
    "notes.silent.none": "Every setting that was given had an effect.",
    "notes.warnings": "Worth knowing",
    "notes.warnings.none": "Nothing else to note about this run.",
    "notes.stages": "Stages that ran, in order",
    "notes.stages.none": "No processor ran.",
    "why.needs_sampling": "it acts only when sampling; here the scores decide, and nothing is drawn",
    "why.needs_beams": "it acts only with num_beams > 1",
    "why.needs_groups": "it acts only with num_beam_groups > 1",
    "why.needs_contrastive": "it acts only in contrastive search",
    "why.neutral": "this value switches it off",
    "why.overruled": "the limit on new tokens takes precedence",
    "why.needs_guidance": "it acts only with guidance_scale other than 1",
    "why.nothing_drawn": "nothing was drawn at random, so there was nothing to seed",
    "why.not_run": "transformers has nothing to run it on here (no end token, or no input ids)",
    "why.never_changed": "it ran at every step and changed no score",
    # -- verify
    "verify.busy": "Running generate() again …",
    "verify.equal": "Equal: generate() gives the same tokens, logits and scores, bit for bit.",
    "verify.equal.close": "Equal: generate() gives the same tokens, and scores within {within}.",
    "verify.because": "Not bit for bit, because {reasons}.",
    "verify.may_be": "It may be because {reasons}.",
    "verify.reason.and": ", and ",
    "verify.reason.processor": "another processor computed it (then {then}; now {now})",
    "verify.reason.processor_unknown": "it was probably computed on another processor (the file "
    "does not say on which; here {now})",
    "verify.reason.device": "it was recorded on {then} and runs on {now} now",
    "verify.reason.dtype": "it was recorded in {then} and runs in {now} now",
    "verify.reason.transformers": "it was recorded with transformers {then} and runs with {now} now",
    "verify.reason.torch": "it was recorded with torch {then} and runs with {now} now",
    "verify.reason.revision": "the model's files are others now ({then}, then {now})",
    "verify.reason.prefill_shared": "this run computed its prompt once for all beams",
    "verify.reason.prefill_reused": "this run did not compute its prefix again",
    "verify.equal.own_loop": "Equal: a second run gives the same, bit for bit. transformers 5 no longer ships this "
    "mode, so it is our own loop that ran twice; it is tested against transformers 4.46.",
    "verify.unequal.tokens": "Not equal: generate() gives the same tokens, but other scores, by up to {within}; the "
    "table says where.",
    "verify.unequal.other": "Not equal: generate() gives other tokens; the table says from where on.",
    "verify.table": "What was compared",
    "verify.table.what": "compared",
    "verify.table.equal": "equal",
    "verify.table.detail": "detail",
    "verify.yes": "yes",
    "verify.no": "no",
    "verify.loading": "The model that made this run is being loaded …",
    # -- messages
    "error.long_prompt": "The prompt has {n} characters; at most {limit} are taken here. Shorten it.",
    "error.empty_prompt": "The prompt is empty: there is nothing the model could answer; write at least "
    "one word.",
    "error.chat_json": "The chat could not be read as messages: {why}.",
    "error.busy": "A run is going on already; stop it first.",
    "error.queue": "The model's queue is full, or the server could not be reached: nothing was begun. Try again in a "
    "moment.",
    "error.run_gone": "That was about a run, or a step of one, that is not here any more; nothing was changed.",
    "error.bug": "Something went wrong that should not have ({kind}). The details are in the program's "
    "log; what was recorded before is kept.",
    "note.stopped": "Stopped; the {n} tokens recorded so far are kept.",
    "stop.running": "running",
}
# Parameters are described once, in KNOBS.
EN |= {f"help.{name}": knob.help for name, knob in KNOBS.items()}
EN["help.log_softmax"] = "Turns logits into log-probabilities; beam search adds these up."
