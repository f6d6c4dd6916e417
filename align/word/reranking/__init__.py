"""Candidates of a translation chosen anew, by vectors, frequencies and spelling."""
