"""A matplotlib figure that a notebook shows. Imported on first use: matplotlib is slow."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A figure outside pyplot, drawn where it is the last expression of a cell.

    Notebooks know how to draw a plain ``Figure`` only after ``%matplotlib inline`` or an import of
    pyplot. Where they do, they draw this one in their way, and once.
    """

    def _repr_png_(self) -> bytes:
        """The picture, as notebooks ask for it."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", bbox_inches="tight")
        return buffer.getvalue()
