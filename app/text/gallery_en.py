"""The gallery of recorded runs, and what the page says of compact traces, in English."""

GALLERY_EN: dict[str, str] = {
    "fact.compact": "compact",
    "fact.compact.value": "{head} of {vocab} exact",
    "fact.compact.tip": "This recording is kept in the small form: at each step the {head} likeliest tokens, and all "
    "that the run mentions, have their exact scores; of all others there is a histogram, so that their number and "
    "their probability together are right, but not which has which. What the stages did is as recorded.",
    "fact.memory.compact": "At each step the scores of the likeliest of {vocab} tokens are kept exactly, and those of "
    "the others as a histogram: {size} in all.",
    "whatif.cannot.compact": "This recording is compact: as long as no threshold falls among the tokens that it keeps "
    "as a histogram, nor within {what} of a token, which tokens survive is exact, and a probability is at most {what} "
    "off.",
    "whatif.cannot.compact_entropy": "{what} goes by the entropy of all tokens, which a compact recording gives only "
    "nearly: a token near its boundary may be shown on the wrong side.",
}
