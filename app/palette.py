"""The page's colours and Gradio theme: one palette, with one meaning per colour in every view.

The hues are Okabe and Ito's, darkened where they carry text (contrast at least 4.5 : 1 on the page). A
figure is built with the light palette's hex values; the page swaps exactly those values for the dark
palette's, so a figure is right on its own, too.
"""

from __future__ import annotations

import inspect
import json

from gradio.themes import Base, Size
from gradio.themes.utils import colors, sizes

from decoding.parameters.knobs import PARAMETER_OF, PROCESSOR_OF

__all__ = [
    "DARK",
    "FONT",
    "LIGHT",
    "colour_name",
    "palette_css",
    "palette_script",
    "rule_colour",
    "stage_colour",
    "theme",
]

FONT = (
    "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Noto Sans CJK SC",
    "PingFang SC", "Microsoft YaHei", "sans-serif",
)  # fmt: skip
MONO = (
    "ui-monospace",
    "SFMono-Regular",
    "Menlo",
    "Consolas",
    "DejaVu Sans Mono",
    "Noto Sans Mono",
    "monospace",
)

# By parameter the colours of what its rule removes, light and dark.
_RULES = {name: processor.colours for name, processor in PROCESSOR_OF.items() if processor.colours}

LIGHT: dict[str, str] = {
    "page": "#f5f6f7",
    "surface": "#ffffff",
    "raised": "#eef1f4",
    "line": "#dfe3e8",
    "ink": "#1b2026",
    "muted": "#56606b",
    "faint": "#646d77",  # removed in place: greyed, and still readable
    "accent": "#0067a3",
    "accent_ink": "#fefefe",  # text on the accent
    "alive": "#a8d2ee",  # bars of tokens that are still possible
    "alive_line": "#0072b2",
    "removed": "#d9dde2",
    "chosen": "#b94a00",
    "chosen_fill": "#f6b78a",
    "chosen_band": "#fdf0e6",
    "unsure": "#f2b632",  # the token row's marker pen: the stronger, the less sure the model was
    "good": "#00704f",
    "bad": "#b3261e",
    **{name: light for name, (light, _) in _RULES.items()},
    "other_rule": "#3f4750",
}

DARK: dict[str, str] = {
    "page": "#101317",
    "surface": "#181c21",
    "raised": "#22272e",
    "line": "#2f363e",
    "ink": "#e7eaee",
    "muted": "#a9b2bd",
    "faint": "#8c96a2",
    "accent": "#5fb0e5",
    "accent_ink": "#0c1014",
    "alive": "#1d5580",
    "alive_line": "#62b1e6",
    "removed": "#343b43",
    "chosen": "#ff9a57",
    "chosen_fill": "#9a4a14",
    "chosen_band": "#2a2019",
    "unsure": "#8a6206",
    "good": "#4cc79b",
    "bad": "#ff8a80",
    **{name: dark for name, (_, dark) in _RULES.items()},
    "other_rule": "#c3cad2",
}

def colour_name(stage_name: str) -> str:
    """The palette's name for "removed by this stage"."""
    parameter = PARAMETER_OF.get(stage_name, "")
    return parameter if parameter in _RULES else "other_rule"


def stage_colour(stage_name: str) -> str:
    """The light palette's hex value that stands for "removed by this stage" wherever it is drawn."""
    return LIGHT[colour_name(stage_name)]


def rule_colour(parameter: str) -> str:
    """The same, by the parameter behind the stage."""
    return LIGHT.get(parameter, LIGHT["other_rule"])


def palette_css() -> str:
    """CSS custom properties `--dx-…` for both schemes; Gradio marks the dark one with `.dark` on the body."""
    light = "".join(f"--dx-{name.replace('_', '-')}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--dx-{name.replace('_', '-')}:{value};" for name, value in DARK.items())
    fonts = f"--dx-font:{_css_fonts(FONT)};--dx-mono:{_css_fonts(MONO)};"
    return f":root{{{fonts}{light}}}\n:root:has(body.dark),.dark{{{dark}}}\n"


def palette_script() -> str:
    """A script that tells the page which dark colour stands for which light one in figures."""
    swap = {LIGHT[name]: DARK[name] for name in LIGHT}
    return f"<script>window.dxDark = {json.dumps(swap)};</script>"


def theme() -> Base:
    """The Gradio theme: the palette above on Gradio's own controls, system fonts, small radii."""
    tight = Size(name="dx", xxs="2px", xs="3px", sm="4px", md="6px", lg="8px", xl="10px", xxl="12px")
    base = Base(
        primary_hue=colors.blue,
        neutral_hue=colors.slate,
        font=FONT,
        font_mono=MONO,
        radius_size=tight,
        spacing_size=sizes.spacing_sm,
        text_size=sizes.text_sm,
    )
    roles = {
        "body_background_fill": "page",
        "body_text_color": "ink",
        "body_text_color_subdued": "muted",
        "background_fill_primary": "surface",
        "background_fill_secondary": "raised",
        "border_color_primary": "line",
        "border_color_accent": "accent",
        "color_accent": "accent",
        "color_accent_soft": "raised",
        "link_text_color": "accent",
        "block_background_fill": "surface",
        "block_border_color": "line",
        "block_label_text_color": "muted",
        "block_title_text_color": "muted",
        "block_info_text_color": "muted",
        "input_background_fill": "surface",
        "input_border_color": "line",
        "input_border_color_focus": "accent",
        "input_placeholder_color": "faint",
        "button_primary_background_fill": "accent",
        "button_primary_background_fill_hover": "accent",
        "button_primary_text_color": "accent_ink",
        "button_primary_border_color": "accent",
        "button_secondary_background_fill": "raised",
        "button_secondary_background_fill_hover": "line",
        "button_secondary_text_color": "ink",
        "button_secondary_border_color": "line",
    }
    # A custom property follows the scheme by itself; naming it for the dark one, too, keeps Gradio's
    # own dark default out.
    has_dark = inspect.signature(base.set).parameters
    values: dict[str, str] = {}
    for role, name in roles.items():
        values[role] = f"var(--dx-{name.replace('_', '-')})"
        if f"{role}_dark" in has_dark:
            values[f"{role}_dark"] = values[role]
    return base.set(
        **values,
        block_shadow="none",
        block_shadow_dark="none",
        input_shadow="none",
        input_border_width="1px",
        input_border_width_dark="1px",
        block_border_width="0px",
        block_border_width_dark="0px",
    )


def _css_fonts(names: tuple[str, ...]) -> str:
    return ",".join(f'"{name}"' if " " in name else name for name in names)
