"""llama.cpp's own samplers through ctypes: against numbers worked out by hand, and with whatever may be passed."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError

import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.engines import llama_library
from decoding.engines.llama_cpp import PARAMETERS, Sampler, SamplerChain, Vocabulary, sampler
from decoding.engines.llama_library import TRIED, library, library_version, why_not
from decoding.errors import EngineError
from tests.engine import gguf_file, needs_llama_cpp

INF = math.inf
# Probabilities 1/2, 1/4, 1/8, 1/8, the last a little less, so that nothing is tied.
HALVES = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8 - 1e-4], dtype=torch.float64).log().float()


def applied(logits: torch.Tensor, *samplers: Sampler, accepted: tuple[int, ...] = ()):
    with SamplerChain(samplers, len(logits)) as chain:
        for token in accepted:
            chain.accept(token)
        return chain.apply(logits)


def left(logits: torch.Tensor, *samplers: Sampler) -> list[int]:
    return applied(logits, *samplers).survivors.nonzero().squeeze(1).tolist()


# --- what each sampler does, by hand --------------------------------------------------------------------------


@needs_llama_cpp
@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (sampler("top_k", k=1), [0]),
        (sampler("top_k", k=3), [0, 1, 2]),
        (sampler("top_k", k=0), [0, 1, 2, 3]),
        (sampler("top_k", k=9), [0, 1, 2, 3]),
        (sampler("top_p", p=0.0), [0]),
        (sampler("top_p", p=0.7), [0, 1]),  # 1/2 + 1/4 reaches it
        (sampler("top_p", p=0.76), [0, 1, 2]),
        (sampler("top_p", p=0.7, min_keep=3), [0, 1, 2]),
        (sampler("top_p", p=1.0), [0, 1, 2, 3]),
        (sampler("min_p", p=0.49), [0, 1]),  # of 1/2: 1/4 is half of it
        (sampler("min_p", p=0.51), [0]),
        (sampler("min_p", p=0.51, min_keep=2), [0, 1]),
        # Entropy 1.75 bits: 1/4 has 2 bits and is nearest, then 1/2 (0.75 off), then the eighths (1.25 off).
        (sampler("typical", p=0.2), [1]),
        (sampler("typical", p=0.7), [0, 1]),
        (sampler("xtc", p=1.0, t=0.2), [1, 2, 3]),  # two tokens reach 0.2: all but the least likely of them go
        (sampler("xtc", p=1.0, t=0.3), [0, 1, 2, 3]),
        (sampler("xtc", p=0.0, t=0.2), [0, 1, 2, 3]),
        # Logits ln of the probabilities: mean −1.559, deviation 0.574; the best is −0.693.
        (sampler("top_n_sigma", n=1.0), [0]),
        (sampler("top_n_sigma", n=1.3), [0, 1]),
        (sampler("top_n_sigma", n=-1.0), [0, 1, 2, 3]),
        (sampler("temp", t=0.0), [0]),
        (sampler("temp", t=2.0), [0, 1, 2, 3]),
        # μ begins at 2τ = 2.2 bits: 1/2 has 1, 1/4 has 2, the eighths 3.
        (sampler("mirostat_v2", tau=1.1, eta=0.1), [0, 1]),
        (sampler("dist"), [0, 1, 2, 3]),
    ],
    ids=lambda case: f"{case.name} {dict(case.parameters)}" if isinstance(case, Sampler) else "",
)
def test_a_sampler_keeps_what_its_definition_says(one, kept):
    assert left(HALVES, one) == kept


@needs_llama_cpp
def test_temperature_divides_and_dynamic_temperature_follows_the_entropy():
    assert torch.equal(applied(HALVES, sampler("temp", t=2.0)).logits, HALVES / 2)
    assert torch.equal(applied(HALVES, sampler("temp_ext", t=2.0, delta=0.0)).logits, HALVES / 2)
    p = HALVES.double().softmax(0)
    entropy = float(torch.special.entr(p).sum()) / math.log(4)
    hot = 0.5 + 1.0 * entropy**2  # from 1 − 0.5 to 1 + 0.5
    out = applied(HALVES, sampler("temp_ext", t=1.0, delta=0.5, exponent=2.0))
    assert torch.allclose(out.logits.double(), HALVES.double() / hot, atol=1e-5)


@needs_llama_cpp
def test_penalties_divide_what_is_above_zero_multiply_what_is_below_and_subtract_by_count():
    logits = torch.tensor([2.0, -1.0, 3.0, 0.5])
    out = applied(logits, sampler("penalties", repeat=2.0, freq=0.25, present=0.5), accepted=(0, 1, 0))
    assert out.logits.tolist() == [1.0 - 0.5 - 0.5, -2.0 - 0.25 - 0.5, 3.0, 0.5]


@needs_llama_cpp
def test_penalties_forget_what_is_farther_back_than_last_n():
    out = applied(torch.zeros(4), sampler("penalties", present=1.0, last_n=2), accepted=(0, 1, 2))
    assert out.logits.tolist() == [0.0, -1.0, -1.0, 0.0]


@needs_llama_cpp
def test_dry_punishes_the_token_that_would_go_on_with_a_repetition():
    logits = torch.zeros(8)
    out = applied(logits, sampler("dry", multiplier=0.8, base=2.0), accepted=(1, 2, 3, 4, 1, 2, 3))
    assert out.logits.tolist() == [0, 0, 0, 0, pytest.approx(-0.8 * 2.0 ** (3 - 2)), 0, 0, 0]


@needs_llama_cpp
def test_dry_stops_at_a_breaker_of_the_vocabulary():
    vocabulary = Vocabulary(gguf_file())
    assert vocabulary.n_tokens == 49_152
    newline = 198  # of this vocabulary: "\n"
    history = (5000, newline, 6000, 7000, 5000, newline, 6000)
    told = {}
    for breakers in ((), ("\n",)):
        one = sampler("dry", multiplier=1.0, base=2.0, allowed_length=2, breakers=breakers)
        with SamplerChain([one], vocabulary.n_tokens, vocabulary) as chain:
            for token in history:
                chain.accept(token)
            told[breakers] = chain.apply(torch.zeros(vocabulary.n_tokens)).logits[7000].item()
    assert told == {(): -2.0, ("\n",): 0.0}


@needs_llama_cpp
def test_adaptive_p_favours_the_token_near_its_target():
    out = applied(HALVES, sampler("adaptive_p", target=0.25))
    p = HALVES.softmax(0)
    distance = (p - 0.25).abs() / 0.3
    assert torch.allclose(out.logits, 5 - 10 * distance**2 / (1 + distance), atol=1e-5)
    assert int(out.probabilities.argmax()) == 1 and out.selected is not None


@needs_llama_cpp
def test_adaptive_p_moves_its_target_by_what_was_accepted():
    with SamplerChain([sampler("adaptive_p", target=0.25, decay=0.5)], 4) as chain:
        first = chain.apply(HALVES)
        chain.accept(first.selected)
        second = chain.apply(HALVES)
        chain.reset()
        assert torch.equal(chain.apply(HALVES).logits, first.logits)
    assert not torch.equal(first.logits, second.logits)


@needs_llama_cpp
def test_a_seed_fixes_the_draw_and_draws_follow_the_probabilities():
    one, other = (applied(HALVES, sampler("dist", seed=7)).selected for _ in range(2))
    assert one == other
    with SamplerChain([sampler("dist", seed=1)], 4) as chain:
        drawn = torch.tensor([chain.apply(HALVES).selected for _ in range(4000)]).bincount(minlength=4) / 4000
    assert torch.allclose(drawn, torch.tensor([0.5, 0.25, 0.125, 0.125]), atol=0.03)


@needs_llama_cpp
def test_mirostat_draws_within_its_cut_and_remembers():
    with SamplerChain([sampler("mirostat_v2", tau=0.6, eta=0.9, seed=3)], 4) as chain:
        outcomes = [chain.apply(HALVES) for _ in range(30)]
    assert all(outcome.survivors[outcome.selected] for outcome in outcomes)
    assert len({int(outcome.survivors.sum()) for outcome in outcomes}) > 1  # μ moved


# --- the chain ------------------------------------------------------------------------------------------------

CHAIN = [
    sampler("top_k", k=3), sampler("typical", p=1.0), sampler("top_p", p=0.99), sampler("min_p", p=0.1),
    sampler("temp_ext", t=0.5, delta=0.0),
]  # fmt: skip


@needs_llama_cpp
def test_a_chain_gives_what_its_samplers_give_one_after_another():
    with SamplerChain(CHAIN, 4) as chain:
        assert chain.names == ("top-k", "?typical", "top-p", "min-p", "temp-ext")  # p = 1 switches typical off
        whole, each = chain.apply(HALVES), chain.apply_each(HALVES)
        again = chain.apply(HALVES)
    assert [int(outcome.survivors.sum()) for outcome in each] == [3, 3, 3, 3, 3]
    for one in (each[-1], again):
        assert torch.equal(one.logits, whole.logits) and torch.equal(one.probabilities, whole.probabilities)
    expected = (HALVES[:3].double() / 0.5).softmax(0)
    assert torch.allclose(whole.probabilities[:3].double(), expected, atol=1e-6) and whole.probabilities[3] == 0


@needs_llama_cpp
def test_an_empty_chain_leaves_everything_as_it_is():
    with SamplerChain([], 4) as chain:
        assert chain.apply_each(HALVES) == ()
        out = chain.apply(HALVES)
    assert torch.equal(out.logits, HALVES) and torch.allclose(out.probabilities, HALVES.softmax(0))


@needs_llama_cpp
def test_what_is_out_already_stays_out_and_does_not_count():
    scores = torch.tensor([-INF, 0.0, -INF, -1.0, -2.0])
    assert left(scores, sampler("top_k", k=2)) == [1, 3]
    assert left(scores, sampler("typical", p=0.99)) == [1, 3, 4]
    assert applied(scores, sampler("temp", t=2.0)).probabilities[0] == 0


@needs_llama_cpp
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_as_it_is(dtype):
    halves = HALVES.to(dtype)
    assert torch.equal(applied(halves, sampler("temp", t=2.0)).logits, halves.float() / 2)


@needs_llama_cpp
def test_the_scores_that_were_given_are_not_written_to():
    given = HALVES.clone()
    applied(given, *CHAIN)
    assert torch.equal(given, HALVES)


@needs_llama_cpp
def test_chains_in_threads_do_not_disturb_each_other_and_one_chain_may_be_shared():
    rows = torch.randn(8, 2000, generator=torch.Generator().manual_seed(0)) * 3
    alone = [applied(row, *CHAIN) for row in rows]
    with SamplerChain(CHAIN, 2000) as shared, ThreadPoolExecutor(8) as pool:
        for results in (pool.map(lambda row: applied(row, *CHAIN), rows), pool.map(shared.apply, rows)):
            for one, known in zip(results, alone, strict=True):
                assert torch.equal(one.logits, known.logits)


@needs_llama_cpp
def test_chains_that_nobody_holds_give_their_memory_back():
    def many() -> int:
        for _ in range(300):
            SamplerChain([sampler("dry", multiplier=1.0, last_n=100_000)], 4)  # 800 kB each
        gc.collect()
        return psutil.Process().memory_info().rss

    first, second = many(), many()
    assert second - first < 50e6  # kept, 300 of them would be 240 MB


@needs_llama_cpp
@settings(max_examples=60, deadline=None)
@given(
    logits=st.lists(
        st.one_of(st.floats(-(2.0**100), 2.0**100, width=32), st.floats(-30, 30, width=32), st.just(-INF)),
        min_size=1, max_size=40,
    ).filter(lambda row: max(row) > -INF),
    k=st.integers(-3, 50), p=st.floats(0, 1), t=st.floats(0, 5), target=st.floats(-1, 1), data=st.data(),
)  # fmt: skip
def test_whatever_the_scores_are_somebody_survives_and_nobody_comes_back(logits, k, p, t, target, data):
    cuts = [
        sampler("top_k", k=k), sampler("top_p", p=p), sampler("min_p", p=p), sampler("typical", p=p),
        sampler("temp", t=t), sampler("xtc", p=1.0, t=p), sampler("top_n_sigma", n=t),
        sampler("temp_ext", t=t, delta=p), sampler("penalties", repeat=2.0),
    ]  # fmt: skip
    ends = [sampler("dist"), sampler("mirostat_v2"), sampler("adaptive_p", target=target)]
    drawn = st.tuples(st.lists(st.sampled_from(cuts), max_size=4), st.lists(st.sampled_from(ends), max_size=1))
    chosen = [one for part in data.draw(drawn) for one in part]
    scores = torch.tensor(logits)
    out = applied(scores, *chosen, accepted=(0,))
    assert out.survivors.any() and not (out.survivors & (scores == -INF)).any()
    assert out.selected is None or 0 <= out.selected < len(logits)


# --- what cannot be -------------------------------------------------------------------------------------------


@needs_llama_cpp
@pytest.mark.parametrize(
    ("logits", "says"),
    [
        (torch.tensor([0.0, math.nan, 1.0, 1.0]), "without NaN"),
        (torch.tensor([0.0, INF, 1.0, 1.0]), "without NaN and +inf"),
        (torch.full((4,), -INF), "all are −inf"),
        (torch.zeros(0), r"shape [4], one for each token, got [0]"),
        (torch.zeros(5), "got [5]"),
        (torch.zeros(1, 4), "got [1, 4]"),
        (torch.zeros(4, dtype=torch.float64), "got float64"),
        (torch.zeros(4, dtype=torch.int64), "got int64"),
    ],
)
def test_junk_scores_are_refused_and_the_chain_goes_on(logits, says):
    with SamplerChain(CHAIN, 4) as chain:
        for apply in (chain.apply, chain.apply_each):
            with pytest.raises(EngineError) as raised:
                apply(logits)
            assert says in str(raised.value)
        assert chain.apply(HALVES).survivors.sum() == 3


@needs_llama_cpp
def test_one_token_is_enough():
    for name in PARAMETERS:
        needed = {"top_k": {"k": 5}, "temp": {"t": 0.3}, "temp_ext": {"t": 1.0, "delta": 0.5}, "top_n_sigma": {"n": 1},
                  "adaptive_p": {"target": 0.3}, "dry": {"multiplier": 1.0}, "penalties": {}, "dist": {},
                  "mirostat_v2": {}}.get(name, {"p": 0.5})  # fmt: skip
        out = applied(torch.tensor([-3.0]), sampler(name, **needed))
        assert out.survivors.tolist() == [True] and out.probabilities.tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("top_q", {}, "no sampler 'top_q' here; choose one of top_k"),
        ("top_k", {"p": 1}, "no parameter 'p'; it takes k"),
        ("top_k", {}, "top_k needs k"),
        ("top_k", {"k": 2**31}, "k of llama.cpp's top_k must be in"),
        ("top_k", {"k": 1.5}, "got 1.5"),
        ("top_k", {"k": True}, "got True"),
        ("top_p", {"p": 1.1}, "must be in [0, 1], got 1.1"),
        ("top_p", {"p": math.nan}, "got nan"),
        ("top_p", {"p": "0.9"}, "got '0.9'"),
        ("top_p", {"p": 0.9, "min_keep": -1}, "min_keep of llama.cpp's top_p"),
        ("temp", {"t": INF}, "got inf"),
        ("dist", {"seed": 2**32 - 1}, "seed of llama.cpp's dist"),
        ("dry", {"multiplier": 1.0, "last_n": -1}, "last_n of llama.cpp's dry must be in [0"),
        ("penalties", {"last_n": 2**31 - 1}, "last_n of llama.cpp's penalties"),
        ("dry", {"multiplier": 1.0, "breakers": [""]}, "breakers must be texts"),
        ("dry", {"multiplier": 1.0, "breakers": ["a\0b"]}, "breakers must be texts"),
        ("top_k", {"k": 1, "breakers": ["\n"]}, "for llama.cpp's dry alone"),
    ],
)
def test_parameters_that_cannot_be_are_named(name, given, says):
    with pytest.raises(EngineError) as raised:
        sampler(name, **given)
    assert says in str(raised.value)


@needs_llama_cpp
def test_a_chain_that_cannot_be_is_refused():
    with pytest.raises(EngineError, match="dist chooses a token itself; put it at the end"):
        SamplerChain([sampler("dist"), sampler("top_k", k=1)], 4)
    with pytest.raises(EngineError, match="needs a vocabulary"):
        SamplerChain([sampler("dry", multiplier=1.0, breakers=["\n"])], 4)
    for n_vocab in (0, -1, 2**40, 1.5, None):
        with pytest.raises(EngineError, match="n_vocab must be a whole number"):
            SamplerChain([], n_vocab)
    chain = SamplerChain(CHAIN, 4)
    for token in (-1, 4, 1.0, "0", None, True):
        with pytest.raises(EngineError, match="token_id must be in"):
            chain.accept(token)
    chain.close()
    chain.close()
    for closed in (lambda: chain.apply(HALVES), lambda: chain.accept(0), chain.reset, lambda: chain.names):
        with pytest.raises(EngineError, match="is closed"):
            closed()


@needs_llama_cpp
@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 64, b"no model" * 500])
def test_a_vocabulary_that_cannot_be_read_is_refused(tmp_path, content, capfd):
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match="cannot read a vocabulary from"):
        Vocabulary(path)
    assert capfd.readouterr().err == ""  # llama.cpp keeps its log to itself


# --- the library ----------------------------------------------------------------------------------------------


@pytest.fixture
def fresh():
    """The library is looked for anew."""
    library.cache_clear()
    library_version.cache_clear()
    yield
    library.cache_clear()
    library_version.cache_clear()


@needs_llama_cpp
def test_the_version_is_the_build_of_llama_cpp():
    version = library_version()
    assert version.package in TRIED and str(version) == "b11549" and version.library == "0.6.0-dev"
    assert why_not() is None


@needs_llama_cpp
def test_the_model_parameters_are_laid_out_as_they_stand_here():
    """A vocabulary alone is read; were the flag elsewhere, this would be the whole model, and 100 MB."""
    before = psutil.Process().memory_info().rss
    vocabulary = Vocabulary(gguf_file())
    assert vocabulary.n_tokens == 49_152 and psutil.Process().memory_info().rss - before < 60e6


@pytest.mark.parametrize("other", ["2026.10.11550", "0.1", ""])
def test_a_version_that_was_not_tried_is_refused(fresh, monkeypatch, other):
    monkeypatch.setattr(llama_library, "version", lambda _: other)
    error = why_not()
    assert error is not None and f"({', '.join(TRIED)}), got {other}; install it with pip install" in str(error)
    with pytest.raises(EngineError, match="that was tried"):
        SamplerChain([], 4)


def test_without_the_wheel_it_says_what_to_install(fresh, monkeypatch):
    def none(_):
        raise PackageNotFoundError

    monkeypatch.setattr(llama_library, "version", none)
    assert str(why_not()).endswith(f"pip install xllamacpp=={TRIED[-1]}") and not llama_library.is_installed()


@pytest.mark.parametrize("what", ["no file", "no folder", "no library", "another library"])
def test_a_wheel_without_a_library_that_can_be_used_is_refused(fresh, monkeypatch, tmp_path, what):
    monkeypatch.setattr(llama_library, "version", lambda _: TRIED[-1])
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})()
    monkeypatch.setattr(llama_library, "find_spec", lambda _: None if what == "no folder" else spec)
    if what == "no library":
        (tmp_path / "xllamacpp.abi3.so").write_bytes(b"not one")
    elif what == "another library":
        (tmp_path / "xllamacpp.abi3.so").symlink_to(_libc())
    says = "brings no usable llama.cpp" if "library" in what else "its compiled library is missing"
    assert says in str(why_not())


def _libc() -> str:
    return next(m.path for m in psutil.Process().memory_maps() if "/libc.so" in m.path or "/libc-" in m.path)


def test_the_library_is_there_without_importing_the_wheels_python_side():
    code = "import decoding.engines.llama_library as l, sys; l.why_not(); print('xllamacpp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
