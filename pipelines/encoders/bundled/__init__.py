"""multilingual-e5-small out of a wheel, without any download."""
