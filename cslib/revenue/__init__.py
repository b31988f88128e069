"""What recurs, what moves it, and what keeping it costs."""
