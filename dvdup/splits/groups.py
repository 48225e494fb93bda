"""From pairs to groups: cases that are copies or of one subject, directly or through others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise

from dvdup.hashing import group_id
from dvdup.records import GroupedCase, IndexedCase, Key, Pair
from dvdup.rows import ONE_SCAN, part_of


def grouped(cases: Sequence[IndexedCase], pairs: Iterable[Pair]) -> tuple[GroupedCase, ...]:
    """Give every case its group.

    Args:
        cases: All cases, in any order.
        pairs: Which belong together; both of them among the cases.

    Returns:
        Sorted by (split, case_id). The ids of groups do not depend on any order.
    """
    ordered = sorted(cases, key=lambda case: case.key)
    names = _names([case.key for case in ordered], pairs)
    return tuple(
        GroupedCase(
            split=case.split,
            case=case.case_id,
            group=names[case.key],
            subject=case.group,
            paths=_paths(case),
            checked=case.status == "ok",
        )
        for case in ordered
    )


def _paths(case: IndexedCase) -> tuple[str, ...]:
    """Its paths; of a row of an array with its number, which makes them its own."""
    part = "" if case.series == ONE_SCAN else part_of(case.series)
    return tuple(path + part for path in case.paths)


def _names(keys: Sequence[Key], pairs: Iterable[Pair]) -> dict[Key, str]:
    """The id of the group of every case: the connected components of the pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {key: i for i, key in enumerate(keys)}
    edges = sorted({(place[a], place[b]) for a, b in pairs})
    ends = tuple(zip(*edges, strict=True)) or ((), ())
    graph = coo_array(([1] * len(edges), ends), shape=(len(keys), len(keys)))
    _, numbers = connected_components(graph, directed=False)
    members: dict[int, list[Key]] = {}
    for key, number in zip(keys, numbers.tolist(), strict=True):
        members.setdefault(number, []).append(key)
    return {
        key: name
        for found in members.values()
        for name in [group_id("/".join(each) for each in found)]
        for key in found
    }


def groups_of(cases: Iterable[GroupedCase]) -> dict[str, tuple[GroupedCase, ...]]:
    """The members of every group by its id, in the order of the cases."""
    found: dict[str, list[GroupedCase]] = {}
    for case in cases:
        found.setdefault(case.group, []).append(case)
    return {name: tuple(members) for name, members in found.items()}


def pairs_of_subjects(
    cases: Iterable[IndexedCase], accepted: Collection[frozenset[Key]]
) -> Iterator[Pair]:
    """Pairs of cases that the dataset declares to be of one subject.

    Args:
        cases: All cases.
        accepted: Pairs that somebody has accepted in different splits, which join nobody.
    """
    subjects: dict[str, list[Key]] = {}
    for case in cases:
        if case.group:
            subjects.setdefault(case.group, []).append(case.key)
    parted = _by_case(accepted)
    for keys in subjects.values():
        apart = any(key in parted for key in keys)
        for a, b in combinations(keys, 2) if apart else pairwise(keys):
            if b not in parted.get(a, ()):
                yield a, b


def _by_case(pairs: Iterable[frozenset[Key]]) -> Mapping[Key, set[Key]]:
    found: dict[Key, set[Key]] = {}
    for pair in pairs:
        for key in pair:
            found.setdefault(key, set()).update(pair - {key})
    return found
