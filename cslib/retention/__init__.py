"""Whether customers stay, and whether newer cohorts do better."""
