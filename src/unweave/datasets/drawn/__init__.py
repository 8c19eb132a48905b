"""Datasets that are drawn or rendered here."""
