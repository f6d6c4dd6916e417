"""Linking as a reconciliation service, such as OpenRefine asks."""
