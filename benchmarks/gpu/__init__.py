"""What a GPU does: prepared, in parts with a time of their own each."""
