"""What cannot be read of a permalink, in Chinese."""

from __future__ import annotations

LINK_ZH: dict[str, str] = {
    "link.cut": "链接不完整或已损坏。能读出的部分已在这里；其余部分请索取完整的链接。",
    "link.unreadable": "链接里没有任何能读出的内容。复制完整了吗？",
    "link.too_large": "链接的内容超过 {limit} 字节；其余部分已略去。",
    "link.newer": "链接来自本程序的更新版本（格式 {version}，这里认识的是 {known}）。认识的部分已读入。",
    "link.unknown_field": "链接中的 {name} 是本版本不认识的部分，已略去。",
    "link.field": "{name} 不能是 {value}，已略去。",
    "link.unknown_knob": "这里没有 {name} 这个设置，已略去。",
    "link.knob": "{name} 不能是 {value}（应为：{accepts}），已略去。",
    "link.long_prompt": "提示词有 {n} 个字符，最多接受 {limit} 个；末尾已略去。",
    "link.characters": "有不成字符的半个编码，已换成 \ufffd。",
    "link.more": "……另有 {n} 处未能读出。",
}
