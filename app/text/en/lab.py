"""The lab's frame and tabs, in English."""

LAB_EN: dict[str, str] = {
    "lab.title": "Look closer",
    "lab.label": "Look closer at the step in view",
    "lab.words": "In words",
    "lab.words.tip": "what each processor did at this step, why this token came, and how close the next one was",
    "lab.microscope": "Microscope",
    "lab.microscope.tip": "the tensor operations of a stage, one by one, with this step's real numbers",
    "lab.orders": "Engine orders",
    "lab.orders.tip": "the same logits through the sampler order of transformers, vLLM, llama.cpp, and one of your own",
    "lab.draw": "The draw",
    "lab.draw.tip": "draw this token again, 10, 100 or 1,000 times",
    "lab.settings_map": "Settings map",
    "lab.settings_map.tip": "temperature × top_p: tokens left, entropy, and whether the recorded token survives",
    "lab.compare": "Compare",
    "lab.compare.tip": "two runs side by side: where they part, and how they differ",
}
