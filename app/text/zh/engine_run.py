"""The lab's tab `orders`, where an engine itself ran: what it did otherwise than transformers, in Chinese."""

ENGINE_RUN_ZH: dict[str, str] = {
    "orders.how.ours": "transformers 自己的采样器",
    "orders.how.computed": "用 transformers 的算法计算",
    "orders.how.computed.missing": "用 transformers 的算法计算（未安装引擎）",
    "orders.how.computed.refused": "用 transformers 的算法计算（引擎未运行）",
    "orders.how.computed.compact": "用 transformers 的算法计算（紧凑记录）",
    "orders.how.computed.compact.tip": "引擎只在精确的分数上运行，而这份记录是紧凑的。",
    "orders.how.ran": "已运行 llama.cpp {build}",
    "orders.how.ran.tip": "在这些分数上运行的是 llama.cpp 自己编译好的采样器：构建 {build}，来自 xllamacpp {package}。",
    "orders.engine": "llama.cpp 自己的算术",
    "orders.engine.same": "在同样的分数上，llama.cpp 的每个采样器都与 transformers 的类保留相同的词元。",
    "orders.engine.part": "在 {sampler} 处，llama.cpp 自己保留 {engine} 个词元，transformers 的类在同样的分数上保留 "
    "{ours} 个，按 float64 计算应为 {exact} 个。",
    "orders.engine.right.ours": "transformers 是对的。",
    "orders.engine.right.engine": "llama.cpp 是对的。",
    "orders.engine.right.neither": "两者都不对：transformers 保留的词元在 float64 中共占 {ours_sum}。",
    "orders.engine.right.both": "两者都对。",
    "orders.engine.why.sum": "llama.cpp 用 float32 逐个累加概率：到它保留的最后一个词元，它自己的和是 "
    "{engine_sum}，而这些词元在 float64 中共占 {exact_sum}。它的每个概率都差 {scale}，因为它对 {n} "
    "个词元求的总和差这么多；累加本身差 {running}。",
    "orders.engine.why.order": "在此之前它的排序也不同：依据的熵也是这样累加出来的。",
    "orders.engine.why.tie": "其间的词元并列：transformers 保留所有与最后一个同分的词元，"
    "llama.cpp 恰好保留所要求的个数。",
    "orders.engine.why.edge": "其间的词元离界线不到 {farthest} 奈特，比 float32 在这种大小的分数上所能分辨的还近。",
    "orders.engine.why.unexplained": "原因在这里没有找到；以上是得到的数值。",
    "orders.engine.table": "在 {sampler} 处只有其中一方保留的词元",
    "orders.engine.table.before": "在它之前",
    "orders.engine.kept": "保留",
    "orders.engine.gone": "去掉",
    "orders.why.arithmetic": "原因不在顺序：{cutter} 自己在 {sampler} 处剩下 {cut} 个词元，而同样的顺序用 transformers "
    "的算法剩下 {kept} 个。原因见下文。",
    "orders.note.ran": "llama.cpp 那一行不是计算出来的：它自己编译好的代码在这些分数上运行，"
    "每个采样器的参数与这里相同。它自称 {library}。",
    "orders.note.not_run": "没有运行 llama.cpp：{why}",
}
