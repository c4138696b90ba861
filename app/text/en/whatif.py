"""What if, in English."""

WHATIF_EN: dict[str, str] = {
    "whatif.title": "What if",
    "whatif.unset": "default",
    "whatif.confirmed": "✓ confirmed",
    "whatif.confirmed_tip": "transformers' own processors, run on the recorded logits, gave exactly these numbers",
    "whatif.computed": "≈ computed in your browser",
    "whatif.computed_tip": "drawn at once by your browser; transformers' own processors confirm it in a moment",
    "whatif.pending": "… asking transformers",
    "whatif.pending_tip":
        "a boundary lies too close to call, or your browser does not compute this parameter: the answer comes from "
        "transformers' own processors",
    "whatif.wrong": "not possible",
    "whatif.wrong_tip": "there is no answer for such settings: the recorded step stands alone",
    "whatif.must": "{name} must be {range}; {value} is not.",
    "whatif.none": "no answer",
    "whatif.alive": "tokens left",
    "whatif.mass": "probability cut",
    "whatif.mass_tip": "how much of the probability, after temperature, truncation (top-k, top-p, …) takes away",
    "whatif.entropy": "entropy (nats)",
    "whatif.entropy_tip":
        "how open the choice is: 0 when one token is certain, the logarithm of the number of tokens when all are "
        "alike",
    "whatif.gone": "impossible",
    "whatif.more": "+{n} more",
    "whatif.rest": "all others together",
    "whatif.hover": "{token}<br>recorded {was}<br>with these settings {now}",
    "whatif.was": "recorded",
    "whatif.now": "with these settings",
    "whatif.chart": "Probabilities with the settings tried, in front of the recorded ones",
    "whatif.facts": "The step in numbers: recorded, and with these settings",
    "whatif.onward": "Decode on from step {step}",
    "whatif.onward_tip": "keeps the tokens before the parting and lets the model decode on with these settings",
    "whatif.again": "Decode anew from the prompt",
    "whatif.again_tip": "decodes the same prompt again with these settings; the recorded run stays beside it",
    "whatif.no_model":
        "This recording does not say which model made it, so it cannot be run again here. Everything else works.",
    "whatif.back": "Back to the recorded settings",
    "whatif.tip": "with these settings: {p}",
    "whatif.tip_gone": "with these settings: impossible",
    "whatif.parts": "here the run would have gone another way",
    "whatif.read.hypothesis": "Another answer would come first: the one returned as #{place}. ",
    "whatif.read.new_hypothesis": "Another answer would come first: one that was not returned. ",
    "whatif.read.same_hypothesis": "The same answer would come first. ",
    "whatif.read.step": "At step {step}: ",
    "whatif.read.winner": "another token, “{token}”, would be the likeliest ({p}). ",
    "whatif.read.alive": "{alive} tokens would be possible instead of {was}. ",
    "whatif.read.same": "{alive} tokens would be possible, as many as in the recorded run. ",
    "whatif.read.alive.one": "{alive} token would be possible instead of {was}. ",
    "whatif.read.same.one": "{alive} token would be possible, as in the recorded run. ",
    "whatif.read.none": "no token would be left. ",
    "whatif.read.token": "“{token}” would have {p} instead of {was}. ",
    "whatif.read.token_same": "“{token}” would keep its {p}. ",
    "whatif.read.token_gone": "“{token}”, which came with {was}, would be impossible. ",
    "whatif.read.gone": "Of the run's {n} tokens, {gone} would have been impossible. ",
    "whatif.read.none_gone": "All {n} tokens of the run would still be possible. ",
    "whatif.read.parts": "The first is at step {step}: from there on only a re-run tells the truth. ",
    "whatif.read.parts_greedy":
        "The choice would first be another one at step {step}: from there on only a re-run tells the truth. ",
    "whatif.read.never_parts": "The run would be the same, token for token. ",
    "whatif.cannot.needs_model": "{what} runs the model a second time at each step: left out here, re-run to see it.",
    "whatif.cannot.default":
        "{what} goes back to transformers' default; this file does not say whether the model has one of its own.",
    "whatif.cannot.chance": "{what}: the run has no seed, so whether it acts at a step is that of another run.",
    "whatif.cannot.own_processor": "{what} is the caller's own and not in the recording: left out here.",
    "whatif.cannot.rerun": "{what}: what it changes was not recorded; re-run to see it.",
    "whatif.cannot.mode":
        "{what} is another kind of search than the recorded one: the step is answered, the run needs a re-run.",
    "whatif.cannot.nothing_left": "These settings leave no token at all at some steps, step {step} being the first.",
    "whatif.cannot.not_numbers":
        "With these settings some scores are no finite numbers, first at step {step}: there are no probabilities.",
    "whatif.cannot.lost":
        "The scores of some steps were lost, step {step} being the first: nothing is said about them.",
    "whatif.replay": "The hypotheses under these rules",
    "whatif.replay.text": "hypothesis",
    "whatif.replay.place": "place",
    "whatif.replay.was": "recorded place",
    "whatif.replay.score": "score",
    "whatif.replay.decided": "The recorded candidates decide this exactly; the search would end after {n} steps.",
    "whatif.replay.undecided":
        "With these rules the search would go on after the recorded {n} steps: this is the order so far, a re-run "
        "tells the rest.",
    "waterfall.whatif": "What if: the likeliest tokens, [[stage|stage]] by stage",
    "waterfall.reading.whatif":
        "With these settings “{token}” would have {q} at step {step}; the model's own [[probability|probability]] "
        "was {p} ([[rank|rank]] {rank}).",
    "waterfall.reading.whatif_gone":
        "With these settings “{token}” would be impossible at step {step}; the model's own "
        "[[probability|probability]] was {p} ([[rank|rank]] {rank}).",
}
