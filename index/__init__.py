"""Vector indexes and collections: store vectors with ids and metadata, and search them."""
