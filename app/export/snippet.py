"""A run as code to copy: a `generate()` call, or a call of this library's `record`.

The code holds only parameters that can have had an effect and differ from the default. With the same versions, on the
same kind of device, it gives the very same tokens (a seed draws the same from torch's own generator as from the
recorder's), unless there are `doubts`, which it says itself. Everything in a trace is a stranger's: texts and names get
into the code as literals and nothing else.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from decoding.constraints.of_settings import CONSTRAINT_CLASSES
from decoding.errors import shown
from decoding.models.load import HUB_ID_OF_DEFAULT
from decoding.samplers.chain import CLASSES, Plan, planned

from .recipe import Recipe, recipe_of

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["DOUBTS", "doubts", "generate_snippet", "literal", "record_snippet", "snippet_of"]

WIDTH = 100  # columns
DTYPES = ("float32", "bfloat16", "float16", "float64")
RETIRED = {"contrastive_search": "contrastive search", "group_beam_search": "diverse beam search"}
INTERRUPTED = {
    "user": "It was stopped by hand", "error": "It broke off", "running": "It was still going on",
    "max_time": "max_time ended it",
}  # fmt: skip


def generate_snippet(run: Trace | Recipe, *, model: str | None = None) -> str:
    """Python code with a `generate()` call that gives the run's tokens; `output` holds them.

    Args:
        run: a trace, or what a run is to be made from.
        model: a Hub id or directory to load instead of the one that the run names.

    Raises:
        NotRecordedError: what the run started from is not in the trace.
    """
    return _generate(_recipe(run), model, recorded=False)


def record_snippet(run: Trace | Recipe, *, model: str | None = None) -> str:
    """Python code that records the run again with this library; `trace` holds it. See `generate_snippet`."""
    recipe = _recipe(run)
    if recipe.settings is None:
        return _generate(recipe, model, recorded=True)
    name, comments = _library_name(recipe, model)
    prompt = _library_prompt(recipe)
    settings = recipe.settings.given()
    if "watermarking_config" in settings:
        settings["watermarking_config"] = dict(settings["watermarking_config"])
    lines = [
        *_head(recipe),
        "from decoding import Settings, load_model, record",
        "",
        *comments,
        f"lm = load_model({', '.join([literal(name), *_library_options(recipe, model)])})",
        *_assigned("prompt", prompt),
        *_call("settings = Settings", [f"{name}={literal(value)}" for name, value in settings.items()]),
        "trace = record(lm, prompt, settings)",
        *_answers(recipe),
    ]
    return "\n".join(lines) + "\n"


DOUBTS = ("weights", "unseeded", "reused", "interrupted", "own")


def doubts(run: Trace | Recipe, style: str = "generate") -> tuple[str, ...]:
    """Why the code in this style may give other tokens than the run: some of `DOUBTS`; none where it cannot."""
    recipe = _recipe(run)
    by_the_library = style == "record" and recipe.settings is not None
    found = {
        "weights": recipe.model.source == "package" and not by_the_library,
        "unseeded": recipe.draws and recipe.seed is None,
        "reused": recipe.reuses_prefix,
        "interrupted": recipe.interrupted is not None,
        "own": bool(recipe.own),
    }
    return tuple(name for name in DOUBTS if found[name])


def snippet_of(run: Trace | Recipe, style: str = "generate", *, model: str | None = None) -> str:
    """The code in one of the two styles, `generate` or `record`."""
    return (record_snippet if style == "record" else generate_snippet)(run, model=model)


def _recipe(run: Trace | Recipe) -> Recipe:
    return run if isinstance(run, Recipe) else recipe_of(run)


# --- the generate() call ----------------------------------------------------------------------------------


def _generate(recipe: Recipe, model: str | None, *, recorded: bool) -> str:
    own_loop = recorded or recipe.mode in RETIRED
    parts = [
        _head(recipe),
        [*_imports(recipe, own_loop), ""],
        [*_loading(recipe, model), ""],
        [*_inputs(recipe), ""],
        _samplers(recipe),
        _seeding(recipe) if not recorded else [],
        _loop_made(recipe) if recorded else [],
        _constraint(recipe),
        _call("output = model.generate", [*_arguments(recipe, own_loop), *_loop_argument(recipe, recorded)]),
        ["trace = recorder.trace"] if recorded else [],
        _printing(recipe),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(recipe: Recipe) -> list[str]:
    model, notes = recipe.model, []
    notes.append(f"Made from a run with transformers {_plain(model.transformers_version)} and torch "
                 f"{_plain(model.torch_version)}, on {_device(recipe)} in {_plain(model.dtype)}.")  # fmt: skip
    said = {
        "unseeded": "It drew from torch's global random state, without a seed: this code draws other tokens.",
        "reused": "Its prefix was not computed again: last bits of the scores can differ here, and so can a token.",
        "interrupted": f"{INTERRUPTED.get(recipe.interrupted)} after {recipe.n_steps} steps; this code may go on "
        "longer.",
        "own": "It used processors or stopping criteria of its own, which have to be added: "
        f"{', '.join(map(_plain, recipe.own))}.",
    }  # what is to be said of the weights stands where they are loaded
    notes += [said[doubt] for doubt in doubts(recipe) if doubt in said]
    return [line for note in notes for line in _comment(note)]


def _imports(recipe: Recipe, own_loop: bool) -> list[str]:
    names = [_auto_class(recipe), "AutoTokenizer"]
    if "watermarking_config" in recipe.parameters:
        names.append(_watermark_class(recipe.parameters["watermarking_config"]))
    if own_loop and "stop_strings" in recipe.parameters:
        names.append("StopStringCriteria")
    kinds = {kind for kind, _ in _plan(recipe).calls}
    names += [kind.__name__ for kind in kinds if not _is_ours(kind)]
    ours = sorted(kind.__name__ for kind in kinds if _is_ours(kind))
    own = ["from decoding import Recorder"] if own_loop else []
    own += [f"from decoding.samplers import {', '.join(ours)}"] if ours else []
    lines = ["import torch", f"from transformers import {', '.join(sorted(names))}"]
    own += [f"from decoding.constraints import {kind.__name__}" for _, kind in _constraint_of(recipe)]
    return [*lines, "", *own] if own else lines


def _plan(recipe: Recipe) -> Plan:
    """What other engines' samplers make of the parameters."""
    return planned(recipe.parameters, recipe.defaults)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("decoding.")


