"""Where datasets of Hugging Face `datasets` come from; no code of a dataset is ever run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unweave._extras import imported
from unweave._storage import cache_folder
from unweave.datasets.names import parse

__all__ = ["opened", "package"]


def opened(name: str, config: str | None, download: bool) -> Any:
    """The table, or the tables by split, that a name stands for: saved, Parquet, or of the hub.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or the dataset is not on this machine.
    ConnectionError
        If it cannot be downloaded.
    ValueError
        If a folder holds nothing of this kind.
    """
    hf = package()
    path = Path(os.path.expanduser(name))
    if not path.exists():
        if parse(f"hf:{name}").name != name or path.is_absolute() or name.startswith("."):
            raise FileNotFoundError(f"there is no folder {path}")
        return _from_hub(hf, name, config, download)
    if path.is_dir() and any((path / f).exists() for f in ("state.json", "dataset_dict.json")):
        return hf.load_from_disk(str(path))
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    if not files or path.is_file() and path.suffix.lower() != ".parquet":
        raise ValueError(
            f"{path} is neither a folder that save_to_disk wrote, nor a Parquet file or a folder "
            "of them: save the dataset with dataset.save_to_disk"
        )
    kept = str(cache_folder() / "huggingface")
    given = {"data_files": str(path)} if path.is_file() else {"data_dir": str(path)}
    with _offline(hf):
        return hf.load_dataset("parquet", cache_dir=kept, **given)


def _from_hub(hf: Any, name: str, config: str | None, download: bool) -> Any:
    if download:
        try:
            return hf.load_dataset(name, config)
        except (OSError, hf.exceptions.DatasetNotFoundError) as error:
            raise ConnectionError(
                f"{name} cannot be downloaded from the Hugging Face hub ({_first_line(error)})"
            ) from error
    try:
        with _offline(hf):
            return hf.load_dataset(name, config)
    except (OSError, hf.exceptions.DatasetNotFoundError) as error:
        raise FileNotFoundError(
            f"the dataset {name} of the Hugging Face hub is not on this machine, and nothing is "
            f"downloaded unless you ask for it: add ?download=true (download=True in Python), or "
            "save it elsewhere with save_to_disk and give hf:FOLDER"
        ) from error


@contextmanager
def _offline(hf: Any) -> Iterator[None]:
    """No connection is made, and no bar is shown of tables that are read."""
    # The environment variable is read when the packages are imported, which was before.
    import huggingface_hub.constants as hub

    places = (hf.config, hub)
    before = [place.HF_HUB_OFFLINE for place in places]
    shows_bars = not hf.are_progress_bars_disabled()
    for place in places:
        place.HF_HUB_OFFLINE = True
    hf.disable_progress_bars()
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value
        if shows_bars:
            hf.enable_progress_bars()


def package() -> Any:
    """The package `datasets`."""
    return imported("datasets", needed_by="a Hugging Face dataset", extra="huggingface")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split(os.linesep)[0]
