"""The lab's tab `microscope`, in Chinese."""

MICROSCOPE_ZH: dict[str, str] = {
    "term.bits": "逐个比较每个数的 32 位：最后一位数字，以及零的正负号，都必须相同。",
    "microscope.stages": "阶段",
    "microscope.stage.idle": "{name}：在这一步没有改变任何东西",
    "microscope.choice.greedy": "选择",
    "microscope.choice.sample": "抽取",
    "microscope.choice.beam": "束的一步",
    "microscope.choice.contrastive": "权衡",
    "microscope.choice.tip": "如何从最终分数中取出词元",
    "microscope.choice.tip.beam": "如何从所有束的续写中一起取出最好的",
    "microscope.source": "{method}，在 {file} 中",
    "microscope.source.version": "transformers {version}",
    "microscope.source.own": "{method}，这次运行自带的处理器",
    "microscope.source.project": "本项目自己的代码",
    "microscope.follows": "代码行引自 transformers {follows}；{version} 的写法可能略有不同。算出的结果仍然照样比较。",
    "microscope.diverse": "代码行引自 transformers 的 _beam_search，它已不再有分组。本项目的循环对每组束做同样的事。",
    "microscope.operations": "{n} 个运算，{shown}",
    "microscope.operations.one": "1 个运算，{shown}",
    "microscope.shown.tokens": "显示 {of} 个词元中的 {n} 个",
    "microscope.shown.candidates": "显示 {of} 个候选中的 {n} 个",
    "microscope.digits.all": "全部位数",
    "microscope.digits.tip": "数值四舍五入到 5 位有效数字。按下可显示每个 float32 的完整数值。",
    "microscope.legend.chosen": "当前的词元",
    "microscope.legend.edge": "界线",
    "microscope.legend.gap": "中间还有其他",
    "microscope.legend.removed": "被这个阶段移除",
    "microscope.legend.gone": "早先已被移除",
    "microscope.legend.pruned": "被剪去",
    "microscope.legend.ended": "在这里结束",
    "microscope.legend.changed": "被这个运算改动",
    "microscope.absent": "它在这里没有位置",
    "microscope.beam": "第 {n} 束",
    "microscope.place.vocab": "词元 id",
    "microscope.place.sorted": "排序后的位置",
    "microscope.place.prefix": "在文本中的位置",
    "microscope.place.top": "在最好几个中的位置",
    "microscope.place.list": "在列表中的位置",
    "microscope.place.chosen": "在列表中的位置",
    "microscope.place.beam": "束的下标",
    "microscope.place.beam_vocab": "束的下标，词元 id",
    "microscope.place.flat": "排成一行后的位置",
    "microscope.place.rank": "候选的下标",
    "microscope.place.next": "下一步的下标",
    "microscope.place.beam_text": "束的下标，文本中的位置",
    "microscope.place.rank_text": "候选的下标，文本中的位置",
    "microscope.docs": "PyTorch 文档中的 {name}（在新标签页中打开）",
    # -- does it give what was recorded?
    "microscope.equal": "在这里用记录下来的输入运行，这些运算给出记录下来的输出，[[bits|逐位相同]]：全部 {n} 个分数。",
    "microscope.equal.whatif": "在正在尝试的设置下，这些运算与 transformers 自己的处理器给出的结果[[bits|逐位相同]]："
    "全部 {n} 个分数。",
    "microscope.equal.compact": "对这份紧凑文件精确保存了分数的 {kept} 个词元，这些运算给出记录下来的输出，"
    "[[bits|逐位相同]]。其余 {rest} 个由直方图得来。",
    "microscope.differs": "在这里用 CPU 运行，这些运算有 {n} 个分数与记录下来的输出不同（共 {of} 个），最多相差 "
    "{greatest}。这次运行是在 {device} 上用 transformers {version} 记录的。",
    "microscope.differs.compact": "在保存下来的 {of} 个词元中，这些运算有 {n} 个与记录下来的输出不同，最多相差 "
    "{greatest}：这份紧凑文件对其余分数只有直方图，对它们求和时舍入可能不同。",
    "microscope.one_step": "这里没有拆开这个阶段：显示的是它记录下来的输入和输出。",
    "microscope.one_step.whatif": "这里没有拆开这个阶段：显示的是它在正在尝试的设置下的输入和输出。",
    "microscope.choice.equal": "结果就是出现的那个词元。",
    "microscope.choice.differs": "在这里用 CPU 运行，结果是“{token}”，而这次运行取了“{taken}”。它是在 {device} 上记录"
    "的。",
    "microscope.choice.would": "在正在尝试的设置下，会取“{token}”。",
    "microscope.ended": "这一行在这一步之前已经结束：没有从这些分数中选择什么。",
    "microscope.drawn": "概率就是这次运行的概率。抽取本身没有重做：它用的是这次运行的随机数。在“抽取”标签页中可以再抽"
    "。",
    "microscope.drawn.compact": "这份紧凑文件对较不可能的分数只有直方图，所以这些概率接近这次运行的概率，但不完全相同"
    "。抽取本身没有重做：它用的是这次运行的随机数。",
    "microscope.drawn.whatif": "这是正在尝试的设置下的概率。这里不抽取：那是“抽取”标签页的事。",
    "microscope.beams.equal": "父束、词元与总和，与这次运行的 {n} 个候选[[bits|逐位相同]]。",
    "microscope.beams.differs": "在这里用 CPU 运行，结果与这次运行的候选不同：{of} 个总和中有 {n} 个不同，最多相差 "
    "{greatest}。这次运行是在 {device} 上记录的。",
    "microscope.beams.whatif": "这是正在尝试的设置下的一步，用的是这次运行自己的束。哪些候选会结束，这里不作判断。",
    "microscope.weighed.equal": "得分和选择，与这次运行的 {n} 个候选[[bits|逐位相同]]。",
    "microscope.weighed.differs": "在这里用 CPU 运行，结果与这次运行的候选不同：{of} 个得分中有 {n} 个不同，最多相差 "
    "{greatest}。这次运行是在 {device} 上记录的。",
    "microscope.weighed.differs.compact": "结果与这次运行的候选不同：{of} 个得分中有 {n} 个不同，最多相差 {greatest}"
    "。这份紧凑文件对较不可能的分数只有直方图，概率接近这次运行的概率，但不完全相同。",
    "microscope.none": "在这些设置下如何选择，需要模型才知道：重新运行即可看到。它之前的各个阶段是精确的。",
    "microscope.none.group": "这一组束的搜索在这一步之前已经结束。",
    # -- operations that several stages share
    "microscope.op.softmax": "分数变成加起来等于 1 的概率；−∞ 变成 0。",
    "microscope.op.log_softmax": "分数变成对数概率：对应的概率加起来等于 1。",
    "microscope.op.masked_fill": "掩码为 True 的地方填入 −∞。这里移除：{n_removed}；仍然可能：{n_alive}。",
    "microscope.op.entropy": "分布的[[entropy|熵]]是 {entropy} nats。",
    "microscope.op.below_line": "概率低于 {line} 的标为 True（要移除）：共 {n_true} 个。",
    "microscope.op.scatter_back": "返回原处：每个位置上的标记，送到 sorted_indices 在该位置记下的词元 id。",
    "microscope.op.exempt.last": "这个次序中最后 {least} 个，也就是最可能的，必须留下：它们的标记改为 False。因此改变"
    "的：{n_saved}。",
    "microscope.op.exempt.first": "这个次序中最前 {least} 个，也就是最典型的，必须留下：它们的标记改为 False。因此改"
    "变的：{n_saved}。",
    "microscope.op.unless_best": "只有同时低于第 {k} 名的分数 {line} 才移除，所以最好的 {k} 个无论如何都会留下。因此"
    "留下的：{n_saved}。",
    # -- temperature
    "microscope.op.temperature.div.below": "每个分数除以 {temperature}。小于 1 时差距变大；次序不变。",
    "microscope.op.temperature.div.above": "每个分数除以 {temperature}。大于 1 时差距变小；次序不变。",
    "microscope.op.temperature.div.one": "每个分数除以 1：什么也不变。",
    # -- top-k
    "microscope.op.top_k.topk": "{n} 个分数中最高的 {k} 个，从高到低。其中最后一个 {line} 就是界线。",
    "microscope.op.top_k.topk.capped": "top_k 要 {asked} 个，但只有 {n} 个分数，所以全部取出。最低的 {line} 就是界线"
    "。",
    "microscope.op.top_k.lt": "分数低于 {line} 的标为 True（要移除）：共 {n_true} 个。与它相等不算低于，所以并列的会"
    "留下。",
    # -- top-p
    "microscope.op.top_p.sort": "全部 {n} 个分数按升序排列：最可能的排在最后，位置 {last}。sorted_indices 记下每个分"
    "数属于哪个词元。",
    "microscope.op.top_p.cumsum": "从左边累加：这个词元与所有比它更不可能的词元的概率之和。",
    "microscope.op.top_p.le": "要移除的概率是 1 − {top_p} = {line}。累加值不超过它的标为 True（要移除）：共 {n_true} "
    "个。越过它的那个词元留下。",
    # -- min-p
    "microscope.op.min_p.amax": "最可能的词元概率为 {best}。",
    "microscope.op.min_p.mul": "界线是它的 {min_p} 倍：{line}。",
    "microscope.op.min_p.topk": "最可能的 {k} 个无论界线如何都必须留下（min_tokens_to_keep）。",
    "microscope.op.min_p.scatter": "它们的标记改为 False。因此改变的：{n_saved}。",
    # -- typical
    "microscope.op.typical.exp": "再变回概率。",
    "microscope.op.typical.nansum": "[[entropy|熵]]，{entropy} nats：[[surprisal|惊奇度]]的平均值。先前被移除的词元得"
    "到 NaN（−∞ 乘 0），nansum 会略过。",
    "microscope.op.typical.abs": "每个词元的[[surprisal|惊奇度]]与熵 {entropy} 相差多少。",
    "microscope.op.typical.sort": "相差最小的在前：它们最典型。",
    "microscope.op.typical.gather": "按这个次序取出它们的分数。",
    "microscope.op.typical.cumsum": "从左边累加：这个词元与所有比它更典型的词元的概率之和。",
    "microscope.op.typical.sum": "低于 {mass} 的累加值：{last_ind} 个。所以位置 {last_ind} 的词元是达到它的那一个。",
    "microscope.op.typical.clamp": "不超过最后的位置 {last}。",
    "microscope.op.typical.gt": "差距大于 {line}（位置 {place} 上的差距）的标为 True（要移除）：共 {n_true} 个。同样"
    "远的会留下。",
    # -- eta
    "microscope.op.eta.min": "界线是 {epsilon} 与 √{epsilon} · exp(−熵) 中较小的：{line}。分布越犹豫，界线越低。",
    # -- top-h
    "microscope.op.top_h.topk": "只看最好的 {k} 个，最好的在前。",
    "microscope.op.top_h.probs": "只在这 {k} 个之间的概率。",
    "microscope.op.top_h.log": "它们的对数。",
    "microscope.op.top_h.tau": "上限：这 {k} 个的熵 {entropy} nats 的 {top_h} 倍，即 {line}。",
    "microscope.op.top_h.terms": "每个词元为这个熵贡献多少。",
    "microscope.op.top_h.cumsum": "从最好的一个开始累加。",
    "microscope.op.top_h.le": "累加值不超过 {line} 的标为 True（要保留）：共 {n_true} 个。",
    "microscope.op.top_h.first": "最可能的一个无论如何都保留。",
    "microscope.op.top_h.scatter": "回到词元 id。{n} 个中的其余仍为 False：不保留。",
    # -- repetition penalty
    "microscope.op.penalty.skip": "略去最前面的 {n} 个 id。",
    "microscope.op.penalty.padding": "左侧填充的 {n} 个 id 变成 {vocab}，即词表之外的下一个，这样填充不会受罚。",
    "microscope.op.penalty.padding.none": "左侧的填充会在这里略去；这一行没有填充。",
    "microscope.op.penalty.clamp": "到目前为止的文本，共 {n} 个 id，包括提示词；其中 {n_tokens} 个不同。分数中没有的 "
    "id 会变成 {vocab}。",
    "microscope.op.penalty.pad": "多加一列，编号 {vocab}，接收不属于任何词元的东西。",
    "microscope.op.penalty.gather.input_ids": "到目前为止的文本（包括提示词）中 {n} 个 id 各自的分数。出现两次的词元"
    "给出两次同样的分数。",
    "microscope.op.penalty.gather.encoder_input_ids": "输入中 {n} 个 id 各自的分数。",
    "microscope.op.penalty.lt": "负数标为 True：共 {n_true} 个。",
    "microscope.op.penalty.where": "负的分数乘以 {penalty}，其余除以它：惩罚大于 1 时两者都变小。",
    "microscope.op.penalty.scatter": "回到词元 id。有新分数的：{n_changed}。在文本中出现两次的词元也只罚一次。",
    "microscope.op.penalty.cut": "去掉多加的一列：又是 {vocab} 个分数。",
    # -- diverse beam search
    "microscope.op.hamming.first": "第一组不受罚：这一步在它之前没有束做过选择。",
    "microscope.op.hamming.count": "前面各组的 {n} 个束中，有几个在这一步选了各个词元。",
    "microscope.op.hamming.sub": "每一次这样的选择要付出 {penalty}。",
    # -- bans and forced tokens
    "microscope.op.ban.isin": "列表中的词元标为 True：共 {n_true} 个。",
    "microscope.op.ban.idle": "文本是这个长度时不起作用：分数原样通过。",
    "microscope.op.force.full": "一切变成 −∞……",
    "microscope.op.force.put": "……只有强制的词元（{n} 个）得到 0。",
    "microscope.op.invalid.where": "符合条件的地方填入 {value}：{n_true} 处。",
    # -- not taken apart
    "microscope.op.one_step": "{n} 个分数中，移除 {n_removed} 个，升高 {n_raised} 个，降低 {n_lowered} 个；从 −∞ 回来"
    " {n_revived} 个。",
    "microscope.op.one_step.idle": "在这一步，{n} 个分数一个也没有改变。",
    "microscope.op.one_step.size": "它把 {n_before} 个分数变成了 {n_after} 个。",
    # -- the choice
    "microscope.op.argmax": "最高分是“{best_token}”的 {best}；其次是 {second}。",
    "microscope.op.select.softmax": "分数变成加起来等于 1 的概率。大于 0 的：{n_alive} 个。",
    "microscope.op.multinomial": "按这些概率抽取一个词元：“{drawn_token}”，它的概率是 {p}。",
    "microscope.op.multinomial.open": "按这些概率抽取一个词元。",
    "microscope.op.contrastive.topk": "最可能的 {k} 个是候选。",
    "microscope.op.contrastive.penalty": "对每个候选，取它的隐藏状态与文本各处隐藏状态的最大余弦相似度。隐藏状态没有"
    "记录；这里是记录下来的结果。",
    "microscope.op.contrastive.score": "把握占 {rest}，与前文的相似占 {alpha}。",
    "microscope.op.contrastive.max": "最好的在位置 {place}：“{best_token}”。",
    # -- the beam step
    "microscope.op.beam.unflatten": "{beams} 个束的分数合成一块：束 × {vocab} 个词元。",
    "microscope.op.beam.add": "把每个束到目前为止的总和，加到它所有续写的对数概率上。",
    "microscope.op.beam.add.first": "把每个束到目前为止的总和加到它的续写上。起初所有束都是同一条提示词，所以只有第一"
    "个算数：其余从 −1e9 开始。",
    "microscope.op.beam.flatten": "{beams} 个束的全部续写排成一行：共 {n} 个，当作一个列表来比较。",
    "microscope.op.beam.topk": "其中最好的 {k} 个，每个束 {times} 个，这样即使有的结束，也还够用。topk_indices 说明每"
    "个原来在哪里。",
    "microscope.op.beam.multinomial": "束采样不取最好的，而是抽取 {k} 个不同的。这里是记录下来的抽取：用的是这次运行"
    "的随机数。",
    "microscope.op.beam.gather": "它们的总和。",
    "microscope.op.beam.parent": "位置除以 {vocab} 再向下取整，就是候选所接续的束的下标（从 0 数起）……",
    "microscope.op.beam.token": "……余数就是它的词元 id。",
    "microscope.op.beam.sequences": "每个候选接过它那个束的文本。这里显示其中最后一个词元；新的词元接在它后面。",
    "microscope.op.beam.ended": "在这里结束的候选（{n_ended} 个）得到 −1e9，这样它们不会继续。",
    "microscope.op.beam.kept": "没有结束的候选中，最好的 {beams} 个作为下一步的束继续。",
    "microscope.op.beam.kept.over": "它们全都在这里结束，所以搜索到此为止。源代码仍照样取最好的。",
    "microscope.op.beam.next": "它们的总和就是下一步的累计分数。",
    "microscope.op.beam.next.over": "它们的总和，之后不再使用。",
}
