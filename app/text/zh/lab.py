"""The lab's frame and tabs, in Chinese."""

LAB_ZH: dict[str, str] = {
    "lab.title": "细看",
    "lab.label": "细看当前这一步",
    "lab.words": "用文字说明",
    "lab.words.tip": "这一步中每个处理器做了什么、为什么选中这个词元、第二名差多少",
    "lab.microscope": "显微镜",
    "lab.microscope.tip": "逐个查看某一阶段的张量运算，用的是这一步的真实数值",
    "lab.orders": "引擎顺序",
    "lab.orders.tip": "同一组 logits，按 transformers、vLLM、llama.cpp 以及你自己排定的采样器顺序处理",
    "lab.draw": "抽取",
    "lab.draw.tip": "把这个词元重新抽取 10、100 或 1,000 次",
    "lab.settings_map": "设置地图",
    "lab.settings_map.tip": "温度 × top_p：剩下多少词元、熵是多少、记录的词元是否保留",
    "lab.compare": "对比",
    "lab.compare.tip": "两次运行并排：在哪里分开，有什么不同",
}
