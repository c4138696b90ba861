"""What the library says of other engines' settings, in Chinese: by its English template, as in `errors.py`."""

from __future__ import annotations

__all__ = ["PRESETS_SAID_ZH"]

_READING: dict[str, str] = {
    "a preset must be a text, got {kind}": "预设须为文本，得到的是 {kind}",
    "the preset has {n:,} characters, and at most {most:,} are read; paste the settings alone":
        "预设有 {n} 个字符，最多读取 {most} 个；请只粘贴设置",
    "the preset is empty; paste a request, a preset or a Modelfile": "预设是空的；请粘贴请求、预设或 Modelfile",
    "the preset has {n} keys, and at most {most} are read": "预设有 {n} 个键，最多读取 {most} 个",
    "the preset is more than {most} objects and lists deep; paste the settings alone":
        "预设的对象和列表嵌套超过 {most} 层；请只粘贴设置",
    "this is no whole JSON: {why} in line {line}, column {column}":
        "这不是完整的 JSON：第 {line} 行第 {column} 列，{why}",
    "this is no JSON: it has a number that is too long": "这不是 JSON：其中有一个数过长",
    "a preset must be keys and values, got {kind}; paste a request, a preset or a Modelfile":
        "预设须由键和值组成，得到的是{kind}；请粘贴请求、预设或 Modelfile",
    "a list": "列表",
    "nothing": "空值",
    "the preset's YAML has an anchor or alias (& or *), which is not read; write it out":
        "预设的 YAML 中有锚点或别名（& 或 *），不予读取；请完整写出",
    "the preset's YAML has a tag (!), which is not read; write plain values":
        "预设的 YAML 中有标签（!），不予读取；请写普通的值",
    "this is neither JSON, YAML, a Modelfile nor SamplingParams(…): {why} in line {line}":
        "这不是 JSON、YAML、Modelfile，也不是 SamplingParams(…)：第 {line} 行，{why}",
    "the preset's YAML has a date or a number that cannot be read": "预设的 YAML 中有无法读取的日期或数",
    "SamplingParams(…) can be read where all of its arguments are named and plain values":
        "SamplingParams(…) 的所有参数都有名称且为普通的值时才能读取",
    "the engine must be one of {names}, got {name}": "引擎须为 {names} 之一，得到的是 {name}",
    "these settings cannot go together: {why}": "这些设置不能同时使用：{why}",
    "a number": "数",
    "a whole number": "整数",
    "true or false": " true 或 false",
    "a text or a list of texts": "文本或文本的列表",
    "any value": "任意的值",
}

