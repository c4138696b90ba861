"""The lab's tab `orders`, in English."""

ORDERS_EN: dict[str, str] = {
    "term.sampler": "A processor that shapes what is drawn from: a temperature, or a rule that removes tokens.",
    "orders.own": "your order",
    "orders.own.hint": "Drag a sampler, or move it with ‹ and › (on the keyboard: Alt and an arrow).",
    "orders.own.earlier": "{sampler}: earlier",
    "orders.own.later": "{sampler}: later",
    "orders.own.reset": "Back to transformers' order",
    "orders.intro": "[[sampler|Samplers]] run one after another, and each sees only what the one before it left.",
    "orders.differ": "Here it depends on their order whether {n} tokens stay possible.",
    "orders.differ.one": "Here it depends on their order whether one token stays possible.",
    "orders.agree": "At this step all orders keep the same {n} tokens.",
    "orders.agree.one": "At this step all orders keep the same single token.",
    "orders.agree.ranks": "temperature and top_k agree in any order, because one number that divides all scores "
    "changes no ranking. Set top_p or min_p too, and the orders can part.",
    "orders.agree.close": "They part where a temperature far from 1 runs before a rule in one order and after it in "
    "another; try 1.5 or 0.5 with top_p or min_p.",
    "orders.agree.cuts": "They part where one cut runs before another: what is gone no longer counts. They part "
    "more widely with a temperature, before the cuts in one order and after them in another.",
    "orders.example.greedy": "Greedy decoding takes the likeliest token, so no sampler ran. As an example, the lanes "
    "show what {samplers} would do to this step's scores. Choose “Sample” in the settings, and your own samplers come "
    "here.",
    "orders.example.sample": "No sampler was set, so every token stayed possible. As an example, the lanes show what "
    "{samplers} would do to this step's scores. Set top_p, min_p or temperature, and your own come here.",
    "orders.example.other": "No sampler runs in this mode. As an example, the lanes show what {samplers} would do to "
    "this step's scores. Choose “Sample” in the settings, and your own samplers come here.",
    "orders.example.one": "Only {sampler} was set, and one sampler has no order. As an example, the lanes show "
    "{samplers} on this step's scores. Set a second one, and your own come here.",
    "orders.compact": "This recording is compact: of this step {n} tokens are exact, the rest is a histogram. Where a "
    "lane keeps more than these, its count is an estimate.",
    "orders.space": " ",
    "orders.comma": ", ",
    "orders.and": " and ",
    "orders.mark.first": "this run's order",
    "orders.mark.same": "same tokens",
    "orders.mark.more": "{more} more",
    "orders.mark.fewer": "{fewer} fewer",
    "orders.mark.both": "{fewer} fewer, {more} others",
    "orders.start": "tokens still possible before the first sampler, after penalties and bans",
    "orders.tokens": "{n} tokens",
    "orders.tokens.one": "1 token",
    "orders.alive": "{n} left",
    "orders.mass.short": "{mass} of the mass",
    "orders.mass": "Before the samplers, the tokens that are left had {mass} of the probability.",
    "orders.chip": "{sampler} removes {n} here and leaves {alive}.",
    "orders.chip.none": "{sampler} removes nothing here: {alive} stay.",
    "orders.left_out": "{engine} does not have {samplers}.",
    "orders.left_out.label": "left out:",
    "orders.table": "Tokens whose fate depends on the order: the final probability, or ✕ with the sampler "
    "that removes the token, and by how much",
    "orders.table.token": "token",
    "orders.table.before": "before the samplers",
    "orders.table.more": "… and {n} less likely tokens.",
    "orders.removed": "{sampler} {margin}",
    "orders.removed.tip": "removed by {sampler}, {margin} {unit} outside its boundary",
    "orders.why.left_out": "{cutter} removes this with {sampler}; {keeper} has no such sampler.",
    "orders.why.before": "In {cutter}, {sampler} runs before {moved} and leaves {cut}; in {keeper} it runs after, "
    "and leaves {kept}.",
    "orders.why.after": "In {cutter}, {sampler} runs after {also} and leaves {cut}; in {keeper} it runs before, and "
    "leaves {kept}.",
    "orders.why.both": "In {cutter}, {sampler} runs after {also} but before {moved}, and leaves {cut}; in {keeper} "
    "it is the other way round, and it leaves {kept}.",
    "orders.why.extra": "In {cutter}, {sampler} runs after {also}, which {keeper} does not have, and leaves {cut}; "
    "in {keeper} it leaves {kept}.",
    "orders.why.fewer": "In {keeper}, {sampler} runs after {moved}, which {cutter} does not have, and leaves {kept}"
    "; in {cutter} it leaves {cut}.",
    "orders.why.order": "In {cutter} and {keeper} the same samplers run before {sampler}, in another order: it "
    "leaves {cut} in {cutter}, {kept} in {keeper}.",
    "orders.because.flatter": " A temperature above 1 ({t}) flattens the distribution, so the rule lets more in.",
    "orders.because.sharper": " A temperature below 1 ({t}) sharpens the distribution, so the rule lets fewer in.",
    "orders.because.fewer_add_up": " What was cut before it no longer counts, so those left have larger shares, and "
    "fewer of them add up to the same.",
    "orders.because.more_reach": " What was cut before it no longer counts, so those left have larger shares, and more "
    "of them reach the line.",
    "orders.notes": "What is compared here, and what is not",
    "orders.note.order": "It is the order that is compared, with the same settings in each lane. Each lane says "
    "whether the engine itself ran or its order was computed with transformers' samplers; the engines' own code may "
    "round otherwise. Their defaults differ (llama.cpp's: temperature 0.8, top_k 40, top_p 0.95, min_p 0.05).",
    "orders.note.before": "All lanes begin after penalties, biases and bans, which the engines apply first, each in "
    "a way of its own.",
    "orders.note.vllm": "vLLM: temperature, min_p, then top_k and top_p in one operation, top_k first. It has no "
    "typical_p, epsilon_cutoff, eta_cutoff or top_h. It does not run here; vLLM 0.32.0, asked once for four settings "
    "at 80 positions, left the same tokens as this lane in 320 of 320 (tests/engines/vllm.json).",
    "orders.note.llama": "llama.cpp: its default chain, as of 2026. Its dry, top-n-sigma and xtc, off by default, have "
    "no counterpart in transformers. Its top_k keeps exactly k tokens; transformers' also those tied with the last.",
    "orders.note.later": "Later stages are left out of the lanes: {stages}.",
    "orders.note.device": "The run was recorded on {device}; other orders are computed on the CPU, which may round "
    "otherwise: a token right on a boundary may fall on its other side.",
}
