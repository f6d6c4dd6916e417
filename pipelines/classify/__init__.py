"""Texts of all languages labelled by labels of one."""
