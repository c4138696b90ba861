"""What a run will take, in English."""

ESTIMATE_EN: dict[str, str] = {
    "estimate.takes": "≤ {tokens} tokens × {rows} × {vocab} scores ≈ {size}",
    "estimate.row": "1 row",
    "estimate.rows": "{n} rows",
    "estimate.memory": "all of it in memory",
    "estimate.disk": "{kept} in memory, the rest on disk",
    "estimate.time": "≈ {time}",
    "estimate.unknown": "What the run takes is known once this model is loaded.",
    "estimate.tip": "What Run will record: at each step a score for every token of the vocabulary, for every row (a "
    "row is one answer, or one beam). An end token can make it shorter. Size and time are estimates: as large and as "
    "fast as the last run of this model.",
}