def _samplers(recipe: Recipe) -> list[str]:
    """The processors of other engines' samplers, and those of transformers that run among them, in order."""
    calls = _plan(recipe).calls
    if not calls:
        return []
    return ["samplers = [", *(line for kind, arguments in calls for line in _made(kind, arguments, recipe)), "]", ""]


def _made(kind: type, arguments: Mapping[str, Any], recipe: Recipe) -> list[str]:
    said = [f"{name}={literal(value)}" for name, value in arguments.items()]
    if kind is CLASSES["dry_multiplier"]:
        said += ["tokenizer=tokenizer", *(["pad_token_id=tokenizer.pad_token_id"] if recipe.padded else [])]
    if kind is CLASSES["xtc_probability"] and recipe.chance_seed is not None:
        said.append(f"seed={literal(recipe.chance_seed)}")
    return [f"    {line}" for line in _call(kind.__name__, said, after=",")]


def _loading(recipe: Recipe, model: str | None) -> list[str]:
    name, comments = _hub_name(recipe, model)
    revision = recipe.model.revision if recipe.model.source == "hub" and model is None else None
    options = [] if revision is None else [f"revision={literal(revision)}"]
    dtype = [f"dtype=torch.{recipe.model.dtype}"] if recipe.model.dtype in DTYPES else []
    place = "" if _device(recipe) == "cpu" else f".to({literal(_device(recipe))})"
    left = recipe.n_prompts > 1 and not recipe.model.is_encoder_decoder and recipe.inputs is None
    padding = ['padding_side="left"'] if left else []
    lines = [
        *comments,
        f"model_name = {literal(name)}",
        f"tokenizer = AutoTokenizer.from_pretrained({', '.join(['model_name', *options, *padding])})",
    ]
    if recipe.n_prompts > 1 and recipe.inputs is None:
        lines.append("tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token")
    loaded = f"model = {_auto_class(recipe)}.from_pretrained({', '.join(['model_name', *options, *dtype])})"
    return [*lines, loaded + place]


def _hub_name(recipe: Recipe, model: str | None) -> tuple[str, list[str]]:
    """The name to load, and what is to be said of it."""
    if model is not None:
        return model, []
    match recipe.model.source:
        case "hub":
            return recipe.model.name, []
        case "package":
            return HUB_ID_OF_DEFAULT, [
                *_comment(
                    "The run used the offline copy of this model, whose weights are packed into 4 bits: tokens can "
                    "differ from those that the Hub's finer weights give. With this library, the very same ones are"
                ),
                f"#     lm = load_model({literal(recipe.model.name)}); model, tokenizer = lm.model, lm.tokenizer",
            ]
        case "directory":
            return recipe.model.name, _comment("The directory that the model was loaded from: put its whole path here.")
    return recipe.model.name, _comment(
        f"The run recorded a caller's own {_plain(recipe.model.class_name)}, of which only the class is known: put its "
        "Hub id or directory here."
    )


