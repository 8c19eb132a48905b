"""How a dataset is named: on the command line, in study files and in Python.

===========================  ====================================================================
``NAME``                     a dataset of the catalogue, as ``dsprites``
``NAME:PATH``                the same, from an official file or folder outside the cache
``FILE.npz``, ``FILE.h5``    images with or without factors, by keys
``FILE.npy``                 images
``FOLDER``                   image files, with or without a table of factors
``hf:OWNER/NAME``            a dataset of the Hugging Face hub
``hf:FOLDER``                one that ``save_to_disk`` wrote, or Parquet files
``package.module:object``    an object of Python
===========================  ====================================================================

Options may follow, as ``FOLDER?size=64&labels=folders``. In a value, ``%26``, ``%3F`` and ``%25``
stand for ``&``, ``?`` and ``%``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from unweave._check import suggestion
from unweave._objects import is_object_name
from unweave.datasets.catalogue import DATASETS

__all__ = ["FILE_SUFFIXES", "DatasetName", "canonical", "check_name", "parse", "with_options"]

FILE_SUFFIXES = (".npz", ".h5", ".hdf5", ".npy")
"""Suffixes of files that hold all images of a dataset."""
_FORMS = (
    "a name of the catalogue, as dsprites; NAME:PATH; a file, FILE.npz, FILE.h5 or FILE.npy; a "
    "folder of images; hf:OWNER/NAME or hf:FOLDER; package.module:object"
)
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_OPTION = re.compile(r"[A-Za-z_]\w*=")

Kind = Literal["catalogue", "path", "hf", "object"]


@dataclass(frozen=True)
class DatasetName:
    """A dataset's name in its parts; ``str`` of it is the name again."""

    kind: Kind
    name: str
    """A name of the catalogue; a path; what follows ``hf:``; or ``package.module:object``."""
    path: str | None = None
    """What follows the colon of a name of the catalogue."""
    options: tuple[tuple[str, str], ...] = ()
    """Keys and their decoded values."""

    def __str__(self) -> str:
        main = f"hf:{self.name}" if self.kind == "hf" else self.name
        if self.path is not None:
            main += f":{self.path}"
        # A path that holds a question mark ends with another one, so that it is read as it is.
        if not self.options and "?" not in main:
            return main
        pairs = (f"{key}={_encoded(value)}" for key, value in self.options)
        return f"{main}?{'&'.join(pairs)}"

    @property
    def label(self) -> str:
        """A short name for titles and messages, without folders and options."""
        if self.kind == "path" or (self.kind == "hf" and _is_local(self.name)):
            last = re.split(r"[\\/]", self.name.rstrip("\\/"))[-1]
            return _without_suffix(last) or "images"
        return self.name


def parse(name: str | Path) -> DatasetName:
    """The parts of a dataset's name. What it names need not exist.

    A path with a slash or a suffix that exists is taken as it is, whatever colons and question
    marks it holds; so is a ``Path``.

    Raises
    ------
    ValueError
        If the name can never be loaded: a word that is neither in the catalogue nor looks like a
        path nor ``package.module:object``; or options that are not ``key=value``.

    >>> parse("dsprites:files/own.npz?size=32").options
    (('size', '32'),)
    """
    if isinstance(name, Path):
        return DatasetName("path", str(name))
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a dataset is named by text, not by {name!r}: give {_FORMS}")
    text = name.strip()
    if _looks_like_path(text) and _exists(text):
        return DatasetName("path", text)
    main, options = _split(text)
    return replace(_main(main), options=options)


def canonical(name: str | Path) -> str:
    """The name as descriptions of runs and study files keep it: with absolute paths.

    The file or folder need not exist. A name that is canonical stays as it is.

    Raises
    ------
    ValueError
        As :func:`parse`.

    >>> canonical("dsprites?size=32")
    'dsprites?size=32'
    """
    found = parse(name)
    if found.path is not None:
        found = replace(found, path=_absolute(found.path))
    elif found.kind == "path" or (found.kind == "hf" and _is_local(found.name)):
        found = replace(found, name=_absolute(found.name))
    options = sorted((key, _absolute_file(value, found)) for key, value in found.options)
    return str(replace(found, options=tuple(options)))


def check_name(name: str) -> str:
    """The name itself, unless it can never be loaded.

    Raises
    ------
    ValueError
        As :func:`parse`.
    """
    parse(name)
    return name


def with_options(name: str | Path, **options: Any) -> str:
    """The name with further options, which replace those of the same key; None leaves one out.

    Raises
    ------
    ValueError
        As :func:`parse`.

    >>> with_options("faces.npz?size=64", size=(48, 64), resample="box")
    'faces.npz?size=48x64&resample=box'
    """
    found = parse(name)
    merged = dict(found.options)
    for key, value in options.items():
        if value is not None:
            merged[key] = _written(value)
    return str(replace(found, options=tuple(merged.items())))


