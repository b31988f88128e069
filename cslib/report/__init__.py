"""Runs notebooks and publishes reports."""
