"""How well copies are found: the protocol of the paper and its extensions, on anybody's scans.

In: scans. Out: one `Result` that is rendered as table, JSON, Markdown or plots. Every scan is once
a query whose person is taken out of the database (nothing must be found), and often one that was
edited (its source must be found, and nobody else). Thresholds for a person are fitted on others.

```
run           find scans, read, describe, ask, judge
workers       what runs in parallel: edit, slice, embed, score
aggregations  from slices to one score a case; a file each
pairs         what the voxels of two scans say, for the aggregation `verified`
statistics    thresholds, rates, intervals
```
"""

from dvdup.lab.bench.aggregations import ABLATIONS
from dvdup.lab.bench.baselines import BASELINES
from dvdup.lab.bench.document import Document, from_json, schema, to_document, to_json
from dvdup.lab.bench.plan import Voxels
from dvdup.lab.bench.plots import draw
from dvdup.lab.bench.run import Options, measure
from dvdup.lab.bench.tables import FORMATS, demand_format, markdown, render, summary

__all__ = [
    "ABLATIONS",
    "BASELINES",
    "FORMATS",
    "Document",
    "Options",
    "Voxels",
    "demand_format",
    "draw",
    "from_json",
    "markdown",
    "measure",
    "render",
    "schema",
    "summary",
    "to_document",
    "to_json",
]
