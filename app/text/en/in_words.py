"""The lab's tab `words`, in English. A stage's sentence goes on from its name, which stands before it."""

IN_WORDS_EN: dict[str, str] = {
    "words.heading": "Step {step}, from the model's scores to the token",
    "words.heading.row": "Step {step} of row {row}, from the model's scores to the token",
    "words.heading.whatif": "Step {step} under the settings tried",
    "words.heading.whatif.row": "Step {step} of row {row} under the settings tried",
    "words.space": " ",
    "words.comma": ", ",
    "words.quoted": "“{token}”",
    "words.share": "“{token}” ({p})",
    "words.more": "{n} more",
    "words.tokens": "{n} tokens",
    "words.tokens.one": "1 token",
    "words.tokens.many": "many tokens",
    # -- the model
    "words.model": "The model",
    "words.model.found": "found these likeliest: {shares}. It was as undecided as among {n} equally likely tokens "
    "([[entropy|entropy]] {h} nats).",
    "words.model.sure": "was all but certain: {shares} ([[entropy|entropy]] {h} nats).",
    "words.model.none": "gave scores that make no distribution (NaN or infinite).",
    "words.processors": "Processors",
    "words.no_stage": "None changed a score: the choice was made from the model's own distribution.",
    # -- what a stage did
    "words.stage.temperature.sharper": "sharpened the distribution: [[entropy|entropy]] {h0} → {h1} nats.",
    "words.stage.temperature.flatter": "flattened the distribution: [[entropy|entropy]] {h0} → {h1} nats.",
    "words.stage.repetition_penalty.lowered": "lowered {lowered} already in the text, prompt included.",
    "words.stage.repetition_penalty.raised": "raised {raised} already in the text, prompt included.",
    "words.stage.encoder_repetition_penalty.lowered": "lowered {lowered} of the input.",
    "words.stage.encoder_repetition_penalty.raised": "raised {raised} of the input.",
    "words.stage.exponential_decay_length_penalty.lowered": "made the end less likely.",
    "words.stage.exponential_decay_length_penalty.raised": "made the end likelier, more so with every token.",
    "words.stage.no_repeat_ngram_size": "banned {removed} that would have completed a run of {value} tokens for the "
    "second time.",
    "words.stage.encoder_no_repeat_ngram_size": "banned {removed} that would have completed a run of {value} tokens of "
    "the input.",
    "words.stage.json_schema": "forbade {removed} with which the text cannot become JSON of the schema.",
    "words.stage.regex": "forbade {removed} with which the text cannot match the expression.",
    "words.stage.grammar": "forbade {removed} with which the text cannot be one of the grammar's.",
    "words.stage.bad_words_ids": "banned {removed} that would have completed a forbidden word.",
    "words.stage.sequence_bias": "added its bias to {changed}.",
    "words.stage.sequence_bias.banned": "banned {removed}.",
    "words.stage.suppress_tokens": "banned {removed}, as at every step.",
    "words.stage.begin_suppress_tokens": "banned {removed} at the beginning.",
    "words.stage.min_length": "banned the end: the text has fewer than {value} tokens, the prompt counted in.",
    "words.stage.min_new_tokens": "banned the end: there are fewer than {value} new tokens.",
    "words.stage.forced_bos_token_id": "forced “{token}”: every other token was removed, and {mass} of the "
    "[[mass|probability]] with them.",
    "words.stage.forced_eos_token_id": "forced “{token}”: every other token was removed, and {mass} of the "
    "[[mass|probability]] with them.",
    "words.stage.guidance_scale": "moved away from what the model says without the prompt, or with the negative one: "
    "[[entropy|entropy]] {h0} → {h1} nats.",
    "words.stage.renormalize_logits": "turned the scores into log-probabilities again, which changes no probability.",
    "words.stage.log_softmax": "turned the logits into log-probabilities, which beams add up; no probability changes.",
    "words.stage.remove_invalid_values": "replaced scores that were NaN or infinite.",
    "words.stage.watermarking_config": "raised {raised} of its keyed list.",
    "words.stage.watermarking_config.synthid": "changed {changed} by its key.",
    "words.stage.diversity_penalty": "lowered {lowered} that earlier groups chose at this step.",
    # -- samplers of other engines
    "words.stage.dry_multiplier": "lowered {lowered} that would go on with a repetition.",
    "words.stage.top_n_sigma": "kept {kept} of {before} tokens: those within {value} standard deviations of the "
    "highest score.",
    "words.stage.xtc_probability": "left out {removed}, all of the likely ones but the least likely of them: that "
    "has a chance of {value} at each step.",
    "words.stage.dynatemp_range": "divided by a temperature of this step's own: [[entropy|entropy]] {h0} → {h1} nats.",
    "words.stage.mirostat_tau": "kept {kept} of {before} tokens: those that surprise no more than its limit, which "
    "aims at {value} bits.",
    "words.stage.adaptive_target": "scored tokens by how near their probability is to its target: [[entropy|entropy]] "
    "{h0} → {h1} nats.",
    "words.stage.own": "(your own) changed {changed}: [[entropy|entropy]] {h0} → {h1} nats.",
    "words.stage.other": "changed {changed}: [[entropy|entropy]] {h0} → {h1} nats.",
    "words.fell": "“{token}” fell from {p} to {q}.",
    "words.rose": "“{token}” rose from {p} to {q}.",
    "words.banned": "{named}: {mass} of the [[mass|probability]] gone.",
    "words.leader": "“{new}” took first place from “{old}”.",
    # -- what a truncation rule did
    "words.cut.top_k": "kept the {kept} likeliest of {before} tokens and removed {mass} of the [[mass|probability]].",
    "words.cut.top_k.tied": "kept {kept} of {before} tokens, more than {value}, because the last ones are tied, and "
    "removed {mass} of the [[mass|probability]].",
    "words.cut.top_p": "kept the {kept} likeliest of {before} tokens: together they have {reached}, which crosses "
    "{value}. {mass} of the [[mass|probability]] went.",
    "words.cut.min_p": "asked for {value} × the likeliest token's {reference}, that is {threshold}: {kept} of "
    "{before} tokens reach it, and {mass} of the [[mass|probability]] went.",
    "words.cut.typical": "kept the {kept} of {before} tokens whose [[surprisal|surprisal]] is nearest to the entropy "
    "({reference} nats), until their sum of {reached} crossed {value}; {mass} of the [[mass|probability]] went.",
    "words.cut.epsilon": "asked for a probability of {threshold}: {kept} of {before} tokens reach it, and {mass} of "
    "the [[mass|probability]] went.",
    "words.cut.eta": "put its threshold at {threshold}, because the [[entropy|entropy]] is {reference} nats: {kept} of "
    "{before} tokens reach it, and {mass} of the [[mass|probability]] went.",
    "words.cut.top_h": "let entropy add up to {threshold} nats ({value} × {reference}): {kept} of {before} tokens "
    "stay, and {mass} of the [[mass|probability]] went.",
    "words.cut.minimum": "would have left nothing; the least number of tokens was kept all the same: {kept} of "
    "{before}, and {mass} of the [[mass|probability]] went.",
    "words.cut.one": "left only “{token}” of {before} tokens: {mass} of the [[mass|probability]] went.",
    "words.last": "The last one in was “{last}” ({p_last}).",
    # -- why this token
    "words.ended": "Nothing",
    "words.why.ended": "came in this row any more: it had ended before.",
    "words.why": "Why “{token}”",
    "words.why.whatif": "“{token}” then",
    "words.why.forced": "It was forced: no other token was left.",
    "words.why.only": "It was the only token left.",
    "words.why.greedy": "Greedy decoding takes the highest score, and it had it: {q} in the end.",
    "words.why.tied": "Greedy decoding takes the highest score, which it shares with others: {q} in the end.",
    "words.why.sample.first": "It was drawn, as the likeliest: {q}{odds}.",
    "words.why.sample.other": "It was drawn with {q}{odds}; the likeliest, “{first}”, had {p_first}.",
    "words.why.came": "It came with a final probability of {q}.",
    "words.why.contrastive": "Its score was the highest: {score} = (1 − {alpha}) × {confidence} − {alpha} × {penalty}, "
    "confidence against its [[similarity|similarity]] to “{context}”.",
    "words.why.contrastive.next": "The next, “{token}”, scored {score}.",
    "words.odds": ", about 1 in {n}",
    "words.own": "The model itself had given it {p}, [[rank|rank]] {rank}.",
    "words.if.gone": "It came with {was}; with these settings it would be impossible: {stage} removes it.",
    "words.if.nothing": "It came with {was}; with these settings it would have no probability that could be told.",
    "words.if.possible": "It would still be possible: {q}{odds}, instead of {was}.",
    "words.if.same": "Greedy decoding would take it again: it has the highest score, {q} in the end.",
    "words.if.other": "Greedy decoding would take “{first}” ({p_first}) instead; it would have {q}.",
    "words.if.beam": "It would have {q} in its beam instead of {was}; whether that beam would have lived on, only a "
    "re-run tells.",
    "words.if.contrastive": "It would have {q} before contrastive search weighs it; what that chooses, only a re-run "
    "tells.",
    # -- how close the next was
    "words.close": "How close",
    "words.close.tie": "“{first}” and “{second}” have exactly the same score ({p} each).",
    "words.close.led": "“{first}” ({p}) leads “{second}” ({q}) by {margin} nats:",
    "words.close.near": "[[near_tie|a near tie]].",
    "words.close.close": "[[close_call|a close call]].",
    "words.close.clear": "[[clear_lead|a clear lead]].",
    "words.close.certain": "[[all_but_certain|all but certain]].",
    "term.near_tie": "Less than 0.1 nats apart: the first is at most 1.1 times as likely as the second.",
    "term.close_call": "Less than ln 2 = 0.69 nats apart: the first is less than twice as likely as the second.",
    "term.clear_lead": "At least ln 2 = 0.69 nats apart: the first is at least twice as likely as the second.",
    "term.all_but_certain": "The first has at least 99% of the probability.",
    # -- without effect
    "words.without": "Without effect",
    "words.idle": "{stages} ran and changed nothing at this step.",
    "words.idle.one": "{stages} ran and changed nothing at this step.",
    "words.silent": "{names}: {why}.",
    "words.silent.several": "{names}, each of them: {why}.",
    "words.unknown": "Worth knowing",
}
