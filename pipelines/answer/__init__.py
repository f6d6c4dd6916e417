"""Questions answered by matching, or left open; replies chosen."""
