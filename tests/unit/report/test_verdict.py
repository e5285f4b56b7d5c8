import math

import pytest

from campaign.report.parts.judged.page_scores import leading, score_cell
from campaign.report.parts.judged.scores import Score
from campaign.report.parts.judged.verdict import headline


def score(value: float, low: float, high: float) -> Score:
    return Score("TIC 0", value, low, high, 0.05, "nats")


def test_intervals_apart_name_the_nearer_model() -> None:
    scores = {"weighted": score(1.4, 1.2, 1.6), "unweighted": score(2.6, 2.2, 3.1)}
    assert leading(scores) == "weighted"
    text = headline(scores)
    assert "the weighted model is closer to the reference" in text
    assert "KL 1.400 [1.200 to 1.600] against 2.600 [2.200 to 3.100]" in text


def test_a_difference_within_the_intervals_names_no_winner() -> None:
    scores = {"weighted": score(1.4, 1.0, 2.3), "unweighted": score(2.1, 1.7, 3.1)}
    assert leading(scores) is None
    assert "cannot tell the weighted model from the unweighted one" in headline(scores)


def test_the_unweighted_model_may_win() -> None:
    scores = {"weighted": score(4.182, 4.1, 4.3), "unweighted": score(3.92, 3.8, 4.0)}
    assert leading(scores) == "unweighted"
    assert "the unweighted model is closer" in headline(scores)


def test_an_undefined_score_is_never_a_number() -> None:
    undefined = score(math.nan, math.nan, math.nan)
    assert score_cell(undefined, best=False).text == "not defined"
    assert leading({"weighted": undefined, "unweighted": score(1, 0.9, 1.1)}) is None
    assert "no model has been benchmarked" in headline({"weighted": undefined})


def test_without_intervals_nothing_leads() -> None:
    bare = {
        "weighted": score(1.0, math.nan, math.nan),
        "unweighted": score(9.0, math.nan, math.nan),
    }
    assert leading(bare) is None


@pytest.mark.parametrize("model", ["weighted", "unweighted"])
def test_one_model_alone_is_named(model: str) -> None:
    assert f"Only the {model} model" in headline({model: score(1.0, 0.9, 1.1)})
