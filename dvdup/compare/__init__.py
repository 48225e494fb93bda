"""Candidates: variant rows, rank scores of pairs, and whom the voxels of a case are compared with.

Everything here is arithmetic on rows in memory; where rows come from is the business of others.
"""
