"""The lab: what can be done with the step in view. Every tab is a module here with a function `sheet`.

`sheet(look, wish)` returns what the tab's script in `assets/js/lab_<tab>.js` draws, as plain JSON values; `wish` is
what the visitor asked for in the tab (`{}` at first): event data, which may be anything.
"""
