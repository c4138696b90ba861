"""Forks, in Chinese."""

from __future__ import annotations

FORK_ZH: dict[str, str] = {
    "fork.label": "第 {step} 步换一个词元：",
    "fork.button": "从这里继续解码",
    "fork.tip": "改用这个词元，设置不变，让模型继续生成；前面的部分不会重新计算。",
    "fork.nothing_left": "到这一步长度上限已用完：请选更早的一步，或提高 max_new_tokens 再运行。",
    "fork.option": "{token} · {p}",
    "fork.option.removed": "{token} · 被 {stage} 移除",
    "fork.option.candidate": "{token} · {fate}",
    "runs.title": "并排对照的几次运行",
    "runs.hint": "选一个来细看；灰色部分是分叉时沿用的",
    "runs.name": "运行 {n}",
    "runs.detail.join": " · ",
    "runs.detail.example": "录好的示例",
    "runs.detail.file": "打开的文件",
    "runs.detail.fork": "从运行 {n} 第 {step} 步分叉",
    "runs.detail.anew": "运行 {n} 从第 {step} 步重新解码",
    "runs.detail.same": "设置相同",
    "runs.detail.prompt": "另一条提示词",
    "runs.detail.template.chat": "作为对话",
    "runs.detail.template.text": "作为纯文本",
    "runs.detail.without": "无 {name}",
    "runs.tip.fork": "第 {step} 步改用了 {token}。",
    "runs.tip.fork.instead": "第 {step} 步用 {token} 代替了 {other}。",
    "runs.tip.reused": "前面的部分没有重新计算；与从头运行相比，最后几位可能不同。",
    "runs.more": "… 另有 {n} 个词元",
}
