"""The runs beside each other, forks among them, in Chinese."""

from __future__ import annotations

FORK_ZH: dict[str, str] = {
    "runs.title": "并排对照的几次运行",
    "runs.hint": "选一个来细看；灰色部分是分叉时沿用的",
    "runs.name": "运行 {n}",
    "runs.named": "运行 {n}：{name}",
    "runs.rename": "给运行 {n} 改名",
    "runs.name.label": "运行 {n} 的名称",
    "runs.remove": "移除运行 {n}",
    "runs.remove.sure": "移除？",
    "runs.remove.sure_tip": "运行 {n} 移除后无法恢复；由它分叉出的运行会保留。再按一次即移除。",
    "runs.gone": "那次运行已不在这里保留。它的提示词和设置已填入表单：按“运行”可重新录制。",
    "draft.label": "尚未运行：",
    "draft.button": "取回",
    "draft.tip": "把你先前输入的内容连同模型和设置放回表单",
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
    "runs.more": "……另有 {n} 个词元",
}
