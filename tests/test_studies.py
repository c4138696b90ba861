"""Studies: intervals, verdicts and readings on numbers made by hand, and each study once on the real model."""

from __future__ import annotations

import json
import math

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from transformers.generation import LogitsProcessorList

from app.assets import assets_dir
from app.cli.main import main
from app.figures.study import study_figure
from app.gallery.recorded_studies import RECORDED_STUDIES, study_file
from app.sheets.study import study_sheet
from app.studies.page import study_html
from app.studies.recorded import study_routes
from app.views.numbers import significant, with_interval
from decoding import DecodingError, Settings, record
from decoding.reading.run_statistics import run_statistics
from decoding.studies import STUDIES, Texts, as_told, conduct, outcome_told, read_texts, study_named
from decoding.studies.conduct import Outcome, batches_of
from decoding.studies.follow_text import FollowText
from decoding.studies.interval import Interval, bootstrap, share
from decoding.studies.min_p import is_right
from decoding.studies.over_prompts import by_prompt, padded, ratio
from decoding.studies.study import HELD, NOT_HELD, UNDECIDED, Claim, Curve, Panel, Part, Point, Run, judge
from decoding.studies.texts import Fact, Passage
from tests.hand_made import HOSTILE
from tests.tiny_models import tiny_lm

WORDS = "the cat sat on the mat, and the dog sat on the cat. A language model gives logits; " * 2
TEXTS = Texts(
    source="the tests",
    passages=tuple(Passage(prompt=f"the {name}", continuation=f" {WORDS}") for name in ("cat", "dog", "mat")),
    facts=tuple(Fact(question=name, answers=("cat",)) for name in ("a", "b", "c")),
)


def interval(low: float, high: float) -> Interval:
    return Interval(estimate=(low + high) / 2, low=low, high=high)


def run(part: str, prompt: int, surprisals=(1.0,), *, sample: int = 0, n_left=None, text: str = "", ended="eos") -> Run:
    surprisals = tuple(map(float, surprisals))
    return Run(
        part=part, prompt=prompt, sample=sample, trace=f"traces/{part}-00.trace", row=prompt, asked=f"asked {prompt}",
        text=text, ended_by=ended, surprisals=surprisals, entropies=surprisals, n_left=tuple(n_left or surprisals),
    )  # fmt: skip


def verdicts(name: str, runs: dict[str, tuple[Run, ...]], texts: Texts = TEXTS) -> dict[str, str]:
    study = STUDIES[name]
    found = study.read(runs, texts).found
    assert found.keys() == {claim.id for claim in study.claims}
    return {claim.id: judge(claim, found[claim.id]).verdict for claim in study.claims}


# --- intervals ----------------------------------------------------------------------------------------------


def mean_of(values: np.ndarray) -> Interval:
    return bootstrap(values, lambda drawn: drawn.mean(axis=-1))


def test_values_that_never_differ_leave_no_doubt():
    found = mean_of(np.full(9, 2.5))
    assert (found.estimate, found.low, found.high) == (2.5, 2.5, 2.5)


def test_the_bootstrap_gives_the_interval_of_a_mean():
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400)
    found, error = mean_of(values), values.std() / 20
    assert found.estimate == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_same_values_give_the_same_interval():
    values = np.arange(7.0)
    assert mean_of(values) == mean_of(values.copy())


def test_a_prompt_is_drawn_with_all_that_belongs_to_it():
    pairs = np.array([[float(i), -float(i)] for i in range(5)])
    found = bootstrap(pairs, lambda drawn: drawn.sum(axis=-1).mean(axis=-1))
    assert (found.low, found.high) == (0.0, 0.0)


def test_a_ratio_draws_its_prompts_in_pairs():
    found = ratio(np.array([1.0, 10.0, 100.0]), np.array([2.0, 20.0, 200.0]))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("holds", "n", "low", "high"), [(10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775)]
)
def test_a_share_has_wilsons_interval(holds, n, low, high):
    found = share(np.arange(n) < holds)
    assert (found.estimate, found.low, found.high) == pytest.approx((holds / n, low, high), abs=5e-5)


