"""The run as plain text, in English."""

ANSWER_EN: dict[str, str] = {
    "answer.title": "The text",
    "answer.titles": "The text: {n} answers",
    "answer.copy": "Copy",
    "answer.copy_tip": "copies what the model wrote",
    "answer.copy_all": "Copy with prompt",
    "answer.copy_all_tip": "copies what was asked and everything that came back",
    "answer.copied": "Copied ✓",
    "answer.more": "Show all of it",
    "answer.less": "Show less",
    "answer.empty": "(no text: nothing but special tokens, or none at all)",
    "answer.show_tip": "shows in the tree where it ends",
    "answer.prompt": "Prompt {n}",
    "answer.who.user": "You",
    "answer.who.system": "System",
    "answer.who.assistant": "Model",
    "answer.score": "score {score}",
    "answer.running": "score {score}, not ended",
}
