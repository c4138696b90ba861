"""The lab's tab `orders`, in Chinese."""

ORDERS_ZH: dict[str, str] = {
    "term.sampler": "决定从哪些词元中抽取的处理器：温度，或者去掉一部分词元的规则。",
    "orders.own": "你的顺序",
    "orders.own.hint": "拖动采样器，或用 ‹ 和 › 移动（键盘：Alt 加方向键）。",
    "orders.own.earlier": "{sampler}：提前",
    "orders.own.later": "{sampler}：推后",
    "orders.own.reset": "恢复 transformers 的顺序",
    "orders.intro": "[[sampler|采样器]]一个接一个运行，每一个只看到前一个留下的词元。",
    "orders.differ": "在这一步，有 {n} 个词元是否还可能被选中，取决于这个顺序。",
    "orders.differ.one": "在这一步，有一个词元是否还可能被选中，取决于这个顺序。",
    "orders.agree": "在这一步，所有顺序都保留同样的 {n} 个词元。",
    "orders.agree.one": "在这一步，所有顺序都只保留同一个词元。",
    "orders.agree.ranks": "temperature 和 top_k 无论怎么排都一致：所有分数除以同一个数，名次不变。再设置 top_p 或 "
    "min_p，各种顺序才会分开。",
    "orders.agree.close": "如果一个离 1 较远的温度在一种顺序里排在某条规则之前、在另一种里排在之后，结果就会不同；"
    "可以试试温度 1.5 或 0.5，并设置 top_p 或 min_p。",
    "orders.agree.cuts": "如果一次截断排在另一次之前，结果就可能不同：已经去掉的不再计入。再加上温度，"
    "在一种顺序里先于截断、在另一种里后于截断，差别会更大。",
    "orders.example.greedy": "贪心解码总取最可能的词元，所以没有采样器运行。作为例子，下面几行显示 {samplers} "
    "会怎样处理这一步的分数。在设置中选择“采样”，这里就会显示你自己的采样器。",
    "orders.example.sample": "没有设置采样器，所以每个词元都还可能。作为例子，下面几行显示 {samplers} "
    "会怎样处理这一步的分数。设置 top_p、min_p 或 temperature，这里就会显示你自己的。",
    "orders.example.other": "这种模式下没有采样器运行。作为例子，下面几行显示 {samplers} "
    "会怎样处理这一步的分数。在设置中选择“采样”，这里就会显示你自己的采样器。",
    "orders.example.one": "只设置了 {sampler}，一个采样器没有先后可言。作为例子，下面几行显示 {samplers} "
    "作用在这一步分数上的结果。再设置一个，这里就会显示你自己的。",
    "orders.compact": "这份记录是紧凑的：这一步有 {n} 个词元是精确的，其余存为直方图。如果某一行留下的词元更多，"
    "其数目是估计值。",
    "orders.space": "",
    "orders.comma": "、",
    "orders.and": " 和 ",
    "orders.mark.first": "这次运行的顺序",
    "orders.mark.same": "词元相同",
    "orders.mark.more": "多 {more} 个",
    "orders.mark.fewer": "少 {fewer} 个",
    "orders.mark.both": "少 {fewer} 个，另有 {more} 个",
    "orders.start": "第一个采样器之前（惩罚和禁用之后）还可能的词元数",
    "orders.tokens": "{n} 个词元",
    "orders.tokens.one": "1 个词元",
    "orders.alive": "剩 {n} 个",
    "orders.mass.short": "占概率 {mass}",
    "orders.mass": "在采样器之前，留下的词元共占概率的 {mass}。",
    "orders.chip": "{sampler} 在这里去掉 {n} 个，留下 {alive} 个。",
    "orders.chip.none": "{sampler} 在这里没有去掉任何词元：还是 {alive} 个。",
    "orders.left_out": "{engine} 没有 {samplers}。",
    "orders.left_out.label": "略去：",
    "orders.table": "去留取决于顺序的词元：最终概率，或 ✕ 加上去掉它的采样器和差距",
    "orders.table.token": "词元",
    "orders.table.before": "采样器之前",
    "orders.table.more": "……还有 {n} 个更不可能的词元。",
    "orders.removed": "{sampler} {margin}",
    "orders.removed.tip": "被 {sampler} 去掉，在界线之外 {margin} {unit}",
    "orders.why.left_out": "{cutter} 用 {sampler} 去掉；{keeper} 没有这个采样器。",
    "orders.why.before": "在 {cutter} 中，{sampler} 先于 {moved} 运行，剩下 {cut} 个；在 {keeper} 中它后运行，剩下 "
    "{kept} 个。",
    "orders.why.after": "在 {cutter} 中，{sampler} 后于 {also} 运行，剩下 {cut} 个；在 {keeper} 中它先运行，剩下 "
    "{kept} 个。",
    "orders.why.both": "在 {cutter} 中，{sampler} 后于 {also}、先于 {moved} 运行，剩下 {cut} 个；在 {keeper} 中正好"
    "相反，剩下 {kept} 个。",
    "orders.why.extra": "在 {cutter} 中，{sampler} 后于 {also} 运行，剩下 {cut} 个；{keeper} 没有 {also}，{sampler} "
    "剩下 {kept} 个。",
    "orders.why.fewer": "在 {keeper} 中，{sampler} 后于 {moved} 运行，剩下 {kept} 个；{cutter} 没有 {moved}，"
    "{sampler} 剩下 {cut} 个。",
    "orders.why.order": "在 {cutter} 和 {keeper} 中，{sampler} 之前的采样器相同但先后不同：前者剩下 {cut} 个，后者剩"
    "下 {kept} 个。",
    "orders.because.flatter": "大于 1 的温度（{t}）使分布变平，规则放进的词元更多。",
    "orders.because.sharper": "小于 1 的温度（{t}）使分布变尖，规则放进的词元更少。",
    "orders.because.fewer_add_up": "在它之前去掉的不再计入，留下的份额变大，较少的词元就能达到同样的总和。",
    "orders.because.more_reach": "在它之前去掉的不再计入，留下的份额变大，有更多词元达到界线。",
    "orders.notes": "这里比较什么，不比较什么",
    "orders.note.order": "这里比较的是顺序，各行设置相同。每一行都注明是引擎自己运行的，还是用 transformers "
    "的采样器按它的顺序计算的；引擎自己的代码舍入可能不同。默认值也不同（llama.cpp：temperature 0.8、top_k 40、"
    "top_p 0.95、min_p 0.05）。",
    "orders.note.before": "各行都从惩罚、偏置和禁用之后开始；各引擎都先做这些，做法各有不同。",
    "orders.note.vllm": "vLLM：先温度，再 min_p，然后 top_k 和 top_p 合为一步，top_k 在先。它没有 typical_p、"
    "epsilon_cutoff、eta_cutoff 和 top_h。它不在这里运行；曾用 vLLM 0.32.0 在 80 个位置上试过四组设置，"
    "320 次中有 320 次留下的词元与此道相同（tests/engines/vllm.json）。",
    "orders.note.llama": "llama.cpp：2026 年的默认链。其中的 dry、top-n-sigma 和 xtc 默认关闭，transformers "
    "没有对应的采样器。它的 top_k 恰好保留 k 个词元；transformers 还保留与最后一个并列的。",
    "orders.note.later": "之后的阶段不在各行之中：{stages}。",
    "orders.note.device": "这次运行是在 {device} 上记录的；其他顺序在 CPU 上计算，舍入可能不同："
    "正好在界线上的词元可能落到另一侧。",
}
