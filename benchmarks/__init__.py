"""Measurements on real data, against peers."""
