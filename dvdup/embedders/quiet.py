"""Keep the chatter of model libraries off stderr."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Drop log records up to WARNING and Python warnings while the block runs.

    Process-wide, so it wraps imports, model building and downloads only, never `embed`.
    """
    root = logging.getLogger()
    # logging.warning() on a root logger without handlers installs one for good.
    guard = logging.NullHandler()
    before = logging.root.manager.disable
    root.addHandler(guard)
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.removeHandler(guard)
