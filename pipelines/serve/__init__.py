"""Everything over HTTP, with a page for people: what `interlingua serve` starts."""
