"""`unweave explore` and `unweave study explore`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from unweave.cli.console import patience, print_line, print_note, progress_bar
from unweave.cli.options import Count, Flag, NumpySeed, Patterns, Trusted, within

if TYPE_CHECKING:
    from unweave.explorer import Explorer

__all__ = ["explore", "study_explore"]

_MOST_RUNS = 24  # of a study, for which pages are made without being named


def explore(
    target: str,
    /,
    *,
    dataset: str | None = None,
    against: str | None = None,
    codes: Patterns | None = None,
    factors: Patterns | None = None,
    rows: Count | None = None,
    seed: NumpySeed = 0,
    geomancer: Flag = False,
    save: Path | None = None,
    port: Annotated[int, within(0, 65_535)] = 0,
    no_browser: Flag = False,
) -> None:
    """Open a page in which a model, its codes and its factors can be played with.

    Parameters
    ----------
    target
        run:FOLDER, pretrained:NAME or another encoder (`unweave encoders list`); or a file of
        codes, as `unweave score` takes it, whose factors and images are shown if it has some.
    dataset
        Images to encode: a name (`unweave data list`), a file or a folder; by default those that
        the model was trained on.
    against
        Another encoder of the same images, or another file of the same rows, to compare with.
    codes
        Arrays or columns of the file that are codes, as 'z*'.
    factors
        Arrays or columns of the file that are factors, as shape,hue.
    rows
        Largest number of rows to show, drawn at random; by default 5,000, or 10,000 of a file.
    seed
        Seed for drawing rows and for the scores.
    geomancer
        Look for GEOMANCER's subspaces in the codes, for the map.
    save
        File to write, an .html that needs no server, instead of opening a page.
    port
        Port of the page on this machine; by default any that is free.
    no_browser
        Print the address of the page, and open no browser.
    """
    with progress_bar() as report:
        made = _made(
            target, dataset, against, codes, factors,
            rows=rows, seed=seed, geomancer=geomancer, progress=report,
        )  # fmt: skip
    for note in (*made.notes, *(made.saved_notes if save is not None else ())):
        print_note(f"note: {note}")
    if save is not None:
        print_line(f"page: {made.save(save)}")
        return
    with made.server(port=port) as server:
        print_line(f"page: {server.address} (Ctrl-C stops it)")
        if not no_browser:
            webbrowser.open(server.address)
        server.serve_forever()


def _made(
    target: str,
    dataset: str | None,
    against: str | None,
    codes: list[str] | None,
    factors: list[str] | None,
    **options: Any,
) -> Explorer:
    from unweave.explorer import explore as explorer_of

    if not _is_file(target):
        for name, given in (("--codes", codes), ("--factors", factors)):
            if given is not None:
                raise ValueError(f"{name} chooses arrays of a file, and {target} is an encoder")
        other = against if against is None else _encoder(against)
        return explorer_of(_encoder(target), dataset, against=other, **options)
    if dataset is not None:
        raise ValueError(
            f"{target} is a file of codes, which needs no --dataset: images are shown if the file "
            "has an array `images`"
        )
    one = _arrays(target, codes, factors)
    other = None if against is None else _arrays(against, codes, factors)["codes"]
    name = Path(target).name
    return explorer_of(one.pop("codes"), against=other, title=name, **one, **options)


def _is_file(target: str) -> bool:
    """Whether it is a file of codes, and not an encoder."""
    from unweave.cli.files import READERS

    return Path(target).is_file() or Path(target).suffix.lower() in READERS and ":" not in target


def _encoder(name: str) -> str:
    """The encoder's name; a folder is that of a run."""
    return f"run:{name}" if Path(name).is_dir() else name


def _arrays(target: str, codes: list[str] | None, factors: list[str] | None) -> dict[str, Any]:
    """Codes, and factors and images if there are some, of a file."""
    from unweave.cli.arrays import Choice, read_codes
    from unweave.cli.files import open_source

    file = Path(target)
    table = read_codes(file, None, Choice(codes, factors, factors_needed=False))
    found: dict[str, Any] = {"codes": table.codes}
    source = open_source(file)
    if source.noun == "array" and "images" in source.found:
        found["images"] = source.load(["images"])[0]
    if table.factors is not None:
        found |= {
            "factors": table.factors,
            "factor_names": table.names or None,
            "factor_kinds": table.kinds,
        }
    return found


def study_explore(
    folder: Path,
    /,
    *,
    runs: Patterns | None = None,
    rows: Count | None = None,
    seed: NumpySeed = 0,
    trust: Trusted | None = None,
) -> None:
    """Write an explorer of each model of a study, to which its report then links.

    Parameters
    ----------
    folder
        Folder of the study.
    runs
        Runs to explore: names of folders in runs, or patterns as 3f*; by default all, if there are
        at most 24.
    rows
        Largest number of rows to show, drawn at random; by default 5,000.
    seed
        Seed for drawing rows and for the scores.
    trust
        Classes from outside unweave that the study names, as package.module:Class. They are
        imported, which runs their code.
    """
    from fnmatch import fnmatch

    from unweave.explorer import explore as explorer_of
    from unweave.reports import write_report
    from unweave.reports.study import explorer_file
    from unweave.studies import open_study
    from unweave.studies.folder import StudyFolder
    from unweave.studies.training_run import TrainingRun

    study = open_study(folder, trust=trust or ())
    found = StudyFolder(study, folder).finished(with_model=True).runs
    models = [run for run in found if isinstance(run, TrainingRun)]
    if not models:
        raise ValueError(
            f"{folder} has no finished run that trained a model: explorers are of models; for "
            "encoders, `unweave explore ENCODER`"
        )
    if runs is not None:
        patterns = [part for word in runs for part in word.split(",")]
        chosen = [r for r in models if any(fnmatch(r.description.key, p) for p in patterns)]
        if not chosen:
            keys = ", ".join(run.description.key for run in models[:10])
            raise ValueError(f"--runs fits none of the finished runs of {folder}: they are {keys}")
        models = chosen
    elif len(models) > _MOST_RUNS:
        raise ValueError(
            f"{folder} has {len(models)} finished models, and a page of each takes some megabytes "
            "and a minute: choose with --runs, as --runs 3f* (or --runs '*' for all)"
        )
    for run in models:
        with patience(f"exploring {run.description.key}"):
            made = explorer_of(
                f"run:{run.folder}",
                run.description.dataset,
                rows=rows,
                seed=seed,
                title=run.summary(),
            )
            file = made.save(explorer_file(run))
        print_line(f"page: {file}")
    print_line(f"report: {write_report(study, folder)}")
