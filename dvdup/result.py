"""A report as scripts and notebooks have it: the record, and what can be made of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from dvdup import frames, records
from dvdup.errors import IncompleteError, InstallError, LeakError
from dvdup.report.lines import pair_line, unchecked_line
from dvdup.report.meanings import fails
from dvdup.report.names import counted
from dvdup.report.notebook import fragment
from dvdup.report.table import render as table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_WIDTH = 80  # columns of the table that `print` shows
_NAMED = 10  # problems that an error lists


@dataclass(frozen=True, slots=True)
class Report(records.Report):
    """What a comparison found: its findings, what could not be checked, and its settings.

    A notebook and `print` show it as a table. `render` of the package writes it in any format.
    """

    @classmethod
    def of(cls, found: records.Report) -> Report:
        """Make one of the record that commands return."""
        return cls(**{each.name: getattr(found, each.name) for each in fields(found)})

    @property
    def leaks(self) -> tuple[records.Finding, ...]:
        """The findings that make `dvdup check` fail: not accepted, and named by `fail_on`."""
        return tuple(pair for pair in self.pairs if fails(self, pair))

    def raise_for_leaks(self, *, allow_unreadable: bool = False) -> None:
        """Raise an error if the splits are not clean; for the tests of a dataset.

        Args:
            allow_unreadable: Whether cases that could not be read may be left out of the answer.
                Those that the index does not hold as they are never may.

        Raises:
            LeakError: There are findings that make `dvdup check` fail; names the first ten.
            IncompleteError: There are none, but something could not be checked.
        """
        if self.leaks:
            raise LeakError(_listed("finding", [pair_line(pair) for pair in self.leaks]))
        unchecked = [
            unchecked_line(case)
            for case in self.unreadable
            if case.kind == "stale" or not allow_unreadable
        ]
        if unchecked:
            raise IncompleteError(_listed("unchecked case", unchecked))

    def to_arrow(self) -> pa.Table:
        """Return the pairs as a table of Arrow, one row each, strongest first.

        Columns: verdict; split, case, group and paths of both sides (`a_split` and so on); basis,
        reason; confidence and strength (float64); `count_score`, `shared_score` and `similarity` in
        both directions (`similarity_a_to_b`, float64, -1 to 1); accepted (bool) with its reason and
        date; fingerprint. What is not known is null. They are the same for every report.
        """
        return frames.pairs(self)

    def unreadable_to_arrow(self) -> pa.Table:
        """Return what could not be checked, as a table: kind, split, case, paths, reason."""
        return frames.unreadable(self)

    def to_pandas(self) -> pd.DataFrame:
        """Return the table of `to_arrow` as a data frame of pandas, which dvdup does not install.

        Raises:
            InstallError: There is no pandas.
        """
        try:
            import pandas  # noqa: F401 - pyarrow needs it
        except ImportError as error:
            raise InstallError(
                "Report.to_pandas needs pandas; run `pip install pandas`, or use to_arrow"
            ) from error
        return self.to_arrow().to_pandas()

    def __str__(self) -> str:
        return table(self, _WIDTH, color=False)

    def _repr_html_(self) -> str:
        return fragment(self)


def _listed(noun: str, lines: list[str]) -> str:
    """The number of problems and the first of them, a line each."""
    left = len(lines) - _NAMED
    more = [f"... and {counted(left, f'more {noun}')}"] if left > 0 else []
    return "\n".join((f"{counted(len(lines), noun)}:", *lines[:_NAMED], *more))
