"""Decisions to findings: the reason in words, and the numbers as the JSON contract has them."""

from __future__ import annotations

from dvdup.records import Finding, PairDecision
from dvdup.report.json import alignment_of, voxel_of
from dvdup.report.sentences import reason


def finding_of(decision: PairDecision) -> Finding:
    """A decision as every format renders it."""
    score, result = decision.score, decision.result
    return Finding(
        a=decision.a,
        b=decision.b,
        verdict=decision.verdict,
        basis=decision.basis,
        reason=reason(decision),
        confidence=decision.confidence,
        count_score=score.count_score if score else None,
        shared_score=score.shared_score if score else None,
        similarity=score.similarity if score else None,
        fingerprint=decision.fingerprint,
        alignment=alignment_of(result) if result else None,
        voxel=voxel_of(result) if result else None,
    )
