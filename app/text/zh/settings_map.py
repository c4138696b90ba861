"""The lab's tab `settings_map`, in Chinese."""

SETTINGS_MAP_ZH: dict[str, str] = {
    "settings_map.scope": "范围",
    "settings_map.scope.step": "第 {n} 步",
    "settings_map.scope.step.tip": "各种设置在当前这一步会留下什么",
    "settings_map.scope.run": "整个运行",
    "settings_map.scope.run.tip": "在记录的每一步上都算一遍：平均值，以及运行最先在哪里分开",
    "settings_map.measure": "显示",
    "settings_map.measure.left": "剩余词元",
    "settings_map.measure.left.tip": "还可能出现的词元有多少个",
    "settings_map.measure.entropy": "熵",
    "settings_map.measure.entropy.tip": "最终分布有多不确定，单位是 nats",
    "settings_map.measure.survives": "词元是否保留？",
    "settings_map.measure.survives.tip": "记录的词元是否仍然可能；对整个运行，则是在其中多少步上仍然可能",
    "settings_map.space": "",
    "settings_map.grid": "设置地图：每行一个温度，每列一个 top_p。方向键在其中移动，回车键试用一种设置。",
    "settings_map.try": "点击即可试用该设置。",
    "settings_map.recorded": "记录的设置",
    "settings_map.tried": "试用的设置",
    "settings_map.recorded.now": "记录的设置",
    "settings_map.recorded.near": "最接近记录的设置",
    "settings_map.tried.now": "试用的设置",
    "settings_map.tried.near": "最接近试用的设置",
    "settings_map.progress": "正在读取运行",
    "settings_map.tip.at": "温度 {t}，top_p {p}",
    "settings_map.tip.left": "剩下 {n} 个词元",
    "settings_map.tip.mean_left": "平均剩下 {n} 个词元",
    "settings_map.tip.entropy": "熵 {h} nats",
    "settings_map.tip.mean_entropy": "平均熵 {h} nats",
    "settings_map.tip.survives": "记录的词元保留",
    "settings_map.tip.gone": "记录的词元被去掉",
    "settings_map.tip.all": "记录的 {of} 个词元全部保留",
    "settings_map.tip.some": "记录的 {of} 个词元中保留 {n} 个；运行最先在第 {step} 步分开",
    "settings_map.read.step": "第 {step} 步出现的“{token}”在 {of} 种设置中的 {k} 种里保留。",
    "settings_map.read.run": "记录的 {n} 个词元在 {of} 种设置中的 {k} 种里全部保留。",
    "settings_map.read.step.now": "{which}：温度 {t}，top_p {p}，剩下 {left} 个词元，"
    "[[entropy|熵]]为 {h} nats。",
    "settings_map.read.step.near": "{which}：温度 {t}，top_p {p}。最接近的一格（{near_t}，{near_p}）"
    "剩下 {left} 个词元，[[entropy|熵]]为 {h} nats。",
    "settings_map.read.run.now": "{which}：温度 {t}，top_p {p}，平均剩下 {left} 个词元，"
    "平均[[entropy|熵]]为 {h} nats。",
    "settings_map.read.run.near": "{which}：温度 {t}，top_p {p}。最接近的一格（{near_t}，{near_p}）"
    "平均剩下 {left} 个词元，平均[[entropy|熵]]为 {h} nats。",
    "settings_map.read.parts": "在那里，运行最先在第 {step} 步分开。",
    "settings_map.read.greedy": "这些设置总取最可能的词元，与温度和 top_p 无关；地图显示的是，如果采样会留下什么。",
    "settings_map.read.lost": "分数没有保留，因此无从得知。",
    "settings_map.read.some_lost": "有 {n} 步的分数没有保留。",
    "settings_map.holds.step": "由记录的 logits 按 transformers 的规则算出，前文以到这一步为止的记录为准。",
    "settings_map.holds.run": "由记录的 logits 按 transformers 的规则算出，只对记录的文本成立："
    "一旦出现别的词元，后面就会是另一段文本。",
    "settings_map.kept": "其他设置不变：{settings}。",
    "settings_map.comma": "、",
    "settings_map.compact": "≈ 这份记录是紧凑的：最可能的词元是精确的，其余由直方图代表。",
    "settings_map.not.beams": "束的取舍不取决于温度和 top_p 在单个分布中留下什么，而取决于整条路径的总和："
    "单步的地图说明不了哪些束会保留。"
    "请看账本和总和。",
    "settings_map.not.contrastive": "对比搜索在最可能的 top_k 个词元与已有内容之间权衡，温度和 top_p 不起作用。",
    "settings_map.not.order": "有其他引擎的采样器在起作用：温度排在 top_p 之后，或每一步都不同；这张图只有 "
    "transformers 的顺序。",
    "settings_map.not.prefix": "在 top_p 之后还有不只看分数的处理器（水印），因此无法给出地图。去掉它即可看到。",
    "settings_map.not.slow": "除 top_k 和 min_p 之外还有别的截断规则，"
    "400 格中的每一格都要花 transformers 自己的时间：整个运行需要几分钟。"
    "单步的地图仍然可看。",
    "settings_map.not.ended": "这一行在这一步之前就已结束：没有选择词元。",
}
