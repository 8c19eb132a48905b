"""An explorer of a representation: one page, saved, served or shown in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unweave._check import check_positive
from unweave._storage import written_whole
from unweave.datasets import ImageDataset
from unweave.explorer.content import (
    ROWS_OF_IMAGES,
    Content,
    Progress,
    content_of_codes,
    content_of_models,
)
from unweave.explorer.page import assemble
from unweave.explorer.server import PageServer

__all__ = ["Explorer", "explore"]

_HEIGHT = 900  # pixels in a notebook


class Explorer:
    """A page in which a representation can be played with.

    In a notebook it shows itself. :func:`explore` makes it.
    """

    def __init__(self, content: Content, title: str) -> None:
        self._content = content
        self.title = title
        self.height = _HEIGHT
        """Height in a notebook, in pixels."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the page should know, as it says itself.

        A saved page adds :attr:`saved_notes`.
        """
        own = [note for model in self._content.page["models"] for note in model["notes"]]
        return tuple(dict.fromkeys([*self._content.page["notes"], *own]))

    @property
    def saved_notes(self) -> tuple[str, ...]:
        """What a saved page lacks, and a served one does not."""
        return tuple(self._content.page["saved_notes"])

    def html(self) -> str:
        """The page as text, one file that needs nothing else."""
        return assemble(self._content.page, title=self.title)

    def save(self, file: str | Path) -> Path:
        """Write the page, whole or not at all, and return its path.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        file = Path(file)
        with written_whole(file) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")
        return file

    def server(self, *, port: int = 0) -> PageServer:
        """A server of the page on this machine alone, with its images that no page would hold.

        Call its ``serve_forever()``; ``address`` says where the page is.

        Parameters
        ----------
        port
            Port; 0 for any that is free.

        Raises
        ------
        OSError
            If the port is taken.
        """
        page = assemble(self._content.page, title=self.title, is_served=True)
        return PageServer(page, self._content.image, self._content.n_images, port=port)

    def _repr_html_(self) -> str:
        page = html.escape(self.html(), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="{html.escape(self.title)}" sandbox="allow-scripts" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Explorer({self.title!r}); save('page.html') writes it"


def explore(
    model: object,
    dataset: ImageDataset | str | None = None,
    *,
    against: object = None,
    factors: object = None,
    factor_names: Sequence[str] | None = None,
    factor_kinds: Sequence[str | None] | None = None,
    images: object = None,
    rows: int | None = None,
    seed: int = 0,
    geomancer: bool = False,
    title: str | None = None,
    progress: Progress | None = None,
) -> Explorer:
    """A page in which a model, its codes and its factors can be played with.

    Parameters
    ----------
    model
        A :class:`~unweave.models.VAE`; an encoder, or its name, as of
        :func:`~unweave.encoders.load_encoder`; or codes (rows, latents) as metrics take them.
    dataset
        Images for a model, or their name; by default those that the model was trained on, if its
        name says which they are.
    against
        Another model of the same images, or other codes of the same rows, to compare with.
    factors, factor_names, factor_kinds
        For codes: factors (rows, factors) of the same rows, as metrics take them.
    images
        For codes: images (rows, height, width, channels) of the same rows.
    rows
        Largest number of rows to show, drawn at random: 5,000 by default, or 10,000 of codes.
    seed
        Seed for drawing rows, and for the scores.
    geomancer
        Look for GEOMANCER's subspaces in the codes, for the map.
    title
        Heading of the page.
    progress
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Explorer
        It shows itself in a notebook; ``save(file)`` writes one self-contained file.

    Raises
    ------
    ValueError
        If there are no images for a model, what is given does not belong together, or holds nan.
    FileNotFoundError, ImportError
        As :func:`~unweave.encoders.load_encoder`.

    >>> rng = np.random.default_rng(0)
    >>> explore(rng.standard_normal((100, 3)), title="Noise")
    Explorer('Noise'); save('page.html') writes it
    """
    if _is_array(model):
        if dataset is not None:
            raise ValueError(
                "codes need no dataset: give images and factors of the same rows as images= and "
                "factors=, or a model in place of the codes"
            )
        content = content_of_codes(
            model,
            factors,
            images,
            factor_names=factor_names,
            factor_kinds=factor_kinds,
            against=None if against is None else ("other codes", against),
            rows=rows,
            seed=seed,
            geomancer=geomancer,
            progress=progress,
        )
        return Explorer(content, title or "Codes")
    for option, given in (("factors", factors), ("images", images)):
        if given is not None:
            raise ValueError(
                f"{option} are for codes, and a model has those of its dataset: give the dataset"
            )
    return _of_models(model, dataset, against, rows, seed, geomancer, title, progress)


def _of_models(
    model: object,
    dataset: ImageDataset | str | None,
    against: object,
    rows: int | None,
    seed: int,
    geomancer: bool,
    title: str | None,
    progress: Progress | None,
) -> Explorer:
    from unweave._extras import require

    require("studies", needed_by="an explorer of a model")
    from unweave.datasets import load
    from unweave.datasets.selection import scoring_rows
    from unweave.encoders.run import trained_on
    from unweave.explorer.represented import represent, with_network

    if dataset is None and isinstance(model, str):
        dataset = trained_on(model)
    if dataset is None:
        if isinstance(model, str):
            with_network(model, None)  # an unknown name is to be named as such
        raise ValueError(
            "it is not known which images the model is for: give the dataset, as "
            "explore(model, 'rooms?size=32')"
        )
    data = load(dataset) if isinstance(dataset, str) else dataset
    given = [model] if against is None else [model, against]
    networks = [with_network(one, data) for one in given]
    n_rows = check_positive("rows", ROWS_OF_IMAGES if rows is None else rows, minimum=2)
    chosen = scoring_rows(data, n_rows, seed=seed)
    names = _names(networks)
    shown = [
        represent(network, data, chosen, name=name, share=1 / len(networks), progress=progress)
        for network, name in zip(networks, names, strict=True)
    ]
    content = content_of_models(
        shown, data, chosen, seed=seed, geomancer=geomancer, progress=progress
    )
    return Explorer(content, title or f"{' and '.join(names)} on {data.name}")


def _names(networks: Sequence[Any]) -> list[str]:
    """A name for each, those of their cards where they have one."""
    cards = [getattr(network, "card", None) for network in networks]
    names = ["model" if card is None else card.name for card in cards]
    if len(set(names)) < len(names):
        names = [f"{name} ({i + 1})" for i, name in enumerate(names)]
    return names


def _is_array(given: object) -> bool:
    """Whether it is codes, and not a model: an array, a tensor, a frame, or a list of rows."""
    return isinstance(given, list | tuple | np.ndarray) or hasattr(given, "shape")
