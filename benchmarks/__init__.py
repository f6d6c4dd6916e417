"""Measurements on real data, against peers."""

from .report import environment, render_table, row, update_tables, write_results

__all__ = ["environment", "render_table", "row", "update_tables", "write_results"]