def test_nothing_recorded_is_no_value():
    assert math.isnan(mean_of(np.array([])).estimate) and math.isnan(share(np.array([], dtype=bool)).low)


def test_samples_are_averaged_within_their_prompt():
    runs = [run("p", 0, [1.0]), run("p", 0, [3.0], sample=1), run("p", 1, [8.0])]
    assert by_prompt(runs, lambda one: one.surprisals[0]).tolist() == [2.0, 8.0]


def test_rows_that_ended_are_filled_up_with_nothing():
    assert np.isnan(padded([[1.0], [2.0, 3.0]])).tolist() == [[False, True], [False, False]]


# --- verdicts -------------------------------------------------------------------------------------------------

ABOVE = Claim(id="above", says="more than 1", low=1.0)
WITHIN = Claim(id="within", says="between 1 and 2", low=1.0, high=2.0)


@pytest.mark.parametrize(
    ("claim", "found", "verdict"),
    [
        (ABOVE, interval(1.1, 2.0), HELD),
        (ABOVE, interval(1.0, 2.0), UNDECIDED),  # the range's end does not belong to it
        (ABOVE, interval(0.5, 1.5), UNDECIDED),
        (ABOVE, interval(0.0, 1.0), NOT_HELD),
        (WITHIN, interval(1.2, 1.8), HELD),
        (WITHIN, interval(1.2, 2.2), UNDECIDED),
        (WITHIN, interval(2.0, 3.0), NOT_HELD),
        (WITHIN, interval(0.0, 3.0), UNDECIDED),
        (ABOVE, interval(math.nan, math.nan), UNDECIDED),
    ],
)
def test_a_claim_holds_where_the_whole_interval_does(claim, found, verdict):
    assert judge(claim, found).verdict == verdict


def test_a_verdict_says_by_how_much():
    assert judge(WITHIN, interval(1.5, 1.9)).by == pytest.approx(0.3)
    assert judge(ABOVE, interval(0.0, 0.5)).by == pytest.approx(-0.75)


def test_one_claim_that_does_not_hold_decides():
    outcome = hand_made_outcome([interval(2.0, 3.0), interval(0.0, 0.5)])
    assert [judged.verdict for judged in outcome.judged] == [HELD, NOT_HELD] and outcome.verdict == NOT_HELD
    assert hand_made_outcome([interval(2.0, 3.0), interval(0.5, 3.0)]).verdict == UNDECIDED
    assert hand_made_outcome([interval(2.0, 3.0)]).verdict == HELD


def test_every_claim_names_its_range_in_its_sentence():
    for study in STUDIES.values():
        assert len({claim.id for claim in study.claims}) == len(study.claims)
        for claim in study.claims:
            bounds = [abs(end) for end in (claim.low, claim.high) if math.isfinite(end)]
            assert bounds and all(f"{bound:g}" in claim.says for bound in bounds), claim.says


# --- readings, both ways ----------------------------------------------------------------------------------------


