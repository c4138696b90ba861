"""The lab's tab `settings_map`, in English."""

SETTINGS_MAP_EN: dict[str, str] = {
    "settings_map.scope": "Of",
    "settings_map.scope.step": "step {n}",
    "settings_map.scope.step.tip": "what every setting would leave at the step in view",
    "settings_map.scope.run": "the whole run",
    "settings_map.scope.run.tip": "the same at every recorded step: means, and where the run would first part",
    "settings_map.measure": "Show",
    "settings_map.measure.left": "tokens left",
    "settings_map.measure.left.tip": "how many tokens are still possible",
    "settings_map.measure.entropy": "entropy",
    "settings_map.measure.entropy.tip": "how undecided the final distribution is, in nats",
    "settings_map.measure.survives": "does the token survive?",
    "settings_map.measure.survives.tip": "whether the recorded token is still possible; of the whole run, at how many "
    "of its steps",
    "settings_map.space": " ",
    "settings_map.grid": "Map of settings: a line for each temperature, a column for each top_p. The arrow keys walk "
    "through it, Enter tries a setting.",
    "settings_map.try": "A click tries the setting.",
    "settings_map.recorded": "As recorded",
    "settings_map.tried": "As tried",
    "settings_map.recorded.now": "as recorded",
    "settings_map.recorded.near": "nearest to the recorded setting",
    "settings_map.tried.now": "as tried",
    "settings_map.tried.near": "nearest to the setting tried",
    "settings_map.progress": "Reading the run",
    "settings_map.tip.at": "temperature {t}, top_p {p}",
    "settings_map.tip.left": "{n} tokens left",
    "settings_map.tip.mean_left": "{n} tokens left on average",
    "settings_map.tip.entropy": "entropy {h} nats",
    "settings_map.tip.mean_entropy": "entropy {h} nats on average",
    "settings_map.tip.survives": "the recorded token survives",
    "settings_map.tip.gone": "the recorded token is removed",
    "settings_map.tip.all": "all {of} recorded tokens survive",
    "settings_map.tip.some": "{n} of {of} recorded tokens survive; the run would first part at step {step}",
    "settings_map.read.step": "“{token}”, which came at step {step}, survives in {k} of {of} settings. ",
    "settings_map.read.run": "All {n} recorded tokens survive in {k} of {of} settings. ",
    "settings_map.read.step.now": "{which}: temperature {t}, top_p {p}, which leave {left} tokens and an "
    "[[entropy|entropy]] of {h} nats.",
    "settings_map.read.step.near": "{which}: temperature {t}, top_p {p}. The nearest cell ({near_t}, {near_p}) leaves "
    "{left} tokens and an [[entropy|entropy]] of {h} nats.",
    "settings_map.read.run.now": "{which}: temperature {t}, top_p {p}, which on average leave {left} tokens and an "
    "[[entropy|entropy]] of {h} nats.",
    "settings_map.read.run.near": "{which}: temperature {t}, top_p {p}. The nearest cell ({near_t}, {near_p}) on "
    "average leaves {left} tokens and an [[entropy|entropy]] of {h} nats.",
    "settings_map.read.parts": " There the run would first part at step {step}.",
    "settings_map.read.greedy": "These settings take the likeliest token, whatever temperature and top_p are; "
    "the map tells what sampling would have left.",
    "settings_map.read.lost": "The scores were not kept, so nothing can be told.",
    "settings_map.read.some_lost": " The scores of {n} steps were not kept.",
    "settings_map.holds.step": "Computed from the recorded logits by transformers' rules, for the text as it was up to "
    "this step.",
    "settings_map.holds.run": "Computed from the recorded logits by transformers' rules, for the text that was "
    "recorded: once another token came, what follows would be another text.",
    "settings_map.kept": "The other settings stay: {settings}.",
    "settings_map.comma": ", ",
    "settings_map.compact": "≈ This recording is compact: the likeliest tokens are exact, the others stand for their "
    "part of a histogram.",
    "settings_map.not.beams": "Beams are not chosen by what temperature and top_p leave of one distribution, but by "
    "sums over whole paths: a map of one step would not tell which of them survive. The ledger and the sum do.",
    "settings_map.not.contrastive": "Contrastive search weighs its top_k likeliest tokens against what was said; "
    "temperature and top_p take no part in it.",
    "settings_map.not.order": "A sampler of another engine acts, and with it the temperature comes after top_p, or is "
    "another one at each step; the map has the order of transformers alone.",
    "settings_map.not.prefix": "A processor that looks at more than the scores (a watermark) runs after top_p, so "
    "a map cannot be told. Take it out of the settings to see one.",
    "settings_map.not.slow": "Besides top_k and min_p another rule cuts off here, so each of 400 cells takes "
    "transformers' own time: minutes for a whole run. The map of one step is there.",
    "settings_map.not.ended": "This row had ended before this step: no token was chosen.",
}
