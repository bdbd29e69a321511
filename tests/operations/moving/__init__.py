"""A site that moves here from another package, one deployment after the other."""
