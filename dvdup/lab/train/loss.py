"""The loss: of all other views in the batch, a view must be nearest to its pair.

Symmetric cross-entropy over cosines at a low temperature (InfoNCE, van den Oord et al., arXiv
1807.03748), with the views of the same side as further negatives (NT-Xent, Chen et al., arXiv
2002.05709): unedited scans of different persons are what a search compares most.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812


def copy_loss(
    first: torch.Tensor, second: torch.Tensor, ignore: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Compute the loss of a batch.

    Args:
        first: float32 (N, D), embeddings of any length.
        second: float32 (N, D), row i shows the same as row i of `first`.
        ignore: bool (N, N), pairs that are no negatives; false on the diagonal.
        temperature: Cosines are divided by it.

    Returns:
        A number, mean over the views.
    """
    first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
    itself = torch.eye(len(first), dtype=torch.bool)
    targets = torch.arange(len(first))

    def of(rows: torch.Tensor, others: torch.Tensor, never: torch.Tensor) -> torch.Tensor:
        across = (rows @ others.T).masked_fill(never, -torch.inf)
        beside = (rows @ rows.T).masked_fill(never | itself, -torch.inf)
        return F.cross_entropy(torch.cat([across, beside], 1) / temperature, targets)

    return (of(first, second, ignore) + of(second, first, ignore.T)) / 2


def hits(first: torch.Tensor, second: torch.Tensor, ignore: torch.Tensor) -> float:
    """Share of the edited views whose nearest little edited view is their own."""
    cosines = F.normalize(second, dim=1) @ F.normalize(first, dim=1).T
    nearest = cosines.masked_fill(ignore.T, -torch.inf).argmax(dim=1)
    return float((nearest == torch.arange(len(first))).float().mean())
