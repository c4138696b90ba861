"""Decoding Explorer's library: record a real `generate()` run completely, and look at it.

    from decoding import Recorder, Settings, load_model, record

    out = model.generate(**inputs, custom_generate=(rec := Recorder()))   # in your own code
    trace = record(load_model("smollm2-135m"), "The capital of France is", Settings(max_new_tokens=20))
"""

from decoding.errors import (
    DamagedStepError,
    DecodingError,
    EngineError,
    ModelError,
    NotRecordedError,
    PresetError,
    PromptError,
    RecordingError,
    ResponseError,
    SettingError,
    TraceFileError,
    VerifyError,
)
from decoding.models.load import LanguageModel, load_model
from decoding.parameters.settings import KNOBS, Knob, Settings
from decoding.partial.partial_trace import PartialTrace
from decoding.partial.response import load_response, open_response
from decoding.record import record, stream
from decoding.recorded.ledger import Candidate, Hypothesis
from decoding.recorded.run import ModelInfo, Step
from decoding.recorder import Recorder
from decoding.trace import Trace, load_trace
from decoding.verify import Verification, verify

__all__ = [
    "KNOBS",
    "Candidate",
    "DamagedStepError",
    "DecodingError",
    "EngineError",
    "Hypothesis",
    "Knob",
    "LanguageModel",
    "ModelError",
    "ModelInfo",
    "NotRecordedError",
    "PartialTrace",
    "PresetError",
    "PromptError",
    "Recorder",
    "RecordingError",
    "ResponseError",
    "SettingError",
    "Settings",
    "Step",
    "Trace",
    "TraceFileError",
    "Verification",
    "VerifyError",
    "load_model",
    "load_response",
    "load_trace",
    "open_response",
    "record",
    "stream",
    "verify",
]