_TOLD: dict[str, str] = {
    "it must be {kind}": "须为{kind}",
    "it stands here twice, and the last one counts": "它出现了两次，以最后一次为准",
    "{title} knows no such key, as far as we know": "就我们所知，{title} 没有这个键",
    "there is no such setting here": "这里没有这个设置",
    "there is no such setting there": "那里没有这个设置",
    "it says what is asked, not how it is decoded": "它说的是问什么，不是怎样解码",
    "it says what the answer brings along, not how it is decoded": "它说的是回答附带什么，不是怎样解码",
    "it is about memory and speed, not about what is decoded": "它关系到内存和速度，不关系到解码出什么",
    "it takes the most likely token there, which is do_sample=False here":
        "那里取最可能的词元，在这里就是 do_sample=False",
    "{window} is {n} there, which switches it off": "那里 {window} 是 {n}，它因此关闭",
    "the penalty looks at the last {n} tokens there, and here at all of them, the prompt among them":
        "那里的惩罚只看最后 {n} 个词元，这里看全部词元，包括提示词",
    "{other} comes first there": "那里以 {other} 为准",
    "it goes on until the model ends there; here max_new_tokens says how many come at most":
        "那里一直生成到模型结束；这里由 max_new_tokens 规定最多多少个",
    "another generator of random numbers draws there: the same seed gives other tokens here":
        "那里用另一种随机数生成器抽取：同样的种子在这里得到别的词元",
    "another generator of random numbers draws there: the same seed gives other tokens":
        "那里用另一种随机数生成器抽取：同样的种子得到别的词元",
    "the answer ends before this text there, and here with it": "那里的回答在这段文字之前结束，这里包含它",
    "only token ids and numbers are read of it: a text biases each of its tokens there":
        "只读取词元 id 和数：文本在那里会偏置它的每个词元",
    "it must be token ids parted by commas": "须为以逗号分隔的词元 id",
    "the first version of mirostat is another method": "mirostat 第一版是另一种方法",
    "mirostat takes the place of every other cut there": "那里 mirostat 取代了其他所有截断",
    "it does nothing while {whole} is off": "{whole} 关闭时它不起作用",
    "{order} leaves it out": "{order} 中没有它",
    "they act in the order {there} there, and in the order {ours} here: other tokens can be left":
        "那里的次序是 {there}，这里的次序是 {ours}：留下的词元可能不同",
    "it bans the end tokens there; here min_new_tokens does, up to max_new_tokens, where that is given":
        "它在那里禁止结束词元；这里给出 max_new_tokens 时，min_new_tokens 在此长度之前做同样的事",
    "how many tokens a sampler leaves at least cannot be set here: it is 1, and 2 with beams":
        "采样器至少留下多少词元在这里不能设置：是 1 个，用束时是 2 个",
    "it ends at a line's end once the time is over; max_time here ends at once, and counts the prompt":
        "那里时间到后在行末结束；这里的 max_time 立刻结束，并且计入提示词的时间",
    "adapters are loaded with the model": "适配器与模型一起加载",
    "llama.cpp's GBNF there; the grammar here is read by another library, whose notation is nearly the same":
        "那里是 llama.cpp 的 GBNF；这里由另一个库读取语法，其写法几乎相同",
    "an answer out of a list has no setting here; a regex of the texts, parted by |, comes to the same":
        "这里没有从列表中选答案的设置；用 | 分隔这些文本的正则表达式效果相同",
    "eos_token_id here takes the place of the model's own end tokens: give these there, and the model's own":
        "这里的 eos_token_id 会取代模型自己的结束词元：请在那里给出这些以及模型自己的",
    "more answers are made there than are given back; here num_return_sequences gives all":
        "那里生成的回答多于返回的；这里 num_return_sequences 全部返回",
    "it goes on after an end token there; here min_new_tokens bans end tokens, which is not the same":
        "那里在结束词元之后继续；这里 min_new_tokens 禁止结束词元，两者不同",
    "its watermark is another one": "它的水印是另一种",
    "it is for extensions of vLLM": "它用于 vLLM 的扩展",
    "it is code; a recording of your own generate() takes processors of your own":
        "它是代码；记录自己的 generate() 时可以用自己的处理器",
    "it forces the answer; a fork does so here": "它强制给出回答；这里用分叉来做",
    "it is raised to {coldest} there": "那里会把它提高到 {coldest}",
    "how its beam search scores and ends differs in details": "那里的束搜索在计分和结束的细节上不同",
    "beam search draws nothing": "束搜索不抽取",
    "as many tokens as there is room for come there; here max_new_tokens says how many":
        "那里有多少空间就生成多少词元；这里由 max_new_tokens 规定",
    "the temperature lies between dynatemp_low and dynatemp_high there; here it is their middle ± dynatemp_range":
        "那里温度在 dynatemp_low 与 dynatemp_high 之间；这里是它们的中点 ± dynatemp_range",
    "the temperature comes first here: other tokens can be left": "这里温度在最前：留下的词元可能不同",
}

_WRITING: dict[str, str] = {
    "a seed is at most {most} there": "那里的种子不能超过 {most}",
    "only single token ids can be given there: texts and longer sequences are left out":
        "那里只能给单个词元 id：文本和更长的序列被略去",
    "an infinite bias that forces a token cannot be said there": "那里不能写强制某词元的无穷偏置",
    "only token ids can be given there: texts are left out": "那里只能给词元 id：文本被略去",
    "only texts can be given there: token ids are left out": "那里只能给文本：词元 id 被略去",
    "greedy decoding is the nearest to it there": "那里最接近的是贪心解码",
    "all {n} beams are given back there": "那里返回全部 {n} 个束",
    "single token ids with a bias from -100 to 100 can be given there: others are left out":
        "那里只能给偏置在 -100 到 100 之间的单个词元 id：其他的被略去",
    "it is repetition_penalty_range there, which the penalty has, too":
        "那里是 repetition_penalty_range，重复惩罚也用它",
    "it is no part of a preset; set it beside it there": "它不属于预设；请在那里另行设置",
}

PRESETS_SAID_ZH: dict[str, str] = {**_READING, **_TOLD, **_WRITING}
