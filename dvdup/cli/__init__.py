"""The command line: every command parses, calls one function below, prints, and returns a code.

Nothing heavy is imported here or at the top of a command's module, so that `dvdup --help` is
instant.
"""

from dvdup.cli.entry import app, main

__all__ = ["app", "main"]
