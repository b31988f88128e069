"""Who leaves, when and why, and whom to call first."""
