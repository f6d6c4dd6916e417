"""Measurements on real data, against peers; each module is a command, `python -m interlingua.benchmarks.NAME`."""
