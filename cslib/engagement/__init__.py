"""How customers use the product."""