def _main(text: str) -> DatasetName:
    """What the part before the options names."""
    if text in DATASETS:
        return DatasetName("catalogue", text)
    if _looks_like_path(text) and _exists(text):
        return DatasetName("path", text)
    if _ADDRESS.match(text):
        raise ValueError(
            f"datasets are not read from addresses, as {text}: download the file and give its "
            "path, or use `unweave data fetch`, or hf:OWNER/NAME for the Hugging Face hub"
        )
    word, colon, rest = text.partition(":")
    if colon and (word in DATASETS or word == "hf") and not rest:
        raise ValueError(f"{text} ends with a colon: what follows it is missing")
    if colon and word in DATASETS:
        return DatasetName("catalogue", word, rest)
    if colon and word == "hf":
        if not _is_local(rest) and not _HUB.fullmatch(rest):
            raise ValueError(f"{text} is not a name of the Hugging Face hub: give hf:OWNER/NAME")
        return DatasetName("hf", rest)
    if _is_object(text):
        return DatasetName("object", text)
    is_foreign = colon and word.isidentifier() and len(word) > 1  # as a misspelled NAME:PATH
    if not is_foreign and (_looks_like_path(text) or _exists(text)):
        return DatasetName("path", text)
    raise ValueError(
        f"unknown dataset {text!r}{suggestion(word if colon else text, DATASETS)}: it is neither a "
        f"dataset of the catalogue nor a folder here; give {_FORMS}; the catalogue has "
        f"{', '.join(DATASETS)}"
    )


def _split(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What comes before the options, and the options."""
    main, mark, tail = text.rpartition("?")
    if not mark:
        return text, ()
    if not tail:
        return main, ()
    parts = [part for part in tail.split("&") if part]
    wrong = [part for part in parts if not _OPTION.match(part)]
    if wrong and re.search(r"[\\/]", tail):  # the question mark is part of a path
        return text, ()
    if wrong:
        raise ValueError(
            f"{text}: options after the ? are written key=value and separated by &, not "
            f"{wrong[0]!r}"
        )
    pairs = [part.split("=", 1) for part in parts]
    keys = [key for key, _ in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ValueError(f"{text}: the option {twice[0]} is given twice")
    return main, tuple((key, unquote(value)) for key, value in pairs)


def _written(value: Any) -> str:
    """An option's value as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_written(item)}" for key, item in value.items())
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(n, int) for n in value):
        return str(value[0]) if value[0] == value[1] else f"{value[0]}x{value[1]}"
    if isinstance(value, list | tuple):
        return ",".join(map(_written, value))
    return str(value)


def _encoded(value: str) -> str:
    return re.sub("[%&?]", lambda found: f"%{ord(found[0]):02X}", value)


def _is_object(text: str) -> bool:
    return is_object_name(text) and os.path.splitext(text)[1].lower() not in FILE_SUFFIXES


def _is_local(text: str) -> bool:
    """Whether what follows ``hf:`` is a folder or file of this machine, not a name of the hub."""
    return (
        text.startswith(("/", "\\", "~", "."))
        or bool(_DRIVE.match(text))
        or text.count("/") + text.count("\\") > 1
        or text.lower().endswith(".parquet")
        or _exists(text)
    )


def _looks_like_path(text: str) -> bool:
    return (
        bool(re.search(r"[\\/]", text))
        or text.startswith(("~", "."))
        or os.path.splitext(text)[1].lower() in FILE_SUFFIXES
        or (bool(os.path.splitext(text)[1]) and _exists(text))
    )


def _exists(text: str) -> bool:
    try:
        return os.path.exists(os.path.expanduser(text))
    except (OSError, ValueError):  # a path that no file system can hold
        return False


def _absolute(path: str) -> str:
    """The path from the root on; one that is so on another system is left as it is."""
    if os.name != "nt" and (_DRIVE.match(path) or path.startswith("\\\\")):
        return path
    if os.name == "nt" and path.startswith("/"):
        return path
    return os.path.abspath(os.path.expanduser(path))


def _absolute_file(value: str, name: DatasetName) -> str:
    """The value of an option; the whole path if it names a file here, and none in the folder."""
    is_inside = name.kind == "path" and os.path.isfile(os.path.join(name.name, value))
    has_suffix = bool(os.path.splitext(value)[1])
    return _absolute(value) if has_suffix and not is_inside and _exists(value) else value


def _without_suffix(file: str) -> str:
    stem, suffix = os.path.splitext(file)
    return stem if suffix.lower() in (*FILE_SUFFIXES, ".parquet") else file
