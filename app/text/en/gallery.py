"""The gallery of recorded runs, and what the page says of compact traces, in English."""

GALLERY_EN: dict[str, str] = {
    "fact.compact": "compact",
    "fact.compact.value": "{head} of {vocab} exact",
    "fact.compact.tip": "This recording is kept in the small form: at each step the {head} likeliest tokens, and all "
    "that the run mentions, have their exact scores; of all others there is a histogram, so that their number and "
    "their probability together are right, but not which has which. What the stages did is as recorded.",
    "fact.memory.compact": "At each step the scores of the likeliest of {vocab} tokens are kept exactly, and those "
    "of the others as a histogram: {size} in all.",
    "whatif.cannot.compact": "This recording is compact: as long as no threshold falls among the tokens that it "
    "keeps as a histogram, nor within {what} of a token, which tokens survive is exact, and a probability is at most "
    "{what} off.",
    "whatif.cannot.compact_entropy": "{what} goes by the entropy of all tokens, which a compact recording gives only "
    "nearly: a token near its boundary may be shown on the wrong side.",
    # -- the runs: a title, and two sentences on what to look at
    "gallery.fork-point": "A fork in the road",
    "gallery.fork-point.first": "At token {n} two words are as good as equal: {first} has {p} and {second} {q}, and "
    "the draw took {second}.",
    "gallery.fork-point.second": "All other tokens together had {rest}: below the charts, take {first} instead and "
    "decode on, and the story goes another way.",
    "gallery.greedy-loop": "The loop that greedy falls into",
    "gallery.greedy-loop.first": "“{phrase}” comes {rounds} times: greedy decoding takes the likeliest token each "
    "time, and each round makes the next one likelier.",
    "gallery.greedy-loop.second": "All {n} tokens of the sentence together had {p} the first time and {q} the third: "
    "go back token by token and watch the probabilities fall.",
    "gallery.contrastive-escape": "Contrastive search stays out of the loop",
    "gallery.contrastive-escape.first": "It has the prompt of the greedy loop, but {n} of its {steps} tokens are not "
    "the likeliest, and no five tokens come twice in the same order.",
    "gallery.contrastive-escape.second": "Here {likeliest} had {p} and {chosen} only {q}, but {likeliest} is more "
    "like what stands before it ([[similarity|similarity]] {a} against {b}), which counts against it.",
    "gallery.beam-worse": "Beams that find something worse than greedy",
    "gallery.beam-worse.first": "Three beams settle on “{beam}” with a log-probability of {a}; greedy decoding finds "
    "“{greedy}” with {b}, which is likelier.",
    "gallery.beam-worse.second": "Greedy's sentence was lost at step {n}, where {token} missed the last place by "
    "{margin} nats: what would have come after it no longer counted.",
    "gallery.temperature-ignored": "A temperature without effect",
    "gallery.temperature-ignored.first": "A temperature of 0.2 was given, but without do_sample nothing is drawn: "
    "each of the {n} tokens is the likeliest of its step, {token} with {p} as well.",
    "gallery.temperature-ignored.second": "Under [[silent|silent settings]], below the charts, the page says so; no "
    "processor ran, and dividing all scores by one number would not have changed which is the highest.",
    "gallery.top-p-adapts": "top_p adapts, top_k would not",
    "gallery.top-p-adapts.first": "top_p = 0.9 left a single token at step {sure}, where {token} has {p}; at step "
    "{step}, where the model is unsure, it takes {n} tokens to make 90%.",
    "gallery.top-p-adapts.second": "A top_k of 50 would keep 50 tokens at both, and here no more than {mass} of the "
    "probability: compare the two steps in the chart of the cut-off.",
    "gallery.penalty-hits-prompt": "The repetition penalty hits the prompt",
    "gallery.penalty-hits-prompt.first": "The model wants to repeat the password, {wanted} has {p}, but it stands in "
    "the prompt: repetition_penalty = {penalty} takes its logit from {a} to {b}.",
    "gallery.penalty-hits-prompt.second": "That leaves it {q}, and {came} comes instead, although nothing had been "
    "generated yet that could be repeated.",
    "gallery.length-penalty": "The length penalty decides the winner",
    "gallery.length-penalty.first": "“{long}” wins with {a} ÷ {n} = {c}, against {b} ÷ {m} = {d} for “{short}”, "
    "which ended at this step.",
    "gallery.length-penalty.second": "With length_penalty = 0 nothing is divided, and “{short}” wins with {b} "
    "against {a}: change it among the settings and see the answers change places.",
    "gallery.eos-outside": "An end that never counted",
    "gallery.eos-outside.first": "“{text}” ends here, with {p} for the end token, but it is only number {rank} of "
    "the candidates, and an end below the first {beams} never becomes an answer.",
    "gallery.eos-outside.second": "It is missing among the answers: look for it in the tree and in the ledger, "
    "{margin} nats below the last that counts.",
    "gallery.early-stopping": "Early stopping, one step too soon",
    "gallery.early-stopping.first": "With early_stopping = True the search ends as soon as {beams} answers are in "
    "the [[pool|pool]], here after {n} steps with “{best}” at {a}.",
    "gallery.early-stopping.second": "The beam in view was still running and needed one more token: without early "
    "stopping, in the next example, it becomes “{better}” at {b}, the best of all.",
    "gallery.early-stopping-off": "The same search, left to go on",
    "gallery.early-stopping-off.first": "Without early stopping the search goes on until no beam can improve, and at "
    "step {n} the end token, with {p}, completes “{better}” at {b}.",
    "gallery.early-stopping-off.second": "It drives “{out}” out of the full [[pool|pool]] and beats “{best}” at {a}, "
    "which early stopping returned.",
    "gallery.diverse-groups": "Groups that keep apart",
    "gallery.diverse-groups.first": "The four groups begin with {words}: each loses {penalty} for a token that an "
    "earlier group has chosen at the same step.",
    "gallery.diverse-groups.second": "Group {group} would have begun with {token} at {a}, too, but the penalty made "
    "it {b}, just below {kept} at {c}.",
    "gallery.sampler-order": "The order of the samplers decides",
    "gallery.sampler-order.first": "{token} came with {p}: in transformers' order the temperature of 1.5 comes "
    "before top_p, and {n} tokens are left.",
    "gallery.sampler-order.second": "In llama.cpp's order the temperature comes last, {other} tokens are left, and "
    "{token} is not among them: see the engine orders below.",
}
