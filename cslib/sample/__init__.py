"""A synthetic business whose truth is documented."""
