"""The threshold of the voxel evidence, from the user's own scans.

In: an index. Out: one `Result`, which is stored in the configuration, printed and drawn. The null
distribution is that of the best stranger of each case; edited copies are the positives; rates and
intervals are those of the bench.

```
run        choose, measure, fit
pairs      who is compared with whom, who is edited how
work       what runs in parallel
threshold  strengths to a threshold
text       the table for the terminal
plot       the picture
```
"""

from dvdup.lab.calibrate.plot import demand_file, draw
from dvdup.lab.calibrate.run import BUDGET, Options, Result, calibrate, store
from dvdup.lab.calibrate.text import lines

__all__ = [
    "BUDGET",
    "Options",
    "Result",
    "calibrate",
    "demand_file",
    "draw",
    "lines",
    "store",
]
