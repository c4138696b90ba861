"""The run as plain text, in Chinese."""

ANSWER_ZH: dict[str, str] = {
    "answer.title": "文本",
    "answer.titles": "文本：{n} 个回答",
    "answer.copy": "复制",
    "answer.copy_tip": "复制模型写出的内容",
    "answer.copy_all": "连同提示一起复制",
    "answer.copy_all_tip": "复制提示和全部回答",
    "answer.copied": "已复制 ✓",
    "answer.more": "全部显示",
    "answer.less": "收起",
    "answer.empty": "（没有文本：只有特殊词元，或什么都没有生成）",
    "answer.show_tip": "在树中显示它在何处结束",
    "answer.prompt": "提示 {n}",
    "answer.who.user": "你",
    "answer.who.system": "系统",
    "answer.who.assistant": "模型",
    "answer.score": "得分 {score}",
    "answer.running": "得分 {score}，尚未结束",
}
