"""Sheets: a chart with everything that belongs to it, in one language.

A `Sheet` is what a `Chart` component shows: title, one sentence in words, figure, table. So no chart is
without its words and its table.
"""
