"""What all measurements share: persons, samples, scans in memory, statistics, figures."""
