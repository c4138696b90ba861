"""The lab's tab `draw`, in English."""

DRAW_EN: dict[str, str] = {
    "draw.draw": "Draw this token again",
    "draw.times": "{n} times",
    "draw.tip": "Draws {n} times with a fresh seed; the run itself stays as it is.",
    "draw.space": " ",
    "draw.invitation": "Which token came was chance: what else could have come, and how often? The outlines show each "
    "token's probability. Draw, and bars show how often it really comes.",
    "draw.would": "The outlines show each token's probability. Draw, and bars show how often it would come.",
    "draw.mode.greedy": "Greedy decoding draws nothing: it takes the likeliest token, here “{token}”. Drawn from the "
    "same scores, another one would come {other} of the time.",
    "draw.mode.beam_search": "Beam search draws nothing: it keeps the continuations with the best sums. Here you see "
    "what drawing this row's next token would give.",
    "draw.mode.beam_sample": "Beam sample draws from all beams together, and no continuation twice. Here this row's "
    "next token is drawn on its own.",
    "draw.mode.contrastive_search": "Contrastive search draws nothing: it weighs its likeliest tokens against what was "
    "said. Here you see what drawing would give.",
    "draw.compact": "This recording is compact: of this step {n} tokens are exact, the rest is a histogram with the "
    "right mass. How many different tokens come from the rest is an estimate.",
    "draw.no_distribution": "The scores of this step make no distribution, so there is nothing to draw from.",
    "draw.seed": "seed {seed}",
    "draw.seed.tip": "The same seed gives the same draws:\ntorch.multinomial(probs, {n}, replacement=True, "
    "generator=torch.Generator().manual_seed({seed}))",
    "draw.with": "with processors",
    "draw.without": "without",
    "draw.axis": "probability",
    "draw.axis.drawn": "share of the draws",
    "draw.legend.p": "probability",
    "draw.legend.drawn": "share of the draws, and how many",
    "draw.legend.range": "where at least 95% of such rounds end",
    "draw.label": "How often each token was drawn, beside its probability; the table below has the same numbers",
    "draw.rest": "the rest",
    "draw.rest.n": "the rest ({n} tokens)",
    "draw.hover": "<b>{token}</b><br>probability {p}",
    "draw.hover.drawn": "drawn {k} of {n} times<br>{low} to {high} in at least 95% of rounds",
    "draw.reading": "“{token}” came {k} of {n} times. Its probability is {p}: about {expected} were to be expected, "
    "and at least 95% of such rounds give {low} to {high} (exact binomial).",
    "draw.reading.outside": "So this was an unusual round.",
    "draw.reading.removed": "“{token}” was removed, so it cannot come.",
    "draw.different": "{d} different tokens came.",
    "draw.different.one": "It was the same token each time.",
    "draw.different.without": "Without the processors, {d} different tokens came;",
    "draw.different.without.one": "Without the processors, it was the same token each time, too;",
    "draw.impossible.some": "{m} of those {n} draws gave one that the processors remove.",
    "draw.impossible.one": "1 of those {n} draws gave one that the processors remove.",
    "draw.impossible.none": "none of those {n} draws gave one that the processors remove.",
    "draw.table": "Probability of each token",
    "draw.table.drawn": "{n} draws with seed {seed}",
    "draw.table.p": "probability",
    "draw.table.expected": "expected",
    "draw.table.drawn.head": "drawn",
    "draw.table.range": "95% range",
    "draw.table.side": "{what}, {side}",
}
