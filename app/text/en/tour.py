"""The first half minute, in English."""

TOUR_EN: dict[str, str] = {
    "tour.label": "What to look at first",
    "tour.close": "Any key or click puts these hints away; ? brings them back",
    "tour.tokens.name": "Tokens",
    "tour.tree.name": "Beam tree",
    "tour.waterfall.name": "Waterfall",
    "tour.cutoff.name": "Cut-off",
    "tour.tokens": "What the model wrote, piece by piece. The stronger the colour, the less sure it was. Choose a "
    "token, and the charts below show how it was chosen.",
    "tour.tree": "All the continuations that beam search weighed. Choose one to see what kept it, or what dropped it.",
    "tour.waterfall": "Each column is one setting, in the order in which they act: how likely every token was after "
    "it, and ✕ where it ruled a token out.",
    "tour.cutoff": "The line that the last rule drew: tokens on the near side could still be drawn, the grey ones "
    "could not.",
    "page.what": "Watch a language model choose every word: real generate() runs, recorded exactly, and what each "
    "setting did to each choice.",
    "gallery.fork-point.question": "What if another word had come?",
    "gallery.greedy-loop.question": "Why does it repeat?",
    "gallery.contrastive-escape.question": "What gets it out of the loop?",
    "gallery.beam-worse.question": "Why did beam search drop it?",
    "gallery.temperature-ignored.question": "Why was temperature ignored?",
    "gallery.top-p-adapts.question": "top_p or top_k?",
    "gallery.penalty-hits-prompt.question": "Why not the password?",
    "gallery.length-penalty.question": "Why does the longer one win?",
    "gallery.eos-outside.question": "Where did this answer go?",
    "gallery.early-stopping.question": "Did it stop too early?",
    "gallery.early-stopping-off.question": "What if it goes on?",
    "gallery.diverse-groups.question": "How do groups stay apart?",
    "gallery.sampler-order.question": "Does the order matter?",
}
