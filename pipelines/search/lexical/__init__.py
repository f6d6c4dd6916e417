"""Words beside vectors: names, numbers and terms that stand in a text as they stand in the question."""
