"""An explorer for representations: a page of linked views, saved, served or in a notebook."""

from unweave.explorer.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]
