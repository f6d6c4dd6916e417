"""Knowledge graphs aligned."""
