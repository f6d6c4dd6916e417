"""How vectors lie on disk: one file a format."""
