"""The gallery of recorded runs, and what the page says of compact traces, in Chinese."""

GALLERY_ZH: dict[str, str] = {
    "fact.compact": "紧凑",
    "fact.compact.value": "{vocab} 个中 {head} 个精确",
    "fact.compact.tip": "这份记录以小文件的形式保存：每一步最可能的 {head} 个词元，以及运行中提到的所有词元，"
    "分数都是精确的；其余词元只有一张直方图，它们的个数和概率总和都对，但不知道哪个词元对应哪个分数。各阶段做了什么，"
    "均如实记录。",
    "fact.memory.compact": "每一步在 {vocab} 个词元中精确保存最可能的那些的分数，其余的存为直方图：共 {size}。",
    "whatif.cannot.compact": "这份记录是紧凑的：只要阈值不落在存为直方图的词元中，也不在某个词元的 {what} 之内，"
    "哪些词元留下就是精确的，概率的误差至多为 {what}。",
    "whatif.cannot.compact_entropy": "{what} 依据全部词元的熵，紧凑的记录只能近似给出它："
    "靠近界线的词元可能显示在错误的一侧。",
    # -- the runs: a title, and two sentences on what to look at
    "gallery.fork-point": "岔路口",
    "gallery.fork-point.first": "第 {n} 个词元处，两个词几乎不相上下：{first} 有 {p}，{second} 有 {q}，抽中的是 "
    "{second}。",
    "gallery.fork-point.second": "其余词元合起来只有 {rest}：在图表下方改选 {first} 继续解码，故事就会走向别处。",
    "gallery.greedy-loop": "贪心陷入的循环",
    "gallery.greedy-loop.first": "“{phrase}”出现了 {rounds} 次：贪心解码每次都取最可能的词元，"
    "而每一轮都让下一轮更可能。",
    "gallery.greedy-loop.second": "这句话的 {n} 个词元合起来，第一次的概率是 {p}，第三次是 {q}：逐个词元往回走，"
    "看概率如何下降。",
    "gallery.contrastive-escape": "对比搜索没有陷入循环",
    "gallery.contrastive-escape.first": "提示词与贪心循环的相同，但它的 {steps} 个词元中有 {n} 个不是最可能的，"
    "也没有任何五个词元以同样的顺序出现两次。",
    "gallery.contrastive-escape.second": "这里 {likeliest} 有 {p}，{chosen} 只有 {q}，但 {likeliest} 与前文更相似（"
    "[[similarity|相似度]] {a} 对 {b}），因此被扣分。",
    "gallery.beam-worse": "束搜索找到的比贪心还差",
    "gallery.beam-worse.first": "三条束最终选定“{beam}”，对数概率为 {a}；贪心解码找到“{greedy}”，为 {b}，更可能。",
    "gallery.beam-worse.second": "贪心的那句话在第 {n} 步丢失：{token} 以 {margin} nats 之差错过最后一席，"
    "它后面会出现什么已不再计入。",
    "gallery.temperature-ignored": "没有作用的温度",
    "gallery.temperature-ignored.first": "给出了温度 0.2，但没有 do_sample 就不抽取：{n} "
    "个词元个个都是所在步最可能的，{token} 以 {p} 也是如此。",
    "gallery.temperature-ignored.second": "图表下方的[[silent|无效设置]]说明了这一点；没有处理器运行，"
    "而且所有分数除以同一个数，也不会改变哪个最高。",
    "gallery.top-p-adapts": "top_p 会适应，top_k 不会",
    "gallery.top-p-adapts.first": "第 {sure} 步 {token} 有 {p}，top_p = 0.9 只留下一个词元；第 {step} 步模型拿不准，"
    "要 {n} 个词元才凑够 90%。",
    "gallery.top-p-adapts.second": "top_k = 50 在两处都会留下 50 个，在这里合起来不过 {mass} 的概率："
    "在截断图中比较这两步。",
    "gallery.penalty-hits-prompt": "重复惩罚打中了提示词",
    "gallery.penalty-hits-prompt.first": "模型想重复口令，{wanted} 有 {p}，但它出现在提示词里：repetition_penalty = "
    "{penalty} 把它的 logit 从 {a} 降到 {b}。",
    "gallery.penalty-hits-prompt.second": "它只剩下 {q}，出现的是 {came}，尽管此时还没有生成任何可以重复的内容。",
    "gallery.length-penalty": "长度惩罚决定胜者",
    "gallery.length-penalty.first": "“{long}”以 {a} ÷ {n} = {c} 胜出，而在这一步结束的“{short}”是 {b} ÷ {m} = {d}。",
    "gallery.length-penalty.second": "length_penalty = 0 时不做除法，“{short}”以 {b} 对 {a} 胜出：在设置中改动它，"
    "看答案如何换位。",
    "gallery.eos-outside": "不算数的结束",
    "gallery.eos-outside.first": "“{text}”在此结束，结束词元有 {p}，但它在候选中只排第 {rank}，而前 {beams} "
    "名之外的结束永远不会成为答案。",
    "gallery.eos-outside.second": "答案中没有它：在树和账本中找到它，它比最后一个算数的低 {margin} nats。",
    "gallery.early-stopping": "提前停止，早了一步",
    "gallery.early-stopping.first": "early_stopping = True 时，[[pool|池]]中一有 {beams} 个答案搜索就结束，这里是在 "
    "{n} 步之后，“{best}”得 {a}。",
    "gallery.early-stopping.second": "所看的这条束还在运行，只差一个词元：不提前停止时（下一个例子），"
    "它成为“{better}”，得 {b}，是最好的。",
    "gallery.early-stopping-off": "同一次搜索，让它继续",
    "gallery.early-stopping-off.first": "不提前停止，搜索会一直进行到没有束能再改进；第 {n} 步，结束词元以 {p} "
    "完成了“{better}”，得 {b}。",
    "gallery.early-stopping-off.second": "它把“{out}”挤出已满的[[pool|池]]，并胜过提前停止时返回的“{best}”（{a}）。",
    "gallery.diverse-groups": "彼此避开的组",
    "gallery.diverse-groups.first": "四个组的开头是 {words}：同一步中更早的组选过的词元，每组都要为它失去 {penalty}。",
    "gallery.diverse-groups.second": "第 {group} 组本来也会以 {token}（{a}）开头，但惩罚使它变为 {b}，略低于 {kept} "
    "的 {c}。",
    "gallery.sampler-order": "采样器的顺序起决定作用",
    "gallery.sampler-order.first": "{token} 以 {p} 出现：按 transformers 的顺序，温度 1.5 在 top_p 之前，剩下 {n} "
    "个词元。",
    "gallery.sampler-order.second": "按 llama.cpp 的顺序，温度在最后，剩下 {other} 个词元，其中没有 {token}："
    "见下方的引擎顺序。",
}
