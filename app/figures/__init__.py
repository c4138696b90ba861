"""Figures: from a view's rows to a Plotly figure, one chart a file.

How to add a chart:

1. `app/views/<chart>.py`: a frozen dataclass of plain rows and the function that makes it from a trace. It
   imports no plotly. Test its values.
2. `app/figures/<chart>.py`: a function from that view (and the page's `Text`) to a figure in plotly's schema, a
   plain dict. It sees no trace and no tokenizer: labels are text already, and pass through `escaped`, because
   Plotly reads `<b>` and `&amp;` in its texts. Colours come from `app.palette.LIGHT`, by their meaning; the page swaps
   them for the dark ones. Start from `app.figures.layout`. Test the numbers in `go.Figure(figure).data`, which
   checks the schema as well.
3. `app/sheets/<chart>.py`: title, sentence, table and figure together, as one `Sheet`; texts in `app/text/`.
4. `app/page/layout.py`: place a `Chart` component; `app/handlers/shown.py`: say when it is drawn.
"""