def _inputs(recipe: Recipe) -> list[str]:
    to = "" if _device(recipe) == "cpu" else ".to(model.device)"
    many = recipe.n_prompts > 1
    padding = ["padding=True"] if many else []
    if recipe.inputs is not None:
        lines = ["inputs = {"]
        for name, rows in recipe.inputs.items():
            lines += _indented(f"{literal(name)}: torch.tensor({literal(rows)}){to},")
        lines.append("}")
    elif recipe.chats is not None:
        chats = [[dict(message) for message in chat] for chat in recipe.chats]
        options = ["add_generation_prompt=True", *padding, "return_dict=True", 'return_tensors="pt"']
        lines = _assigned("messages", chats if many else chats[0])
        lines += _call("inputs = tokenizer.apply_chat_template", ["messages", *options], after=to)
    else:
        texts = list(recipe.texts or ())
        lines = _assigned("prompt", texts if many else texts[0])
        lines += _call("inputs = tokenizer", ["prompt", *padding, 'return_tensors="pt"'], after=to)
    if recipe.negative_prompt is not None:
        times = f" * {recipe.n_prompts}" if many else ""
        lines += _assigned("negative_prompt", recipe.negative_prompt)
        lines.append(f'negative = tokenizer([negative_prompt]{times}, return_tensors="pt"){to}')
    return lines


def _seeding(recipe: Recipe) -> list[str]:
    return [f"torch.manual_seed({literal(recipe.seed)})"] if recipe.draws and recipe.seed is not None else []


def _constraint_of(recipe: Recipe) -> list[tuple[str, type]]:
    """The parameter and the class of the run's constraint, as a list of one, or of none."""
    return [(name, kind) for name, kind in CONSTRAINT_CLASSES.items() if name in recipe.parameters]


def _constraint(recipe: Recipe) -> list[str]:
    lines = []
    for name, kind in _constraint_of(recipe):
        given = recipe.parameters
        ends = literal(given["eos_token_id"]) if "eos_token_id" in given else "model.generation_config.eos_token_id"
        beams = [f"num_beams={literal(given['num_beams'])}"] if given.get("num_beams", 1) > 1 else []
        start = [] if recipe.constraint_start is None else [f"start={literal(recipe.constraint_start)}"]
        lines += _assigned(name, given[name])
        lines += _call(f"constraint = {kind.__name__}", [name, "tokenizer", f"eos_token_id={ends}", *beams, *start])
    return lines


def _loop_made(recipe: Recipe) -> list[str]:
    seed = [f"seed={literal(recipe.seed)}"] if recipe.draws and recipe.seed is not None else []
    return [f"recorder = Recorder({', '.join(['tokenizer=tokenizer', *seed])})"]


def _loop_argument(recipe: Recipe, recorded: bool) -> list[str]:
    if recorded:
        return ["custom_generate=recorder"]
    if recipe.mode not in RETIRED:
        return []
    return [f"custom_generate=Recorder(),  # transformers 5 no longer ships {RETIRED[recipe.mode]}"]


def _arguments(recipe: Recipe, own_loop: bool) -> list[str]:
    out = ["**inputs"]
    plan = _plan(recipe)
    for name, value in plan.given_to_generate(recipe.parameters).items():
        if name in CONSTRAINT_CLASSES:
            continue  # a processor, see below
        if name == "watermarking_config":
            arguments = ", ".join(f"{key}={literal(argument)}" for key, argument in value.items())
            out.append(f"{name}={_watermark_class(value)}({arguments})")
        elif name == "stop_strings" and own_loop:  # generate() does not hand its tokenizer on to another loop
            out.append(f"stopping_criteria=[StopStringCriteria(tokenizer, {literal(value)})]")
        else:
            out.append(f"{name}={literal(value)}")
    out += _processors(recipe)
    if "stop_strings" in recipe.parameters and not own_loop:
        out.append("tokenizer=tokenizer")
    if recipe.negative_prompt is not None:
        out += ["negative_prompt_ids=negative.input_ids", "negative_prompt_attention_mask=negative.attention_mask"]
    return out


