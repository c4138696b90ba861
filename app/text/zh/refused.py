"""What the server answers where it takes no more, in Chinese."""

from __future__ import annotations

REFUSED_ZH: dict[str, str] = {
    "refused.body": "请求有 {asked} 字节，最多接受 {allowed} 字节。请少发一些。",
    "refused.upload": "文件至少有 {asked} 字节，这里最多接受 {allowed} 字节。更大的文件请在自己的机器上用 "
    "`decoding-explorer open` 打开。",
    "refused.value": "有一个字段含 {asked} 字节，最多接受 {allowed} 字节。请缩短。",
    "refused.event": "事件带有 {asked} 字节，最多接受 {allowed} 字节。请少发一些。",
    "refused.slow": "请求超过 {allowed} 秒仍未送达。请重新发送。",
    "refused.depth": "请求里的列表层层嵌套，至少有 {asked} 层，最多接受 {allowed} 层。",
    "refused.shape": "无法读取这个请求：{asked}。",
    "refused.runs": "请求的运行太多：这里每分钟最多接受 {allowed} 次。请在 {seconds} 秒后再试。",
    "refused.requests": "同时到达的请求太多：这里每秒最多接受 {allowed} 个。请在 {seconds} 秒后再试。",
    "refused.uploads": "发送的文件太多：这里每分钟最多接受 {allowed} 个。请在 {seconds} 秒后再试。",
    "refused.open": "同时打开的请求太多：这里最多接受 {allowed} 个。请关掉其他标签页，或在 {seconds} 秒后再试。",
    "refused.room": "目前没有空间放更多文件。请在 {seconds} 秒后再试。",
    "refused.stopping": "服务器正在停止，不再开始新的事情。请在 {seconds} 秒后再试。",
    "refused.closed": "这里什么都没有。",
    "refused.file": "只提供本页面生成的文件。",
    "refused.foreign": "本服务器只回答自己的页面，不回答 {asked} 的页面。",
    "refused.bug": "出了不该出的错（错误 {id}）。管理本服务器的人可在日志中按此编号找到细节。",
    "refused.junk": "请求与它所要的不相符（错误 {id}）。",
}
