"""What tells the language in a vector: measured, and removed."""
