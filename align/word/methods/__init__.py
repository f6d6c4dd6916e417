"""The methods that align two vocabularies: one file each."""
