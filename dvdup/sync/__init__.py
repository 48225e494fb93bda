"""Bring an index in line with the files of a dataset."""
