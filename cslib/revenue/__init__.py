"""Recurring revenue, what moves it, and what keeping it costs."""
