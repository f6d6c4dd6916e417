"""Words translated, dictionaries grown, translations remembered."""
