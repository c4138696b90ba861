"""Sheets: what the page says of a look, in one language, as plain values; a component sends them as JSON.

A `Sheet` is what a `Chart` shows: title, one sentence in words, figure, table. So no chart is without its words and
its table.
"""
