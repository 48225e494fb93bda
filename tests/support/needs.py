"""Marks of tests that an extra of the package is needed for."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_models = pytest.mark.skipif(find_spec("torch") is None, reason="needs the extra models")
needs_bench = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs the extra bench")
