"""Datasets of the literature, read from their official files."""
