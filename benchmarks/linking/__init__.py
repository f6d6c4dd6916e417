"""Mentions linked and tables reconciled."""
