"""Each aggregation on slices whose answer can be counted by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dvdup.compare.scores import ONE, RankScores, weights
from dvdup.lab.bench.aggregations import AGGREGATIONS
from dvdup.lab.bench.database import Database, Query
from dvdup.lab.bench.nearest import Exact, ExactAnswers


def ask(rows, starts, query, channel=None, allowed=None) -> Query:
    """A query with unit rows at the given angles (degrees) against rows at angles."""

    def unit(angles):
        turned = np.radians(np.array(angles, float))
        return np.stack([np.cos(turned), np.sin(turned)], 1).astype(np.float32)

    database = Database(unit(rows), np.array(starts), np.zeros(len(rows), np.int16))
    answers = Exact(database).ask(unit(query))
    n = len(starts) - 1
    allowed = np.ones(n, bool) if allowed is None else np.array(allowed)
    channel = np.zeros(len(query), np.int16) if channel is None else np.array(channel)
    return Query(
        s=ExactAnswers.masked(answers.s, allowed),
        channel=channel,
        allowed=allowed,
        nearest=lambda k: answers.nearest(allowed, k),
        database=database,
        scan=lambda: pytest.fail("no aggregation here looks at the scan"),
        verify=lambda case, steps: 5.0 - case,
        rank_scores=lambda *, variants=True: ranked(answers.s, channel, allowed, database),
    )


def ranked(s, channel, allowed, database) -> RankScores:
    """Whoever agrees best in one channel is first in both lists."""
    means = [weights(s[channel == each]).mean(axis=0) for each in np.unique(channel)]
    scores = np.rint(np.max(means, axis=0) * ONE).astype(np.int64)
    there = allowed & (np.diff(database.starts) > 0)
    return RankScores(*(np.where(there, scores, -1)[None] for _ in range(2)))


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


def alike(*copies: int, allowed=None) -> Query:
    """Ten slices that everybody resembles (0.6 to 0.8); 0.97 for the copies."""
    s = np.random.default_rng(0).uniform(0.6, 0.8, (10, 12)).astype(np.float32)
    s[:, list(copies)] = 0.97
    allowed = np.ones(12, bool) if allowed is None else np.array(allowed)
    database = Database(np.zeros((12, 2), np.float32), np.arange(13), np.zeros(12, np.int16))
    masked = ExactAnswers.masked(s, allowed)
    return Query(masked, np.zeros(10, np.int16), allowed, pytest.fail, database, pytest.fail)


def test_the_own_score_is_high_for_a_copy_and_low_without_it():
    score = AGGREGATIONS["dvdup"].score
    copy = score(alike(2))
    assert copy.argmax() == 2
    assert copy.max() > 0.65
    assert score(alike(2, allowed=np.arange(12) != 2)).max() < 0.1


@pytest.mark.parametrize("allowed", [np.arange(12) < 3, np.arange(12) < 8, None])
def test_the_own_score_of_a_case_depends_on_it_alone(allowed):
    """Not on who else is there, and not on other copies."""
    score = AGGREGATIONS["dvdup"].score
    one, two = score(alike(2)), score(alike(2, 7, allowed=allowed))
    assert two[2] == one[2]


def test_the_own_score_with_variants_is_the_rank_score_by_change():
    query = dataclasses.replace(
        alike(),
        rank_scores=lambda: RankScores(np.array([[ONE, ONE // 2, 0, -1]]), np.zeros((1, 4))),
    )
    assert AGGREGATIONS["dvdup"].variants(query).tolist() == [1.0, 0.5, 0.0, -np.inf]
