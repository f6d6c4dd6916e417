"""Maps between embedding spaces: arrays in, arrays out."""