def _processors(recipe: Recipe) -> list[str]:
    """The argument for what is made of settings that `generate()` does not know, the constraint first."""
    if not _constraint_of(recipe):
        return ["logits_processor=samplers"] if _plan(recipe).calls else []
    return ["logits_processor=[constraint, *samplers]" if _plan(recipe).calls else "logits_processor=[constraint]"]


def _printing(recipe: Recipe) -> list[str]:
    return ["for text in tokenizer.batch_decode(output, skip_special_tokens=True):", "    print(text)"]


def _auto_class(recipe: Recipe) -> str:
    return "AutoModelForSeq2SeqLM" if recipe.model.is_encoder_decoder else "AutoModelForCausalLM"


def _watermark_class(arguments: Mapping[str, Any]) -> str:
    of_synth_id = "ngram_len" in arguments or "keys" in arguments
    return "SynthIDTextWatermarkingConfig" if of_synth_id else "WatermarkingConfig"


def _device(recipe: Recipe) -> str:
    kind = recipe.model.device.partition(":")[0]
    return kind if kind in ("cuda", "mps") else "cpu"


# --- the library's call -----------------------------------------------------------------------------------


def _library_name(recipe: Recipe, model: str | None) -> tuple[str, list[str]]:
    if model is not None or recipe.model.source == "package":
        return model or recipe.model.name, []
    return _hub_name(recipe, None)


def _library_options(recipe: Recipe, model: str | None) -> list[str]:
    """The device always: on another one other tokens are drawn."""
    options = [f"device={literal(_device(recipe))}"]
    if recipe.model.dtype in DTYPES and not (recipe.model.dtype == "float32" and _device(recipe) == "cpu"):
        options.append(f"dtype={literal(recipe.model.dtype)}")
    if recipe.model.source == "hub" and recipe.model.revision is not None and model is None:
        options.append(f"revision={literal(recipe.model.revision)}")
    return options


def _library_prompt(recipe: Recipe) -> Any:
    if recipe.chats is not None:
        chats = [[dict(message) for message in chat] for chat in recipe.chats]
        return chats[0] if len(chats) == 1 else chats
    texts = list(recipe.texts or ())
    return texts[0] if len(texts) == 1 else texts


def _answers(recipe: Recipe) -> list[str]:
    if recipe.n_prompts == 1 and (recipe.settings.num_return_sequences or 1) == 1:
        return ["print(trace.text())"]
    return ["for row in range(len(trace.sequences)):", "    print(trace.text(row))"]


# --- writing Python ---------------------------------------------------------------------------------------


def literal(value: Any) -> str:
    """The value as a Python expression that has no effect but the value: texts, numbers, lists and dicts of them.

    Raises:
        TypeError: it is something else.
    """
    if value is None or type(value) in (bool, int):
        return repr(value)
    if type(value) is float:
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, str):
        return _quoted(str(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{type(value).__name__} cannot be written as a literal")


def _quoted(text: str) -> str:
    """Python's own literal, which escapes all that does not print, in double quotes where that changes nothing."""
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written and "\\'" not in written else written


def _assigned(name: str, value: Any) -> list[str]:
    """An assignment, over several lines where it is long."""
    line = f"{name} = {literal(value)}"
    if len(line) <= WIDTH:
        return [line]
    if isinstance(value, str) and "\n" in value[:-1]:
        pieces = value.splitlines(keepends=True)
        return [f"{name} = (", *(f"    {literal(piece)}" for piece in pieces), ")"]
    if isinstance(value, list):
        return [f"{name} = [", *(f"    {literal(item)}," for item in value), "]"]
    return [line]


def _call(function: str, arguments: list[str], after: str = "") -> list[str]:
    """A call, with an argument a line where it is long or one is commented."""
    line = f"{function}({', '.join(arguments)}){after}"
    if len(line) <= WIDTH and not any(argument.startswith("custom_generate=Recorder()") for argument in arguments):
        return [line]
    return [f"{function}(", *(_ended(argument) for argument in arguments), f"){after}"]


def _ended(argument: str) -> str:
    return f"    {argument}" if argument.startswith("custom_generate=Recorder()") else f"    {argument},"


def _indented(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, initial_indent="    ", subsequent_indent="        ", break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip


def _comment(words: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _plain(name: str) -> str:
    """A version or class name of a trace; nothing that could end a comment."""
    return name if re.fullmatch(r"[\w.+-]{1,64}", name) else shown(name)
