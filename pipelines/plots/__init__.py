"""Pictures of spaces, of who finds whom, of retrieval and of classifiers, as PNG, SVG or HTML."""
