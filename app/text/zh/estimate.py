"""What a run will take, in Chinese."""

ESTIMATE_ZH: dict[str, str] = {
    "estimate.takes": "≤ {tokens} 个词元 × {rows} × {vocab} 个分数 ≈ {size}",
    "estimate.row": "1 行",
    "estimate.rows": "{n} 行",
    "estimate.memory": "全部在内存中",
    "estimate.disk": "内存中 {kept}，其余在磁盘上",
    "estimate.time": "≈ {time}",
    "estimate.unknown": "加载该模型后才知道运行需要多少资源。",
    "estimate.tip": "按“运行”将记录的内容：每一步、每一行（一个回答或一条束）都记录词表中每个词元的分数。"
    "遇到结束词元可能会更短。"
    "大小和时间是估计值：按该模型上一次运行的大小和速度计算。",
}
