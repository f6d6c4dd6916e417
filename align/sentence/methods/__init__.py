"""The methods that align sentence vectors: one file each."""
