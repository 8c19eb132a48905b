"""The tensors of a TorchScript archive, as OpenAI ships CLIP, read without running its code."""

from __future__ import annotations

import io
import itertools
import math
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unweave._files import first_line
from unweave._limits import check_room

__all__ = ["archive_tensors", "is_torchscript"]

_CODE, _STATE, _STORAGES = "code/", "data.pkl", "data/"
_LARGEST_STATE = 1 << 21  # bytes of the list of modules; that of the largest CLIP has 150 kB
_DEEPEST = 100  # modules inside each other
_MOST_OPEN = 1000  # lists and tuples of a pickle inside each other
_MOST_ATTRIBUTES = 200_000  # of all modules, those of a shared one counted each time
_MOST_TENSORS = 100_000
_LONGEST_NAME = 1000  # characters
_MOST_AXES = 64
_STORAGE_TYPES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}


def is_torchscript(path: str | Path) -> bool:
    """Whether an archive is one of modules with their code."""
    with zipfile.ZipFile(path) as archive:
        inside = [name.partition("/")[2] for name in archive.namelist()]
    return _STATE in inside and any(name.startswith(_CODE) for name in inside)


def archive_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of an archive's modules, by the names of a state dict.

    The archive's code, its constants and the methods of its modules are never read.

    Raises
    ------
    ValueError
        If it is damaged, or its list of modules names anything but modules and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(n for n in archive.namelist() if n.partition("/")[2] == _STATE)
            folder = root.removesuffix(_STATE)
            if archive.getinfo(root).file_size > _LARGEST_STATE:
                raise ValueError(
                    f"its list of modules has more than {_LARGEST_STATE >> 20} MB, and that of a "
                    "network of 2,400 modules has half a megabyte"
                )
            state = _Modules(io.BytesIO(archive.read(root))).load()
            names = _named(state, "", 0, iter(range(_MOST_ATTRIBUTES)))
            views = dict(itertools.islice(names, _MOST_TENSORS + 1))
            if len(views) > _MOST_TENSORS:
                raise ValueError(f"it has more than {_MOST_TENSORS:,} tensors")
            check_room(sum(view.n_bytes for view in views.values()), "its tensors")
            storages: dict[str, bytearray] = {}
            for view in views.values():
                if view.storage.key not in storages:
                    content = archive.read(f"{folder}{_STORAGES}{view.storage.key}")
                    storages[view.storage.key] = bytearray(content)
            return {name: view.tensor(storages) for name, view in views.items()}
    except Exception as error:  # of a damaged pickle any, as IndexError and AttributeError
        raise ValueError(
            f"{path} cannot be read as a TorchScript archive of tensors alone: "
            f"{first_line(error)}; its code is never run for --weights (torchscript:FILE runs it, "
            "for files that you trust)"
        ) from error


@dataclass(frozen=True)
class _Storage:
    """Numbers of a file in a row."""

    key: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _View:
    """A tensor, whose numbers are not read yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of its numbers, side by side."""
        return math.prod(self.shape) * self.storage.dtype.itemsize

    def tensor(self, storages: dict[str, bytearray]) -> Tensor:
        """Its numbers, which must lie inside those stored."""
        content = storages[self.storage.key]
        n = len(content) // self.storage.dtype.itemsize
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if min((self.offset, *self.shape, *self.strides)) < 0 or math.prod(self.shape) > n:
            raise ValueError(f"a tensor of shape {self.shape} is a view of {n} numbers")
        if not math.prod(self.shape):
            return torch.empty(self.shape, dtype=self.storage.dtype)
        if last >= n:
            raise ValueError(f"a tensor ends at number {last}, and {n} are stored")
        flat = torch.frombuffer(content, dtype=self.storage.dtype)
        return flat.as_strided(self.shape, self.strides, self.offset).clone()


class _Module:
    """A module of the archive: its attributes, without its class."""


_READ = pickle._Unpickler.dispatch  # how Python reads each instruction


