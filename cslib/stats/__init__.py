"""Counts or rows in, estimates out; knows no table of ours."""
