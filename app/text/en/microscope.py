"""The lab's tab `microscope`, in English."""

MICROSCOPE_EN: dict[str, str] = {
    "term.bits": "Compared as the 32 bits of each number: the last digit, and the sign of a zero, must be the same.",
    "microscope.stages": "Stage",
    "microscope.stage.idle": "{name}: changed nothing at this step",
    "microscope.choice.greedy": "the choice",
    "microscope.choice.sample": "the draw",
    "microscope.choice.beam": "the beam step",
    "microscope.choice.contrastive": "the weighing",
    "microscope.choice.tip": "how the token is taken from the final scores",
    "microscope.choice.tip.beam": "how the best continuations of all beams are taken together",
    "microscope.source": "{method} in {file}",
    "microscope.source.version": "transformers {version}",
    "microscope.source.own": "{method}, a processor of the run's own",
    "microscope.source.project": "this project's own",
    "microscope.follows": "The lines are quoted from transformers {follows}; {version} may write them a little "
    "differently. What they give is compared all the same.",
    "microscope.diverse": "The lines are those of transformers' _beam_search, which no longer has groups. This "
    "project's loop does the same for each group of beams.",
    "microscope.operations": "{n} operations, {shown}",
    "microscope.operations.one": "1 operation, {shown}",
    "microscope.shown.tokens": "followed at {n} of {of} tokens",
    "microscope.shown.candidates": "followed at {n} of {of} candidates",
    "microscope.digits.all": "All digits",
    "microscope.digits.tip": "Numbers are rounded to 5 digits. Show each float32 in full.",
    "microscope.legend.chosen": "the token in view",
    "microscope.legend.edge": "the boundary",
    "microscope.legend.gap": "others between",
    "microscope.legend.removed": "removed by this stage",
    "microscope.legend.gone": "removed earlier",
    "microscope.legend.pruned": "pruned",
    "microscope.legend.ended": "ended here",
    "microscope.legend.changed": "edited by the operation",
    "microscope.absent": "it has no place here",
    "microscope.beam": "beam {n}",
    "microscope.place.vocab": "token id",
    "microscope.place.sorted": "place when sorted",
    "microscope.place.prefix": "place in the text",
    "microscope.place.top": "place among the best",
    "microscope.place.list": "place in the list",
    "microscope.place.chosen": "place in the list",
    "microscope.place.beam": "index of the beam",
    "microscope.place.beam_vocab": "index of the beam, token id",
    "microscope.place.flat": "place side by side",
    "microscope.place.rank": "index of the candidate",
    "microscope.place.next": "index in the next step",
    "microscope.place.beam_text": "index of the beam, place in its text",
    "microscope.place.rank_text": "index of the candidate, place in its text",
    "microscope.docs": "{name} in the PyTorch documentation (opens a new tab)",
    # -- does it give what was recorded?
    "microscope.equal": "Run here on the recorded input, these operations give the recorded output, [[bits|bit for "
    "bit]]: all {n} scores.",
    "microscope.equal.whatif": "These operations give what transformers' own processor gives under the settings "
    "tried, [[bits|bit for bit]]: all {n} scores.",
    "microscope.equal.compact": "These operations give the recorded output, [[bits|bit for bit]], at the {kept} "
    "tokens whose scores this compact file keeps. The other {rest} are made from a histogram.",
    "microscope.differs": "These operations, run here on the CPU, differ from the recorded output in {n} of {of} "
    "scores, by at most {greatest}. The run was recorded on {device} with transformers {version}.",
    "microscope.differs.compact": "These operations differ from the recorded output at {n} of the {of} tokens kept, "
    "by at most {greatest}: this compact file has only a histogram of all other scores, and a sum over them may "
    "round otherwise.",
    "microscope.one_step": "This stage is not taken apart here: what is shown is its recorded input and output.",
    "microscope.one_step.whatif": "This stage is not taken apart here: what is shown is its input and output under "
    "the settings tried.",
    "microscope.choice.equal": "It gives the token that came.",
    "microscope.choice.differs": "Run here on the CPU, it gives “{token}”, but the run took “{taken}”. It was "
    "recorded on {device}.",
    "microscope.choice.would": "Under the settings tried it would take “{token}”.",
    "microscope.ended": "This row had ended before this step: nothing was chosen from these scores.",
    "microscope.drawn": "The probabilities are those of the run. The draw is not repeated: it used the run's random "
    "numbers. In the tab “The draw” it can be drawn again.",
    "microscope.drawn.compact": "This compact file has only a histogram of the less likely scores, so these "
    "probabilities are close to the run's, not exactly the same. The draw is not repeated: it used the run's "
    "random numbers.",
    "microscope.drawn.whatif": "These are the probabilities under the settings tried. Nothing is drawn here: the tab "
    "“The draw” does that.",
    "microscope.beams.equal": "Parents, tokens and sums equal those of the run's {n} candidates, [[bits|bit for "
    "bit]].",
    "microscope.beams.differs": "Run here on the CPU, they differ from the run's candidates, in {n} of {of} sums by "
    "at most {greatest}. The run was recorded on {device}.",
    "microscope.beams.whatif": "This is the step under the settings tried, with the run's own beams. Which "
    "candidates end is not told.",
    "microscope.weighed.equal": "Scores and choice equal those of the run's {n} candidates, [[bits|bit for bit]].",
    "microscope.weighed.differs": "Run here on the CPU, they differ from the run's candidates, in {n} of {of} scores "
    "by at most {greatest}. The run was recorded on {device}.",
    "microscope.weighed.differs.compact": "They differ from the run's candidates, in {n} of {of} scores by at most "
    "{greatest}: this compact file has only a histogram of the less likely scores, and the probabilities are close "
    "to the run's, not exactly the same.",
    "microscope.none": "The choice under these settings needs the model: run again to see it. The stages before it "
    "are exact.",
    "microscope.none.group": "The search of this group of beams was over before this step.",
    # -- operations that several stages share
    "microscope.op.softmax": "Scores become probabilities that add up to 1; −∞ becomes 0.",
    "microscope.op.log_softmax": "Scores become log-probabilities: the probabilities behind them add up to 1.",
    "microscope.op.masked_fill": "−∞ where the mask says so. Removed here: {n_removed}; still possible: {n_alive}.",
    "microscope.op.entropy": "The [[entropy|entropy]] of the distribution is {entropy} nats.",
    "microscope.op.below_line": "True (to be removed) where the probability is below {line}: {n_true} in all.",
    "microscope.op.scatter_back": "The way back: the mark at each place goes to the token id that sorted_indices has "
    "there.",
    "microscope.op.exempt.last": "The last {least} in this order, the likeliest, must stay: their marks become "
    "False. Changed by that: {n_saved}.",
    "microscope.op.exempt.first": "The first {least} in this order, the most typical, must stay: their marks become "
    "False. Changed by that: {n_saved}.",
    "microscope.op.unless_best": "It goes only if it is also below the score at rank {k}, {line}, so the best {k} "
    "stay in any case. Saved by that: {n_saved}.",
    # -- temperature
    "microscope.op.temperature.div.below": "Each score divided by {temperature}. Below 1, the differences grow; the "
    "order stays.",
    "microscope.op.temperature.div.above": "Each score divided by {temperature}. Above 1, the differences shrink; "
    "the order stays.",
    "microscope.op.temperature.div.one": "Each score divided by 1: nothing changes.",
    # -- top-k
    "microscope.op.top_k.topk": "The {k} highest of {n} scores, highest first. The last of them, {line}, is the line.",
    "microscope.op.top_k.topk.capped": "top_k asks for {asked}, but there are only {n} scores, so all are taken. The "
    "lowest, {line}, is the line.",
    "microscope.op.top_k.lt": "True (to be removed) where the score is below {line}: {n_true} in all. A score equal "
    "to it is not below it, so ties stay.",
    # -- top-p
    "microscope.op.top_p.sort": "All {n} scores in ascending order: the likeliest stands last, at place {last}. "
    "sorted_indices keeps which token each one was.",
    "microscope.op.top_p.cumsum": "Summed from the left: the probability of this token and of all less likely ones.",
    "microscope.op.top_p.le": "1 − {top_p} = {line} of the probability is to go. True (to be removed) while the sum "
    "is at most that: {n_true} in all. The token at which it crosses stays.",
    # -- min-p
    "microscope.op.min_p.amax": "The likeliest token has probability {best}.",
    "microscope.op.min_p.mul": "The line is {min_p} times that: {line}.",
    "microscope.op.min_p.topk": "The likeliest {k} must stay whatever the line says (min_tokens_to_keep).",
    "microscope.op.min_p.scatter": "Their marks become False. Changed by that: {n_saved}.",
    # -- typical
    "microscope.op.typical.exp": "And back to probabilities.",
    "microscope.op.typical.nansum": "The [[entropy|entropy]], {entropy} nats: the mean [[surprisal|surprisal]]. A "
    "token removed before would give NaN (−∞ times 0), which nansum leaves out.",
    "microscope.op.typical.abs": "How far each token's [[surprisal|surprisal]] lies from the entropy, {entropy}.",
    "microscope.op.typical.sort": "The nearest first: these are the most typical.",
    "microscope.op.typical.gather": "Their scores, in that order.",
    "microscope.op.typical.cumsum": "Summed from the left: the probability of this token and of all more typical "
    "ones.",
    "microscope.op.typical.sum": "Sums below {mass}: {last_ind}. So the token at place {last_ind} is the one that "
    "reaches it.",
    "microscope.op.typical.clamp": "Never beyond the last place, {last}.",
    "microscope.op.typical.gt": "True (to be removed) where the distance is above {line}, that at place {place}: "
    "{n_true} in all. Those just as far stay.",
    # -- eta
    "microscope.op.eta.min": "The line is the smaller of {epsilon} and √{epsilon} · exp(−entropy): {line}. The more "
    "undecided the distribution, the lower.",
    # -- top-h
    "microscope.op.top_h.topk": "Only the {k} best are looked at, the best first.",
    "microscope.op.top_h.probs": "Probabilities among these {k} alone.",
    "microscope.op.top_h.log": "Their logarithms.",
    "microscope.op.top_h.tau": "The limit: {top_h} of the entropy of the {k}, {entropy} nats, which is {line}.",
    "microscope.op.top_h.terms": "What each token adds to that entropy.",
    "microscope.op.top_h.cumsum": "Summed from the best one on.",
    "microscope.op.top_h.le": "True (to be kept) while the sum is at most {line}: {n_true} in all.",
    "microscope.op.top_h.first": "The likeliest is kept in any case.",
    "microscope.op.top_h.scatter": "Back to token ids. All others of the {n} stay False: they are not kept.",
    # -- repetition penalty
    "microscope.op.penalty.skip": "The first {n} ids are left out.",
    "microscope.op.penalty.padding": "The {n} ids of padding on the left become {vocab}, one past the vocabulary, so "
    "that padding is not penalised.",
    "microscope.op.penalty.padding.none": "Padding on the left would be left out here; this row has none.",
    "microscope.op.penalty.clamp": "The text so far, {n} ids, the prompt's among them; {n_tokens} different ones. An "
    "id that the scores do not have would become {vocab}.",
    "microscope.op.penalty.pad": "One more column, number {vocab}, takes what belongs to no token.",
    "microscope.op.penalty.gather.input_ids": "The score of each of the {n} ids of the text so far, prompt included. "
    "A token that stands there twice gives the same score twice.",
    "microscope.op.penalty.gather.encoder_input_ids": "The score of each of the {n} ids of the input.",
    "microscope.op.penalty.lt": "True for the negative ones: {n_true} in all.",
    "microscope.op.penalty.where": "Negative scores are multiplied by {penalty}, the others divided by it: a penalty "
    "above 1 makes both smaller.",
    "microscope.op.penalty.scatter": "Back to token ids. Scores that are new: {n_changed}. A token that stands in "
    "the text twice is penalised once all the same.",
    "microscope.op.penalty.cut": "The extra column is dropped: {vocab} scores again.",
    # -- diverse beam search
    "microscope.op.hamming.first": "The first group pays nothing: no beam has chosen before it at this step.",
    "microscope.op.hamming.count": "How many of the {n} beams in earlier groups chose each token at this step.",
    "microscope.op.hamming.sub": "Each such choice costs {penalty}.",
    # -- bans and forced tokens
    "microscope.op.ban.isin": "True for the tokens on the list: {n_true} in all.",
    "microscope.op.ban.idle": "Not at this length of the text: the scores pass unchanged.",
    "microscope.op.force.full": "Everything becomes −∞ …",
    "microscope.op.force.put": "… but for what is forced ({n}), which gets 0.",
    "microscope.op.invalid.where": "Where that is so, {value} goes in: {n_true} times.",
    # -- not taken apart
    "microscope.op.one_step": "Of {n} scores it removed {n_removed}, raised {n_raised} and lowered {n_lowered}; "
    "{n_revived} came back from −∞.",
    "microscope.op.one_step.idle": "At this step it changed none of the {n} scores.",
    "microscope.op.one_step.size": "It turned {n_before} scores into {n_after}.",
    # -- the choice
    "microscope.op.argmax": "The highest score is that of “{best_token}”, {best}; the next is {second}.",
    "microscope.op.select.softmax": "Scores become probabilities that add up to 1. Tokens above 0: {n_alive}.",
    "microscope.op.multinomial": "One token drawn by these probabilities: “{drawn_token}”, whose probability was {p}.",
    "microscope.op.multinomial.open": "One token is drawn by these probabilities.",
    "microscope.op.contrastive.topk": "The {k} likeliest are the candidates.",
    "microscope.op.contrastive.penalty": "For each, the greatest cosine similarity of its hidden state to those of "
    "the text. Hidden states are not recorded; these are the recorded results.",
    "microscope.op.contrastive.score": "Confidence counts {rest}, likeness to the text so far {alpha}.",
    "microscope.op.contrastive.max": "The best is at place {place}: “{best_token}”.",
    # -- the beam step
    "microscope.op.beam.unflatten": "The scores of {beams} beams become one block: beams × {vocab} tokens.",
    "microscope.op.beam.add": "Each beam's sum so far is added to the log-probabilities of all its continuations.",
    "microscope.op.beam.add.first": "Each beam's sum so far is added to its continuations. At first all beams are "
    "the same prompt, so only the first counts: the others begin at −1e9.",
    "microscope.op.beam.flatten": "All continuations of all {beams} beams side by side: {n} of them, compared as one "
    "list.",
    "microscope.op.beam.topk": "The {k} best of them all, {times} for each beam, so that enough are left when some "
    "end. topk_indices says where each one stood.",
    "microscope.op.beam.multinomial": "Beam sampling draws {k} different ones instead of taking the best. These are "
    "the recorded draws: they used the run's random numbers.",
    "microscope.op.beam.gather": "Their sums.",
    "microscope.op.beam.parent": "A place divided by {vocab}, rounded down, is the index (from 0) of the beam that "
    "the candidate continues …",
    "microscope.op.beam.token": "… and what is left over is its token id.",
    "microscope.op.beam.sequences": "Each candidate takes over its beam's text. Shown is the last token of it; the "
    "new token comes after that.",
    "microscope.op.beam.ended": "Candidates that end here ({n_ended}) get −1e9, so that they do not go on.",
    "microscope.op.beam.kept": "The {beams} best that did not end go on as the beams of the next step.",
    "microscope.op.beam.kept.over": "All of them end here, so the search is over. The source takes the best all the "
    "same.",
    "microscope.op.beam.next": "Their sums are the running scores of the next step.",
    "microscope.op.beam.next.over": "Their sums, which no further step uses.",
}
