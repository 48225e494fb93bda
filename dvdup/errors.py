"""The error tree of dvdup. Every expected failure is one of these; anything else is a bug.

```
DvdupError                  exit code 2
  ConfigError               dvdup.toml, an environment variable or a flag cannot be used
  InputError                what the user named cannot be used (path, ref, split, tag, pattern)
  ReadError                 one case cannot be read; carried as data, never ends a run by itself
    PointerError            the file is a git-lfs, DVC or annex pointer, its content is not here
  EmbedderError             unknown embedder, missing weights, wrong checkpoint
  InstallError              a package of an extra is not installed
  StoreError                the index cannot be read or written
    StoreMismatchError      the index was made with another embedder, recipe or format
    StoreDamagedError       the index is damaged
  Interrupted               the user asked to stop; what was finished is kept
  LeakError                 `Report.raise_for_leaks`: there are findings that fail a check
  IncompleteError           `Report.raise_for_leaks`: something could not be checked
```

A message is one line that says what is wrong, with which case or file, and what to do next.
"""

EXIT_FINDINGS = 1
"""Exit code of a comparison that found what `--fail-on` names."""
EXIT_FAILED = 2
"""Exit code of whatever could not be checked, or failed."""


class DvdupError(Exception):
    """Base of every expected failure; the command line turns it into one line and exit code 2."""


class ConfigError(DvdupError):
    """The configuration (file, environment or flag) cannot be used."""


class InputError(DvdupError):
    """Something the user named cannot be used: a path, a ref, a split, a tag, a pattern."""


class ReadError(DvdupError):
    """One case cannot be read. Becomes an `unreadable` entry of the result; the run goes on."""


class PointerError(ReadError):
    """The file is a pointer (git-lfs, DVC, git-annex); its content is not on this machine."""


class EmbedderError(DvdupError):
    """The embedder is unknown, or its weights are missing or do not fit."""


class InstallError(DvdupError):
    """A package that an extra brings (`pip install 'dvdup[models]'`) is not installed."""


class StoreError(DvdupError):
    """The index cannot be read or written."""


class StoreMismatchError(StoreError):
    """The index was made with another embedder, slicing recipe or format."""


class StoreDamagedError(StoreError):
    """The index is damaged: a file is missing, cut off or does not match its checksum."""


class LeakError(DvdupError):
    """A report has findings that make a check fail; raised for those who ask it to."""


class IncompleteError(DvdupError):
    """A report is of a check that could not see everything; raised for those who ask it to."""


class Interrupted(DvdupError):  # noqa: N818 - the user's wish; what was done is kept
    """The user asked to stop; everything finished so far has been kept."""
