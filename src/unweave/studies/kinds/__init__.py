"""Kinds of studies, one a file."""