def loops(rise: float) -> tuple[Run, ...]:
    """Each occurrence is `rise` nats likelier per token than the one before."""
    return tuple(run("loop", i, [20 - rise * (k // 10) + 0.01 * i for k in range(100)]) for i in range(20))


def texts_of(name: str, surprisals: list[float]) -> tuple[Run, ...]:
    return tuple(run(name, i, [s + 0.01 * i for s in surprisals]) for i in range(20))


def test_a_loop_that_feeds_on_itself_and_likely_beam_text_are_found():
    runs = {"loop": loops(0.5), "human": texts_of("human", [1.0, 7.0] * 24), "beam": texts_of("beam", [0.5, 1.0] * 20)}
    assert set(verdicts("degeneration", runs).values()) == {HELD}


def test_a_loop_that_tires_and_unlikely_beam_text_are_found_out():
    runs = {"loop": loops(-0.5), "human": texts_of("human", [0.5, 1.0] * 24), "beam": texts_of("beam", [1.0, 7.0] * 20)}
    assert set(verdicts("degeneration", runs).values()) == {NOT_HELD}


def test_a_point_of_the_loop_has_its_probability_and_its_step():
    runs = {"loop": loops(0.5), "human": texts_of("human", [2.0] * 40), "beam": texts_of("beam", [1.0] * 40)}
    panel = STUDIES["degeneration"].read(runs, TEXTS).panels[0]
    third = panel.curves[0].points[2]
    assert (third.x, third.step, len(third.runs)) == (3, 20, 20)
    assert third.y.estimate == pytest.approx(math.exp(-(19 + 0.01 * 9.5)))
    assert third.runs[4][1] == pytest.approx(math.exp(-(19 + 0.04)))


def answers(lengths: dict[str, int]) -> dict[str, tuple[Run, ...]]:
    return {name: tuple(run(name, i, [1.0] * (n + i % 3)) for i in range(16)) for name, n in lengths.items()}


def lengths(bare: tuple[int, ...], mended: tuple[int, ...]) -> dict[str, int]:
    names = [f"beams-{beams}-penalty-{penalty}" for penalty in (0, 1) for beams in (2, 4, 8)]
    return {"greedy": 20, **dict(zip(names, (*bare, *mended), strict=True))}


def test_short_answers_of_wide_beams_are_found():
    assert set(verdicts("length-bias", answers(lengths((20, 15, 10), (20, 20, 20)))).values()) == {HELD}


def test_beams_that_do_not_care_for_length_are_found_out():
    found = verdicts("length-bias", answers(lengths((20, 20, 20), (20, 15, 10))))
    assert set(found.values()) == {NOT_HELD}


def nucleus(sizes: list[int], entropies: list[float]) -> dict[str, tuple[Run, ...]]:
    return {"nucleus": tuple(run("nucleus", i, entropies, n_left=[size + i % 2 for size in sizes]) for i in range(20))}


def test_a_nucleus_that_breathes_is_found():
    found = verdicts("nucleus", nucleus([2, 20, 200, 2000] * 16, [1.0, 2.0, 3.0, 4.0] * 16))
    assert set(found.values()) == {HELD}


def test_a_nucleus_of_one_size_is_found_out():
    found = verdicts("nucleus", nucleus([40, 50] * 32, [2.0, 1.0] * 32))
    assert set(found.values()) == {NOT_HELD}


def hot(top_p: float, min_p: float, surprisal: float, cool: float = 1.0) -> dict[str, tuple[Run, ...]]:
    """Shares of right answers at high temperatures; `surprisal` of top_p's text, min_p's has 2; `cool` of min_p."""
    out = {}
    for rule, share_right, nats in (("top_p", top_p, surprisal), ("min_p", min_p, 2.0)):
        for t in (0.7, 1.0, 1.5, 2.0, 3.0):
            right = share_right if t >= 2 else cool if rule == "min_p" else 1.0
            out[f"{rule}-temperature-{t:g}"] = tuple(
                run(f"{rule}-temperature-{t:g}", i, [nats], sample=s, text="A cat." if i < 20 * right else "Tac")
                for i in range(20)
                for s in range(2)
            )
    return out


FACTS = Texts(source="", passages=(), facts=(Fact(question="?", answers=("cat",)),) * 20)


def test_min_p_that_stays_right_is_found():
    assert set(verdicts("min-p", hot(0.1, 0.9, 8.0), FACTS).values()) == {HELD}


def test_min_p_that_is_no_better_is_found_out():
    assert set(verdicts("min-p", hot(0.9, 0.1, 2.5, cool=0.5), FACTS).values()) == {NOT_HELD}


def test_an_answer_is_right_where_the_word_is_in_it():
    assert is_right("It's PARIS!", ("Paris",)) and is_right("CO2, mostly", ("carbon dioxide", "CO2"))
    assert not is_right("Parisian", ("Paris",)) and not is_right("", ("Paris",)) and not is_right("70", ("7",))


# --- recording ------------------------------------------------------------------------------------------------


def test_a_followed_text_is_recorded_with_the_models_own_scores():
    lm, text = tiny_lm(), " sat on the mat"
    ids = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    processor = LogitsProcessorList([FollowText([ids, ids])])
    settings = Settings(max_new_tokens=len(ids))
    trace = record(lm, ["the cat", "a dog"], settings, logits_processor=processor)
    assert trace.generated_ids.tolist() == [ids, ids]
    prompt = trace.prompt_ids[:1][:, trace.prompt_mask[0].bool()]
    with torch.no_grad():
        whole = lm.model(torch.cat([prompt, torch.tensor([ids])], dim=1)).logits[0, prompt.shape[1] - 1 : -1]
    surprisals = -torch.log_softmax(whole.double(), -1)[range(len(ids)), ids]
    recorded = [token.surprisal_nats for token in run_statistics(trace, 0).tokens]
    assert recorded == pytest.approx(surprisals.tolist(), abs=1e-4)


def test_every_prompt_is_in_one_batch_and_every_batch_has_its_seed():
    part = Part(name="p", prompts=tuple("abcdefg"), settings=Settings(do_sample=True), samples=2, rows=4)
    beams = Part(name="q", prompts=tuple("abc"), settings=Settings(num_beams=8), rows=4)
    batches = batches_of([part, beams], 5)
    assert [batch.prompts for batch in batches] == [(0, 1), (2, 3), (4, 5), (6,), (0,), (1,), (2,)]
    assert len({batch.seed for batch in batches}) == len(batches)
    assert len({batch.trace for batch in batches}) == len(batches)
    assert batches_of([part, beams], 5) == batches and batches_of([part], 6)[0].seed != batches[0].seed


def test_a_text_that_is_too_short_to_follow_is_refused(tmp_path):
    short = Texts(source="", passages=(Passage(prompt="the cat", continuation=" sat"),), facts=())
    with pytest.raises(DecodingError, match="must have 10 tokens"):
        conduct(STUDIES["degeneration"], tiny_lm(), short, tmp_path)


def test_what_was_recorded_before_a_study_breaks_off_is_kept(tmp_path):
    def stop(batch, n_runs):
        if batch is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conduct(STUDIES["min-p"], tiny_lm(), TEXTS, tmp_path, on_batch=stop)
    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["top_p-temperature-0.7-00.trace"]


@pytest.fixture(scope="module")
def tiny_outcome(tmp_path_factory) -> Outcome:
    return conduct(STUDIES["min-p"], tiny_lm(), TEXTS, tmp_path_factory.mktemp("study"))


def test_an_outcome_is_told_in_json_with_a_run_behind_every_number(tiny_outcome):
    told = json.loads(json.dumps(as_told(tiny_outcome), allow_nan=False))
    assert len(told["runs"]) == 3 * 2 * 10 and told["study"] == "min-p"
    point = told["panels"][1]["curves"][0]["points"][3]
    of_point = [told["runs"][i] for i, _ in point["runs"]]
    assert {one["part"] for one in of_point} == {"top_p-temperature-2"}
    values = [np.mean(one["surprisals"]) for one in of_point]
    assert values == pytest.approx([value for _, value in point["runs"]], rel=1e-4)
    assert np.mean(values) == pytest.approx(point["y"]["estimate"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_runs_on_the_real_model(name, lm, tmp_path, capsys):
    """Too few prompts to hold it to its claims; what is looked at is that all of it is there, and fits together."""
    assert main(["study", name, "-o", str(tmp_path), "--prompts", "2", "--device", "cpu"]) == 0
    told = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert all((tmp_path / one["trace"]).is_file() for one in told["runs"])
    assert [claim["id"] for claim in told["claims"]] == [claim.id for claim in STUDIES[name].claims]
    assert all(point["runs"] for panel in told["panels"] for curve in panel["curves"] for point in curve["points"])
    assert (tmp_path / "study.html").stat().st_size < 4e6
    assert STUDIES[name].title in capsys.readouterr().out


def test_the_texts_suffice_for_what_is_followed(lm):
    texts = read_texts(assets_dir() / "studies")
    assert (len(texts.passages), len(texts.facts)) == (32, 24)
    for study in STUDIES.values():
        for part in study.parts(texts):
            for text in () if part.follow is None else part.follow.texts:
                assert len(lm.tokenizer(text)["input_ids"]) >= part.follow.n_tokens


# --- the command --------------------------------------------------------------------------------------------------


def test_the_list_has_every_claim(capsys):
    assert main(["study", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(claim.says in out for study in STUDIES.values() for claim in study.claims)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["study"], "study needs a NAME"),
        (["study", "nucleus"], "study needs a folder"),
        (["study", "nuclear", "-o", "x"], "study must be one of degeneration, length-bias, nucleus, min-p"),
        (["study", "nucleus", "-o", "x", "--prompts", "0"], "--prompts must be a whole number from 1 on, got 0"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_what_is_missing(arguments, said, capsys):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_folder_with_another_study_is_left_alone(tmp_path, capsys):
    (tmp_path / "study.json").write_text('{"study": "min-p"}', encoding="utf-8")
    assert main(["study", "nucleus", "-o", str(tmp_path)]) == 2
    assert "has 'min-p'" in capsys.readouterr().err


def test_an_unknown_study_names_those_there_are():
    with pytest.raises(DecodingError, match="degeneration"):
        study_named("nuclear")


# --- the page -------------------------------------------------------------------------------------------------------


def hand_made_panel(texts: list[str] = HOSTILE, log: str = "") -> Panel:
    runs = tuple((run("p", i, text=text if isinstance(text, str) else ""), i / 10) for i, text in enumerate(texts))
    points = tuple(Point(x=x, y=interval(x - 0.5, x + 0.5), runs=runs, step=2) for x in (1, 2, 4))
    return Panel(
        id="a", title="<b>A</b>", x="x", y="<y>", reading="r", value="v", log=log,
        curves=(Curve(name="min_p = <1>", points=points), Curve(name="alone", points=points[:1], faint=True)),
    )  # fmt: skip


def hand_made_outcome(found: list[Interval]) -> Outcome:
    from dataclasses import replace

    from decoding.studies.study import Findings
    from tests.hand_made import hand_made_trace

    claims = tuple(Claim(id=str(i), says=f"<script>{i}</script>", low=1.0) for i in range(len(found)))
    panel = hand_made_panel()
    runs = {"p": tuple(one for one, _ in panel.curves[0].points[0].runs)}
    model = hand_made_trace([[0.0, 1.0]], [1], []).model
    return Outcome(
        study=replace(STUDIES["nucleus"], claims=claims), model=model, runs=runs, seconds=1.0, made="now",
        parts=(Part(name="p", prompts=("</script>",), settings=Settings()),),
        findings=Findings(panels=(panel,), found={}, notes=("<!--",)),
        judged=tuple(judge(claim, each) for claim, each in zip(claims, found, strict=True)),
    )  # fmt: skip


@pytest.mark.parametrize("log", ["", "x", "xy"])
def test_the_figure_has_the_points_with_their_intervals(log):
    figure = study_figure(hand_made_panel(log=log))
    drawn = go.Figure(figure)  # checks the schema
    (line,) = [trace for trace in drawn.data if trace.error_y.array is not None]
    assert list(line.x) == [1, 2, 4] and list(line.y) == [1, 2, 4]
    assert list(line.error_y.array) == list(line.error_y.arrayminus) == [0.5, 0.5, 0.5]
    assert [list(each) for each in line.customdata] == [[0, 0], [0, 1], [0, 2]]
    assert line.name == "min_p = &lt;1&gt;" and drawn.layout.yaxis.title.text == "&lt;y&gt;"
    assert drawn.layout.xaxis.type == ("log" if "x" in log else None)


def test_many_points_have_a_band():
    points = tuple(Point(x=x, y=interval(x - 1, x + 1), runs=(), step=x) for x in range(20))
    curve = Curve(name="c", points=points)
    band, line = study_figure(Panel(id="a", title="", x="", y="", reading="", value="", curves=(curve,)))["data"]
    assert band["y"] == [*(x - 1 for x in range(20)), *(x + 1 for x in reversed(range(20)))]
    assert "error_y" not in line and "customdata" not in band


def test_the_table_says_what_the_figure_shows():
    table = study_sheet(hand_made_panel()).table
    assert table.rows[1] == ("2", "min_p = <1>", "2", "1.5", "2.5", str(len(HOSTILE)))


def test_numbers_are_written_for_people():
    assert [significant(value) for value in (-0.01234, 12345.6, 0, math.inf)] == ["−0.0123", "12,346", "0", "–"]
    assert with_interval(interval(-1, 1)) == "0 [−1, 1]"


def test_hostile_texts_are_no_markup():
    from tests.test_standalone import Blocks

    page = study_html(hand_made_outcome([interval(2.0, 3.0)]))
    blocks = Blocks(page)
    assert len(blocks.scripts) == 1 and set(blocks.data) == {"dx-study", "dx-plotly"}
    assert "<script>0" not in page and "&lt;script&gt;0" in page
    assert "default-src 'none'" in page and "connect-src 'none'" in page
    assert [one["text"] for one in json.loads(blocks.data["dx-study"])["runs"]][0] == HOSTILE[0]


def test_a_page_says_each_verdict_and_whose_values_these_are():
    page = study_html(hand_made_outcome([interval(2.0, 3.0), interval(0.0, 0.5)]))
    assert "Did not hold" in page and "short of it by 0.75" in page and "Absolute values are this small model’s" in page


def test_a_run_with_a_page_of_its_own_is_named_by_it():
    from tests.test_standalone import Blocks

    page = study_html(hand_made_outcome([interval(2.0, 3.0)]), {"traces/p-00.trace": "runs/p-00.html"})
    runs = json.loads(Blocks(page).data["dx-study"])["runs"]
    assert {one["page"] for one in runs} == {"runs/p-00.html"} and runs[0]["row"] == 1


# --- told and recorded ----------------------------------------------------------------------------------------------


def test_a_told_outcome_is_read_and_judged_again(tiny_outcome):
    told = json.loads(json.dumps(as_told(tiny_outcome)))
    again = outcome_told(told, STUDIES["min-p"], TEXTS)
    assert [judged.verdict for judged in again.judged] == [judged.verdict for judged in tiny_outcome.judged]
    assert as_told(again)["runs"] == told["runs"]


@pytest.mark.parametrize("spoil", [{"version": 2}, {"study": "nucleus"}, {"runs": [{"part": 1}]}, {"model": None}])
def test_what_is_no_outcome_of_the_study_is_refused(tiny_outcome, spoil):
    with pytest.raises(DecodingError, match="record it again"):
        outcome_told(as_told(tiny_outcome) | spoil, STUDIES["min-p"], TEXTS)


@pytest.mark.parametrize("name", RECORDED_STUDIES)
def test_a_recorded_study_has_the_verdicts_that_its_claims_give(name):
    """Claims that were changed after the run would give others; then it is to be recorded again."""
    told = json.loads(study_file(name).read_text(encoding="utf-8"))
    again = outcome_told(told, STUDIES[name], read_texts(assets_dir() / "studies"))
    for judged, claim in zip(again.judged, told["claims"], strict=True):
        assert (judged.claim.id, judged.claim.says, judged.verdict) == (claim["id"], claim["says"], claim["verdict"])
        assert judged.found.estimate == pytest.approx(claim["found"]["estimate"], rel=1e-3, abs=1e-4)
    assert [(p["name"], len(p["prompts"])) for p in told["parts"]] == [(p.name, len(p.prompts)) for p in again.parts]


def test_the_gallery_links_to_the_recorded_studies():
    from app.sheets.gallery import gallery_sheet
    from app.text import Text

    for lang in ("en", "zh"):
        links = gallery_sheet(Text(lang))["studies"]
        assert [link["href"] for link in links] == [f"/dx/studies/{name}" for name in RECORDED_STUDIES]
        assert all(link["title"] and link["tip"] for link in links)


def test_the_server_has_a_page_for_each_recorded_study_and_no_other():
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    client = TestClient(Starlette(routes=study_routes()))
    answer = client.get("/dx/studies/nucleus")
    assert answer.status_code == 200 and STUDIES["nucleus"].title in answer.text
    assert "decoding-explorer study nucleus -o nucleus" in answer.text
    assert client.get("/dx/studies/nothing").status_code == client.get("/dx/studies/..%2fpassages").status_code == 404
