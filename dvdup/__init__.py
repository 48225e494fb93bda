"""dvdup finds medical scans that lie in more than one split of a dataset."""

__version__ = "0.1.0"
