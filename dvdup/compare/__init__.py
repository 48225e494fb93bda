"""Two sets of cases to the pairs that are copies: candidates, evidence, decisions, a report.

`engine` is the way from the top; `candidates`, `scores`, `search`, `match` and `verdicts` are
arithmetic on rows in memory, which knows nothing of where these come from.
"""
