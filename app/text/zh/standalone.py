"""The standalone page, in Chinese."""

from __future__ import annotations

STANDALONE_ZH: dict[str, str] = {
    "standalone.about": "这个文件就是完整的页面：不需要网络，也不需要模型，不向任何地方发送数据。",
    "standalone.sliders": "在当前这一步上试试别的设置",
    "standalone.computed": "≈ 由本页计算",
    "standalone.computed_tip": "由本页根据这一步记录下来的分数算出；背后没有模型，也没有程序库来核对最后一位数字",
    "standalone.pending": "≈ 只是大致的值",
    "standalone.pending_tip": "对于可能性较小的词元，这个文件只记录了各个分数附近有多少个；界线落在它们之间，"
    "或者近得无法判断，又或者还有本页不计算的规则在起作用：这些数字接近真实值，但仅此而已",
    "standalone.absent": "为了让文件小一些，这一步的图不在其中；原来的记录里有。",
    "standalone.lost": "记录时这一步的分数丢失了：{why}",
    "standalone.carried.rows": "为了让文件小一些，这里只有前 {n} 步的图（共 {all} 步，另加打开时所在的那一步）；"
    "词元全部都在。",
    "standalone.carried.nodes": "为了让文件小一些，这里只有 {n} 个候选的图（共 {all} 个）：先是通向返回结果的，"
    "再是保留的，然后逐步是其他的。树和表格是完整的。",
    "standalone.old_browser": "这个浏览器太旧，打不开这个文件：它不能解压数据（DecompressionStream）。"
    "Chrome 80、Firefox 113、Safari 16.4 及以后的版本可以。",
    "standalone.no_script": "本页由 JavaScript 绘制，而这里把它关掉了。",
    "standalone.broken": "这个文件不完整或已损坏：{why}",
    "standalone.opening": "正在打开……",
    "standalone.frame": "一次解码过程的记录",
}
