"""Each aggregation on slices whose answer can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dvdup.bench.aggregations import AGGREGATIONS
from dvdup.bench.database import Database, Query
from dvdup.bench.nearest import Exact, ExactAnswers


def ask(rows, starts, query, channel=None, allowed=None) -> Query:
    """A query with unit rows at the given angles (degrees) against rows at angles."""

    def unit(angles):
        turned = np.radians(np.array(angles, float))
        return np.stack([np.cos(turned), np.sin(turned)], 1).astype(np.float32)

    database = Database(unit(rows), np.array(starts), np.zeros(len(rows), np.int16))
    answers = Exact(database).ask(unit(query))
    n = len(starts) - 1
    allowed = np.ones(n, bool) if allowed is None else np.array(allowed)
    return Query(
        s=ExactAnswers.masked(answers.s, allowed),
        channel=np.zeros(len(query), np.int16) if channel is None else np.array(channel),
        allowed=allowed,
        nearest=lambda k: answers.nearest(allowed, k),
        database=database,
        scan=lambda: pytest.fail("no aggregation here looks at the scan"),
        verify=lambda case, steps: 5.0 - case,
    )


def test_count_top1_counts_the_nearest():
    query = ask([0, 10, 50, 60], [0, 2, 4], [1, 9, 52, 61, 12])
    assert AGGREGATIONS["count-top1"].score(query).tolist() == [0.6, 0.4]


def test_count_top3_has_one_vote_a_case():
    query = ask([0, 10, 50, 90], [0, 2, 3, 4], [1])
    assert AGGREGATIONS["count-top3"].score(query).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_barred_and_empty_cases_never_win(name):
    query = ask([0, 10, 50, 90], [0, 2, 2, 3, 4], [1, 2], allowed=[False, True, True, True])
    scores = AGGREGATIONS[name].score(query)
    assert scores[0] == scores[1] == -np.inf
    assert scores.argmax() == 2


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_the_better_channel_counts(name):
    """Channel 1 is a copy of case 1, channel 0 is nearer to case 0."""
    rows, starts = [0, 5, 10, 60, 70, 80], [0, 3, 6]
    both = ask(rows, starts, [0, 5, 70, 80], channel=[0, 0, 1, 1])
    alone = ask(rows, starts, [70, 80])
    scores = AGGREGATIONS[name].score(both)
    assert scores[1] == pytest.approx(AGGREGATIONS[name].score(alone)[1])


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_where_nobody_is_allowed_nobody_scores(name):
    query = ask([0, 10], [0, 1, 2], [1, 2], allowed=[False, False])
    assert (AGGREGATIONS[name].score(query) == -np.inf).all()


def look_alikes(*copies: int, allowed=None) -> Query:
    """Ten slices that everybody resembles (0.6 to 0.8); 0.97 for the copies."""
    s = np.random.default_rng(0).uniform(0.6, 0.8, (10, 12)).astype(np.float32)
    s[:, list(copies)] = 0.97
    allowed = np.ones(12, bool) if allowed is None else np.array(allowed)
    database = Database(np.zeros((12, 2), np.float32), np.arange(13), np.zeros(12, np.int16))
    masked = ExactAnswers.masked(s, allowed)
    return Query(masked, np.zeros(10, np.int16), allowed, pytest.fail, database, pytest.fail)


def test_the_own_score_is_high_for_a_copy_and_low_without_it():
    score = AGGREGATIONS["dvdup"].score
    copy = score(look_alikes(2))
    assert copy.argmax() == 2
    assert copy.max() > 0.7
    assert score(look_alikes(2, allowed=np.arange(12) != 2)).max() < 0.1


def test_two_copies_keep_their_lead():
    score = AGGREGATIONS["dvdup"].score
    one, two = score(look_alikes(2)), score(look_alikes(2, 7))
    assert two[2] == two[7] > 0.9 * one[2]


def test_of_two_cases_nobody_leads():
    query = look_alikes(0, allowed=np.arange(12) < 2)
    assert AGGREGATIONS["dvdup"].score(query)[:2].tolist() == [0, 0]
