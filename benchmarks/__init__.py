"""Measurements on real data, against peers; `python -m interlingua.benchmarks NAME` runs one."""
