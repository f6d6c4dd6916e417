"""Word vectors: lexicon induction, matching, translation."""
