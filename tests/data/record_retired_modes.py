"""Writes down what transformers 4.46.3 returns for random cases of the modes that transformers 5 retired.

`retired_modes.json` next to this file was made so, in an environment of its own:

    pip install torch==2.13.0 transformers==4.46.3
    python tests/data/record_retired_modes.py tests/data/retired_modes.json

Cases and models come from `tests/retired_modes.py`; see there why both versions have the same weights. The
folder `tiny-llama-a` holds a model with cases of the same kind that were given to this project.

With `--cases N` more cases are made, for a check that is wider than what is worth keeping.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.retired_modes import ENCODER_DECODERS, KINDS, arguments_of, inputs_of, model_of, random_case  # noqa: E402


def answered(case: dict[str, Any], model: Any) -> dict[str, Any]:
    """The case with the new tokens and the scores that came out, or the error."""
    inputs, kwargs = inputs_of(case), arguments_of(case)
    try:
        out = model.generate(**inputs, **kwargs, return_dict_in_generate=True, output_scores=True)
    except (ValueError, RuntimeError, IndexError, TypeError) as err:
        return {**case, "error": f"{type(err).__name__}: {err}"}
    start = 1 if case["kind"] in ENCODER_DECODERS else inputs["input_ids"].shape[1]
    scores = out.get("sequences_scores")
    return {
        **case,
        "generated": out.sequences[:, start:].tolist(),
        "sequences_scores": None if scores is None else [float(f"{score:.7g}") for score in scores.tolist()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cases", type=int, default=14, help="per mode and model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    cases = []
    for kind in KINDS:
        model = model_of(kind)
        for family in ("diverse_beam", "contrastive"):
            for n in range(arguments.cases):
                cases.append(answered(random_case(random.Random(f"{family}-{kind}-{n}"), family, kind), model))
    by = f"transformers {transformers.__version__}, torch {torch.__version__}, cpu, float32"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    arguments.output.write_text(f'{{"generated_by":"{by}","cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
