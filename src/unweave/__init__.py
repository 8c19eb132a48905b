"""Unsupervised disentanglement: measure it, learn it, and study how it scales.

The subpackages are imported by name, and only what is used is loaded: ``unweave.metrics`` and
``unweave.datasets`` need no torch.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