def _build(unpickler: Any) -> None:
    """Set the attributes of a module, and of nothing else, as of a class or of a function."""
    state = unpickler.stack.pop()
    found = unpickler.stack[-1]
    if type(found) is not _Module or type(state) is not dict:
        raise ValueError(f"it sets attributes of a {type(found).__name__}")
    vars(found).update({str(name): value for name, value in state.items()})


def _mark(unpickler: Any) -> None:
    if len(unpickler.metastack) >= _MOST_OPEN:
        raise ValueError(f"its lists lie more than {_MOST_OPEN:,} deep in each other")
    _READ[pickle.MARK[0]](unpickler)


def _set_item(unpickler: Any) -> None:
    _check_keys(unpickler.stack[-2:-1])
    _READ[pickle.SETITEM[0]](unpickler)


def _set_items(unpickler: Any) -> None:
    _check_keys(unpickler.stack[::2])
    _READ[pickle.SETITEMS[0]](unpickler)


def _check_keys(keys: list[Any]) -> None:
    # A tuple that holds another twice, and so on, takes for ever to hash and to spell.
    for key in keys:
        if not isinstance(key, str | int | float):
            raise ValueError(f"it has a key of type {type(key).__name__}")


def _refuse(_unpickler: Any) -> None:
    raise ValueError("its list of modules has an instruction that PyTorch does not know")


_KNOWN = (
    "append", "appends", "binfloat", "binget", "binint", "binint1", "binint2", "binpersid",
    "binput", "binunicode", "empty_dictionary", "empty_list", "empty_tuple", "false", "global",
    "list", "long1", "long_binget", "long_binput", "newobj", "none", "proto", "reduce", "stop",
    "true", "tuple", "tuple1", "tuple2", "tuple3",
)  # fmt: skip


class _Modules(pickle._Unpickler):
    """Reads modules and tensors, and refuses every other name before it is looked up.

    Nothing that it lets a pickle name does more than make an object of this file, a plain type of
    Python or a view, whatever its arguments are. It knows the instructions that PyTorch's reader
    of TorchScript knows: none of them takes more memory than the pickle has bytes for, in Python's
    unpickler that is written in Python. The one in C makes a table as long as a pickle says.
    """

    dispatch = {
        **dict.fromkeys(range(256), _refuse),
        **{
            code: load
            for code, load in _READ.items()
            if load.__name__.removeprefix("load_") in _KNOWN
        },
        pickle.MARK[0]: _mark,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.BUILD[0]: _build,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if (module, name) == ("collections", "OrderedDict"):
            return _hooks
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        if module == "torch.jit._pickle":  # lists of one type, which are written with it
            return _first
        raise ValueError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        _, dtype, key, _, _ = pid
        if not isinstance(key, str):
            raise ValueError(f"the name of a storage is a {type(key).__name__}")
        return _Storage(key, dtype)


def _view(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _View:
    if len(shape) > _MOST_AXES or any(not -(2**63) <= n < 2**63 for n in (*shape, *strides)):
        raise ValueError(f"a tensor has more than {_MOST_AXES} axes, or one that is too long")
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _first(value: Any, *_: Any) -> Any:
    return value


def _hooks(*_: Any) -> dict[str, Any]:
    """What a tensor is written with, and always empty."""
    return {}


def _named(
    module: object, prefix: str, depth: int, budget: Iterator[int]
) -> Iterator[tuple[str, _View]]:
    """The tensors of a module and of the modules in it, with their names."""
    if depth > _DEEPEST:
        raise ValueError(f"its modules lie more than {_DEEPEST} deep in each other")
    for name, value in vars(module).items():
        # Modules that hold one another twice, and so on, have more names than there is time for.
        if next(budget, None) is None:
            raise ValueError(f"its modules have more than {_MOST_ATTRIBUTES:,} attributes")
        if not isinstance(value, _View | _Module):
            continue
        if len(prefix) + len(name) > _LONGEST_NAME:
            raise ValueError(f"the name of a tensor has more than {_LONGEST_NAME:,} characters")
        if isinstance(value, _View):
            yield f"{prefix}{name}", value
        else:
            yield from _named(value, f"{prefix}{name}.", depth + 1, budget)
