"""The first half minute, in Chinese."""

TOUR_ZH: dict[str, str] = {
    "tour.label": "先看这里",
    "tour.close": "按任意键或点击即可收起提示；按 ? 再次显示",
    "tour.tokens.name": "词元",
    "tour.tree.name": "束搜索树",
    "tour.waterfall.name": "瀑布图",
    "tour.cutoff.name": "截断",
    "tour.tokens": "模型写出的内容，逐个词元显示。颜色越深，模型越没有把握。"
    "选一个词元，下面的图表会显示它是怎样选出来的。",
    "tour.tree": "束搜索权衡过的全部续写。选一个，看它为什么被保留，或为什么被丢弃。",
    "tour.waterfall": "每一列是一项设置，按起作用的先后排列：每个词元在它之后有多大可能；✕ 表示它排除了这个词元。",
    "tour.cutoff": "最后一条规则画的线：线内的词元仍可能被抽中，灰色的不能。",
    "page.what": "看语言模型怎样选出每一个词：精确记录真实的 generate() 运行，并显示每项设置对每次选择做了什么。",
    "gallery.fork-point.question": "如果来的是另一个词呢？",
    "gallery.greedy-loop.question": "它为什么会重复？",
    "gallery.contrastive-escape.question": "怎样才能跳出循环？",
    "gallery.beam-worse.question": "束搜索为什么丢掉了它？",
    "gallery.temperature-ignored.question": "温度为什么没起作用？",
    "gallery.top-p-adapts.question": "用 top_p 还是 top_k？",
    "gallery.penalty-hits-prompt.question": "它为什么不肯说出口令？",
    "gallery.length-penalty.question": "为什么更长的回答胜出？",
    "gallery.eos-outside.question": "写完的回答去了哪里？",
    "gallery.early-stopping.question": "它停得太早了吗？",
    "gallery.early-stopping-off.question": "如果继续搜索会怎样？",
    "gallery.diverse-groups.question": "各组怎样保持不同？",
    "gallery.sampler-order.question": "规则的先后有影响吗？",
}
