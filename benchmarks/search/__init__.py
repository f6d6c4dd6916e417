"""Search, answers, indexes, and what a crash leaves."""
