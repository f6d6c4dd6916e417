"""The same collections and indexes in Milvus."""
