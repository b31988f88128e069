"""How customers feel, and what it costs."""
