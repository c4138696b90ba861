"""The gallery of recorded runs, and what the page says of compact traces, in Chinese."""

GALLERY_ZH: dict[str, str] = {
    "fact.compact": "紧凑",
    "fact.compact.value": "{vocab} 个中 {head} 个精确",
    "fact.compact.tip": "这份记录以小文件的形式保存：每一步最可能的 {head} 个词元，以及运行中提到的所有词元，"
    "分数都是精确的；其余词元只有一张直方图，它们的个数和概率总和都对，但不知道哪个词元对应哪个分数。各阶段做了什么，均如实记录。",
    "fact.memory.compact": "每一步在 {vocab} 个词元中精确保存最可能的那些的分数，其余的存为直方图：共 {size}。",
    "whatif.cannot.compact": "这份记录是紧凑的：只要阈值不落在存为直方图的词元中，也不在某个词元的 {what} 之内，"
    "哪些词元留下就是精确的，概率的误差至多为 {what}。",
    "whatif.cannot.compact_entropy": "{what} 依据全部词元的熵，紧凑的记录只能近似给出它："
    "靠近边界的词元可能显示在错误的一侧。",
}
