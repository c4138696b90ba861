"""The lab's tab `orders`, where an engine itself ran: what it did otherwise than transformers, in English."""

ENGINE_RUN_EN: dict[str, str] = {
    "orders.how.ours": "transformers' own samplers",
    "orders.how.computed": "computed with transformers' arithmetic",
    "orders.how.computed.missing": "computed with transformers' arithmetic (engine not installed)",
    "orders.how.computed.refused": "computed with transformers' arithmetic (engine not run)",
    "orders.how.computed.compact": "computed with transformers' arithmetic (compact recording)",
    "orders.how.computed.compact.tip": "The engine is run on exact scores alone, and this recording is compact.",
    "orders.how.ran": "ran llama.cpp {build}",
    "orders.how.ran.tip": "llama.cpp's own compiled samplers ran on these scores: build {build}, of xllamacpp "
    "{package}.",
    "orders.engine": "llama.cpp's own arithmetic",
    "orders.engine.same": "On the same scores, each of llama.cpp's samplers keeps what transformers' class keeps.",
    "orders.engine.part": "At {sampler} llama.cpp itself keeps {engine} tokens, transformers' class on the same scores "
    "{ours}, the rule in float64 {exact}.",
    "orders.engine.right.ours": " transformers is right.",
    "orders.engine.right.engine": " llama.cpp is right.",
    "orders.engine.right.neither": " Neither is right: the tokens that transformers keeps have {ours_sum} in float64.",
    "orders.engine.right.both": " Both are right.",
    "orders.engine.why.sum": " llama.cpp adds up one probability after another in float32: at the last token that it "
    "keeps its own sum is {engine_sum}, but these tokens have {exact_sum} in float64. Each of its probabilities is "
    "{scale} off, because its total over {n} tokens is; adding them up is {running} off.",
    "orders.engine.why.order": " It also sorted the tokens otherwise before, by an entropy that is such a sum, too.",
    "orders.engine.why.tie": " The tokens between them are tied: transformers keeps all that score the same as the "
    "last one, llama.cpp exactly as many as were asked for.",
    "orders.engine.why.edge": " The tokens between them lie within {farthest} nats of the line, which is nearer than "
    "float32 tells scores of this size apart.",
    "orders.engine.why.unexplained": " Why, was not found here; these are the numbers that came out.",
    "orders.engine.table": "Tokens that only one of the two keeps at {sampler}",
    "orders.engine.table.before": "before it",
    "orders.engine.kept": "kept",
    "orders.engine.gone": "removed",
    "orders.why.arithmetic": "It is not the order: {cutter} itself leaves {cut} tokens at {sampler}, where "
    "transformers' arithmetic leaves {kept} in the same order. Why, is said below.",
    "orders.note.ran": "llama.cpp's lane is not computed: its own compiled code ran on these scores, with each "
    "sampler's parameters as they are here. It calls itself {library}.",
    "orders.note.not_run": "llama.cpp was not run: {why}",
}
