"""Another token than the one that came: its card, and its way through all steps; in English."""

from __future__ import annotations

CANDIDATE_EN: dict[str, str] = {
    "candidate.label": "Another token at step {step}:",
    "candidate.button": "Decode on from it",
    "candidate.tip": "Takes this token instead and lets the model go on, with the same settings; what comes before is "
    "not computed again. The new run stands beside this one.",
    "candidate.came": "This is the token that came here: choose another one, or another step.",
    "candidate.nothing_left": "The run's length limit is used up at this step: choose an earlier one, or run again "
    "with a higher max_new_tokens.",
    "candidate.option": "{token} · {p}",
    "candidate.option.removed": "{token} · removed by {stage}",
    "candidate.option.fate": "{token} · {fate}",
    "candidate.word": "or any word:",
    "candidate.word.button": "Look it up",
    "candidate.word.tip": "What probability had this word? Answered for every step, also where the word is not among "
    "the likeliest.",
    "candidate.none": "No token that this recording knows begins “{word}”.",
    "candidate.close": "Close the card",
    "candidate.id": "id {id}",
    "candidate.spellings": "As a token",
    "candidate.part": "“{word}” is more than one token: this is the longest token that it begins with. The model may "
    "write it in other pieces.",
    "candidate.whatif": "With the settings tried: ",
    "candidate.reading": "At step {step} the model gave “{token}” a [[probability|probability]] of {p}, [[rank|rank]] "
    "{rank} of {vocab}.",
    "candidate.reading.removed": " {stage} [[removed|removed]] it",
    "candidate.reading.margin": "; it missed the boundary by {margin} {unit}",
    "candidate.reading.gone": ". It could not be chosen.",
    "candidate.reading.kept": " After all stages it had {q}.",
    "candidate.reading.came": " It is the token that came.",
    "candidate.table": "“{token}” at step {step}, stage by stage",
    "candidate.table.p": "probability",
    "candidate.table.rank": "rank",
    "everywhere.title": "“{token}” at every step",
    "everywhere.label": "The token's probability at every step; arrow keys and Enter go to a step, the table below has "
    "the same numbers",
    "everywhere.reading": "Over {n} steps the model found it likeliest at step {step}: {p}, [[rank|rank]] {rank}.",
    "everywhere.reading.never": " It never came. ● possible, ✕ removed by a stage.",
    "everywhere.reading.once": " It came at step {step}. ◆ came, ● possible, ✕ removed by a stage.",
    "everywhere.reading.came": " It came {n} times, first at step {step}. ◆ came, ● possible, ✕ removed by a stage.",
    "everywhere.path": " Along the path to the candidate in view.",
    "everywhere.lost": " The scores of {n} steps were lost.",
    "everywhere.axis.step": "step",
    "everywhere.hover": "step {step}: “{instead}” came<br>“{token}”: model {p}, rank {rank}<br>after all stages {q}",
    "everywhere.table": "“{token}” at every step",
    "everywhere.table.step": "step",
    "everywhere.table.instead": "what came",
    "everywhere.table.p": "probability (model)",
    "everywhere.table.rank": "rank",
    "everywhere.table.q": "after all stages",
    "chart.pick": "“{token}”: Enter shows its facts",
    "chart.go": "step {step}: Enter goes there",
}
