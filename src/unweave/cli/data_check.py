"""`unweave data check`: what a dataset holds, and what each command can do with it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from unweave.cli.abilities import Ability, abilities
from unweave.cli.console import (
    counted,
    print_json,
    print_line,
    print_note,
    print_texts,
    progress_bar,
)
from unweave.cli.options import ImageSize, Json, ResizeFilter

if TYPE_CHECKING:
    from unweave.datasets.checking import FactorFindings, Findings

__all__ = ["data_check"]

_MOST_SHOWN = 20
_MOST_LEVELS = 8


def data_check(
    name: str,
    /,
    *,
    image_size: ImageSize | None = None,
    resize_filter: ResizeFilter | None = None,
    json: Json = False,  # noqa: A002
) -> None:
    """Say what was found in a dataset, and what each command can do with it.

    The exit code is 1 if files cannot be used, or if the dataset cannot be loaded as it is.

    Parameters
    ----------
    name
        A dataset: a name (`unweave data list`), NAME:PATH, FILE.npz, FILE.h5, FILE.npy, a folder
        of images, hf:OWNER/NAME, hf:FOLDER or package.module:object; options may follow, as
        FOLDER?labels=folders.
    image_size
        Height and width that images are resized to.
    resize_filter
        Filter for resizing; by default lanczos.
    json
        Print JSON instead of text.
    """
    from unweave.datasets import with_options
    from unweave.datasets.checking import check_data

    chosen = with_options(name, size=image_size, resample=resize_filter)
    with progress_bar() as report:
        found = check_data(chosen, progress=report)
    can = [] if found.dataset is None else abilities(found.dataset)
    if json:
        print_json(_content(found, can))
    else:
        _print(found, can)
    if not found.is_sound:
        sys.exit(1)


def _content(found: Findings, can: list[Ability]) -> dict[str, Any]:
    dataset = found.dataset
    return {
        "dataset": found.name,
        "sound": found.is_sound,
        "images": 0 if dataset is None else len(dataset),
        "files": found.n_files,
        "shape": None if dataset is None else list(dataset.image_shape),
        "sizes": [{"height": h, "width": w, "images": n} for (h, w), n in found.sizes.items()],
        "stored_as": found.stored,
        "looked_at": found.n_looked_at,
        "levels": found.levels,
        "single_colour": found.n_blank,
        "factors": [asdict(factor) for factor in found.factors],
        "labelled": found.n_labelled,
        "unusable": found.unusable,
        "problems": found.problems,
        "notes": found.notes,
        "loads_as": None if dataset is None else dataset.source,
        "commands": [asdict(one) for one in can],
    }


def _print(found: Findings, can: list[Ability]) -> None:
    print_line(found.name, style="bold")
    for line in _image_lines(found):
        print_note(line)
    if found.factors:
        print_line("")
        columns = ("factor", "kind", "levels", "values", "missing")
        shown = len(columns) if any(factor.n_missing for factor in found.factors) else 4
        rows = [_factor_row(factor)[:shown] for factor in found.factors]
        print_texts("Factors", columns[:shown], rows)
        print_note(f"All scored factors are known of {found.n_labelled:,} images.")
    _print_list("Files that cannot be used", [f"{k}: {why}" for k, why in found.unusable.items()])
    _print_list("It cannot be loaded as it is", found.problems)
    _print_list("Notes", found.notes)
    if can:
        print_line("")
        texts = [(one.command, "yes" if one.possible else "no", one.text) for one in can]
        print_texts("What can be done with it", ("command", "", "how"), texts)
    if found.dataset is not None and not found.is_sound:
        print_line("")
        print_line(f"without what is wrong it is loaded by: {found.dataset.source}")


def _image_lines(found: Findings) -> list[str]:
    lines = []
    if found.dataset is not None:
        height, width, channels = found.dataset.image_shape
        colours = "greyscale" if channels == 1 else "colour"
        lines.append(f"{counted(len(found.dataset), 'image')} of {height} x {width}, {colours}")
    if found.n_files:
        lines.append(f"files: {found.n_files:,}, {_counts(found.stored)}")
    elif found.stored:
        lines.append(f"stored as: {_counts(found.stored)}")
    if len(found.sizes) > 1:
        named = {f"{h} x {w}": n for (h, w), n in found.sizes.items()}
        lines.append(f"sizes, height x width: {_counts(named)}")
    if found.levels is not None:
        low, high = found.levels
        seen = f"{counted(found.n_looked_at, 'image')} looked at"
        lines.append(f"levels: {low} to {high}, of 0 to 255 ({seen})")
    if found.n_blank:
        lines.append(f"of a single colour: {counted(found.n_blank, 'image')}")
    if not found.factors and found.dataset is not None:
        lines.append("factors: none")
    return lines


def _counts(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} ({n:,})" for name, n in most[:_MOST_SHOWN])
    return shown + (f" and {len(most) - _MOST_SHOWN:,} more" if len(most) > _MOST_SHOWN else "")


def _factor_row(factor: FactorFindings) -> tuple[str, ...]:
    if factor.n_levels:
        shown = ", ".join(factor.examples[:_MOST_LEVELS])
        if len(factor.examples) > _MOST_LEVELS:
            shown += f", ... {factor.examples[-1]}"
        shown += f" (at least {counted(factor.fewest, 'image')} each)"
    else:
        shown = " to ".join(factor.examples)
    return (
        factor.name + (" (not scored)" if factor.is_nuisance else ""),
        factor.kind,
        f"{factor.n_levels:,}" if factor.n_levels else "any value",
        shown,
        f"{factor.n_missing:,}" if factor.n_missing else "",
    )


def _print_list(title: str, lines: list[str]) -> None:
    if not lines:
        return
    print_line("")
    print_line(title, style="bold")
    for line in lines[:_MOST_SHOWN]:
        print_note(f"- {line}")
    if len(lines) > _MOST_SHOWN:
        print_note(f"- and {len(lines) - _MOST_SHOWN:,} more (all of them: --json)")
