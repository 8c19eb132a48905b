"""The command line."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

import unweave

__all__ = ["main"]

app = App(
    name="unweave",
    version=unweave.__version__,
    help="Measure disentanglement, learn it, and study how it scales.",
)
data = App(name="data", help="Datasets whose factors of variation are known.")
study = App(name="study", help="Run a study and write its report.")
app.command(data)
app.command(study)

# Piped output has no width of its own: give tables enough to stay whole.
_out = Console(width=None if sys.stdout.isatty() else 140)
_err = Console(stderr=True)

_NPZ_KEYS = ("codes", "factors", "factor_names", "factor_kinds")


def main() -> None:
    """Run the command line; what a user can mend is said in a sentence, with exit code 2."""
    try:
        app(sys.argv[1:])
    except (ValueError, OSError, TypeError, IndexError, ArithmeticError, RuntimeError) as error:
        if os.environ.get("UNWEAVE_DEBUG"):
            raise
        _err.print("error:", str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        _err.print("interrupted", style="red")
        sys.exit(130)


@app.command
def score(
    file: Path,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
    drop_constant: Annotated[bool, Parameter(negative="")] = False,
    rows: int | None = None,
    seed: int = 0,
) -> None:
    """Every metric of the codes in FILE, each with its chance level and interval.

    Parameters
    ----------
    file
        An .npz with arrays `codes` (n, d) and `factors` (n, k), and optionally `factor_names` and
        `factor_kinds` (k words each; kinds are categorical, ordinal, circular or continuous).
    json
        Print JSON instead of a table.
    drop_constant
        Leave out factors that never vary, instead of refusing them.
    rows
        Score only this many rows, drawn without repeats.
    seed
        Of all draws.
    """
    from unweave._check import constant_columns
    from unweave.metrics import evaluate

    arrays = _read_npz(file)
    codes, factors = arrays["codes"], arrays["factors"]
    names = [str(n) for n in arrays.get("factor_names", range(np.shape(factors)[-1]))]
    kinds = [str(k) for k in arrays["factor_kinds"]] if "factor_kinds" in arrays else None
    dropped: list[str] = []
    if drop_constant and np.ndim(factors) == 2 and len(factors):
        constant = constant_columns(factors)
        dropped = [names[k] for k in constant]
        kept = [k for k in range(factors.shape[1]) if k not in constant]
        factors, names = factors[:, kept], [names[k] for k in kept]
        kinds = [kinds[k] for k in kept] if kinds else None
        if not kept:
            raise ValueError(f"no factor in {file} varies: there is nothing to score")
    if rows is not None and rows < len(codes) == len(factors):
        chosen = np.random.default_rng(seed).permutation(len(codes))[:rows]
        codes, factors = codes[chosen], factors[chosen]
    with _patience("scoring"):
        scores = evaluate(codes, factors, factor_names=names, factor_kinds=kinds, seed=seed)
    mig = scores["mig"]
    if json:
        _print_json(
            {
                "unweave": unweave.__version__,
                "file": str(file),
                "n": mig.n_samples,
                "n_latents": int(codes.shape[1]),
                "dead_latents": list(mig.dead_latents),
                "dropped_factors": dropped,
                "metrics": scores.to_dict(),
            }
        )
        return
    table = Table(
        title=f"{file.name}: {mig.n_samples:,} rows, {codes.shape[1]} latents, seed {seed}"
    )
    for column in ("metric", "value", "95 % interval", "adjusted", "chance", "random mixture", "p"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, found in scores.items():
        table.add_row(
            name,
            f"{float(found):.4f}",
            f"[{found.interval[0]:.4f}, {found.interval[1]:.4f}]",
            f"{found.adjusted:.4f}",
            f"{found.chance.mean:.4f} ± {found.chance.sd:.4f}",
            f"{found.projection.mean:.3f} ± {found.projection.sd:.3f}",
            f"{found.p_value:.2g}",
        )
    _out.print(table)
    per_factor = Table(title="gap of each factor")
    per_factor.add_column("metric")
    for name in names:
        per_factor.add_column(name, justify="right")
    for name, found in scores.items():
        per_factor.add_row(name, *[f"{v:.4f}" for v in found.per_factor.values()])
    _out.print(per_factor)
    notes = [note for found in scores.values() for note in found.notes]
    notes += [f"factors left out because they never vary: {', '.join(dropped)}"] if dropped else []
    for note in dict.fromkeys(notes):
        _out.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


@app.command
def train(
    objective: Literal["ae", "vae", "beta_vae", "annealed_vae"],
    /,
    *,
    steps: int = 20_000,
    seed: int = 0,
    beta: float | None = None,
    gamma: float | None = None,
    max_capacity: float | None = None,
    annealing_steps: int | None = None,
    likelihood: Literal["bernoulli", "gaussian", "laplace"] = "bernoulli",
    network: Literal["burgess", "locatello"] = "burgess",
    width: float = 1.0,
    latents: int = 10,
    batch_size: int = 64,
    learning_rate: float = 5e-4,
    milestones: Annotated[list[int] | None, Parameter(consume_multiple=True, negative="")] = None,
    dataset: str = "dsprites",
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    out: Path | None = None,
) -> None:
    """Train one model, score it at its milestones, and write its codes. Go on where it was cut off.

    Parameters
    ----------
    objective
        What to minimise.
    steps
        Training steps.
    seed
        Of weights, batches and noise.
    beta
        Weight of the KL divergence (beta_vae).
    gamma
        Weight of the distance from the capacity (annealed_vae).
    max_capacity
        Final capacity in nats (annealed_vae).
    annealing_steps
        Steps over which the capacity grows (annealed_vae).
    likelihood
        Distribution of a pixel.
    network
        Encoder and decoder.
    width
        Factor on the network's channel counts.
    latents
        Number of latents.
    batch_size
        Images in a step.
    learning_rate
        Of Adam.
    milestones
        Steps at which to keep and score the model, besides the last.
    dataset
        Which data.
    accelerator
        Which device.
    out
        Folder of the run; by default one in ./runs named after its description.
    """
    from pydantic import TypeAdapter, ValidationError

    from unweave.datasets import load
    from unweave.models import Network
    from unweave.models.objectives import AnyObjective
    from unweave.studies.run import Run
    from unweave.studies.study import Evaluation, RunDescription
    from unweave.training import TrainingConfig, load_model
    from unweave.training.memory import keep_freed_memory

    keep_freed_memory()
    options = {
        "beta": beta,
        "gamma": gamma,
        "max_capacity": max_capacity,
        "annealing_steps": annealing_steps,
    }
    given = {key: value for key, value in options.items() if value is not None}
    try:
        chosen: Any = TypeAdapter(AnyObjective).validate_python(
            {"name": objective, "likelihood": likelihood, **given}
        )
        description = RunDescription(
            dataset=dataset,
            network=Network(name=network, width=width, n_latents=latents),
            objective=chosen,
            training=TrainingConfig(
                steps=steps,
                milestones=tuple(milestones or ()),
                batch_size=batch_size,
                learning_rate=learning_rate,
                seed=seed,
                accelerator=accelerator,
            ),
            evaluation=Evaluation(),
        )
    except ValidationError as error:
        raise ValueError(_options_sentence(error, objective)) from error
    images = load(dataset)
    folder = out or Path("runs") / f"{objective}-{description.key}"
    run = Run(description, folder)
    if run.is_finished and run.result()["description"] != _described(run, images.image_shape):
        raise ValueError(f"{folder} holds another finished run: choose another with --out")
    with _bar() as report:
        run.execute(lambda step: report("training", step, steps))
    rows = images.sample_indices(description.evaluation.rows, seed=description.evaluation.seed)
    with _patience("encoding"):
        codes = load_model(folder).encode(images.images(rows))
    _save_codes(folder / "codes.npz", codes, images, rows)
    for step, milestone in run.result()["milestones"].items():
        for name, found in milestone["metrics"].items():
            _out.print(
                f"{int(step):>8,} steps  {name}  {found['value']:.4f} "
                f"[{found['interval'][0]:.4f}, {found['interval'][1]:.4f}]  chance "
                f"{found['chance']['mean']:.4f} ± {found['chance']['sd']:.4f}  "
                f"p = {found['p_value']:.2g}  n = {found['n']:,}",
                markup=False,
                highlight=False,
            )
    _out.print(f"model, curves and codes: {folder}", markup=False, highlight=False, soft_wrap=True)


@study.default
def study_run(
    name: str,
    /,
    *,
    out: Path | None = None,
    workers: int | None = None,
) -> None:
    """Run the study NAME, go on where it was cut off, and write its table and its report.

    Parameters
    ----------
    name
        A shipped study (`unweave study list`) or a TOML file.
    out
        Folder of the results; by default one in ./studies named after the study.
    workers
        Processes; by default one for each core, with one thread each.
    """
    from unweave.reports import write_report
    from unweave.studies import build_table, load_study, run_study, write_table

    chosen = load_study(name)
    folder = out or Path("studies") / chosen.name
    try:
        with _bar() as report:
            failures = run_study(chosen, folder, workers=workers, progress=report)
    except KeyboardInterrupt:
        _err.print(
            f"interrupted; nothing is lost: the same command goes on in {folder}", style="yellow"
        )
        sys.exit(130)
    table = build_table(chosen, folder)
    if table.height:
        write_table(table, folder)
        report_file = write_report(chosen, folder)
        _out.print(f"report: {report_file}", markup=False, highlight=False, soft_wrap=True)
    for key, reason in failures.items():
        _err.print(f"run {key} failed: {reason}", style="red", markup=False, soft_wrap=True)
    if failures:
        sys.exit(1)


@study.command(name="list")
def study_list() -> None:
    """The shipped studies."""
    from unweave.studies import load_study, shipped_studies

    table = Table("study", "runs", "training steps", "question")
    for name in shipped_studies():
        found = load_study(name)
        runs = found.runs()
        steps = sum(run.training.steps for run in runs)
        table.add_row(name, str(len(runs)), f"{steps:,}", found.question)
    _out.print(table)


@study.command(name="show")
def study_show(name: str, /) -> None:
    """Print a shipped study's file, to be copied and changed.

    Parameters
    ----------
    name
        A shipped study.
    """
    from importlib import resources

    from unweave._check import check_choice
    from unweave.studies import shipped_studies

    check_choice("study", name, shipped_studies())
    print((resources.files("unweave.studies") / f"{name}.toml").read_text(), end="")


@study.command(name="table")
def study_table(
    folder: Path,
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,  # noqa: A002
) -> None:
    """Print a study's results: a row for each run, milestone and metric.

    Parameters
    ----------
    folder
        Folder of the study.
    json
        Print JSON instead of a table.
    """
    import polars as pl

    from unweave.studies import read_table

    table = read_table(folder)
    if json:
        _print_json({"rows": table.to_dicts()})
        return
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, float_precision=4):
        print(table.drop("run", "parameters", "projection_sd"))


@study.command(name="report")
def study_report(folder: Path, /) -> None:
    """Write a study's report anew from the runs that are finished.

    Parameters
    ----------
    folder
        Folder of the study.
    """
    from unweave.reports import write_report
    from unweave.studies import open_study

    _out.print(f"report: {write_report(open_study(folder), folder)}", markup=False, soft_wrap=True)


@data.command(name="list")
def data_list() -> None:
    """The datasets, their factors, and whether they lie in the cache."""
    from unweave.datasets import DATASETS, DSprites, load

    table = Table()
    for column in ("dataset", "images", "shape", "factors", "cached"):
        table.add_column(column)
    for name in DATASETS:
        found = load(name)
        factors = ", ".join(f"{f.name} ({f.size} {f.kind})" for f in found.space.factors)
        cached = "yes" if isinstance(found, DSprites) and found.is_prepared else "drawn on demand"
        shape = " x ".join(map(str, found.image_shape))
        table.add_row(name, f"{len(found):,}", shape, factors, cached)
    _out.print(table)


@data.command(name="show")
def data_show(name: str, /, *, out: Path = Path("grid.png"), seed: int = 0) -> None:
    """Draw a picture of what each factor does: a row for each, its levels from left to right.

    Parameters
    ----------
    name
        A dataset.
    out
        Where the PNG goes.
    seed
        Of the image that the rows start from.
    """
    from unweave.datasets import load
    from unweave.datasets.pictures import factor_traversals, save_png

    save_png(factor_traversals(load(name), seed=seed), out)
    _out.print(f"picture: {out}", markup=False, highlight=False)


@data.command(name="prepare")
def data_prepare(name: str, /) -> None:
    """Draw all images of a dataset into the cache.

    Parameters
    ----------
    name
        A dataset.
    """
    from unweave.datasets import DSprites, load

    found = load(name)
    if isinstance(found, DSprites):
        with _bar() as report:
            found.prepare(lambda done, total: report("drawing", done, total))
        _out.print(f"cached: {found.cache_file}", markup=False, highlight=False, soft_wrap=True)


@data.command(name="export")
def data_export(name: Literal["dsprites"], file: Path, /) -> None:
    """Write a dataset in its official layout, for other tools.

    Parameters
    ----------
    name
        A dataset.
    file
        The .npz to write: imgs, latents_values, latents_classes, metadata.
    """
    from unweave.datasets import DSprites

    with _bar() as report:
        DSprites().export(file, lambda done, total: report("writing", done, total))
    _out.print(f"written: {file}", markup=False, highlight=False, soft_wrap=True)


@data.command(name="fetch")
def data_fetch(name: Literal["dsprites"], /) -> None:
    """Download a dataset's official file into the cache. Nothing else ever downloads it.

    Parameters
    ----------
    name
        A dataset.
    """
    from unweave.datasets import DSprites

    with _bar() as report:
        path = DSprites.fetch(lambda done, total: report("downloading", done, total or done))
    _out.print(f"fetched: {path}", markup=False, highlight=False, soft_wrap=True)


def _read_npz(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise FileNotFoundError(f"no file at {file}")
    if file.stat().st_size == 0:
        raise ValueError(f"{file} is empty: an .npz with arrays codes and factors was needed")
    try:
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            missing = [key for key in _NPZ_KEYS[:2] if key not in archive.files]
            if missing:
                raise ValueError(
                    f"it has no array {' and no array '.join(map(repr, missing))}; it has "
                    f"{', '.join(archive.files) or 'none'}"
                )
            return {key: _array(archive, key) for key in _NPZ_KEYS if key in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        if "pickle" in str(error).lower() and "array" not in str(error):
            error = ValueError("it is no .npz file")
        raise ValueError(f"{file} cannot be scored: {error}") from error


def _array(archive: Any, key: str) -> np.ndarray:
    try:
        return archive[key]
    except ValueError as error:
        raise ValueError(
            f"the array {key!r} is pickled, and pickles are never loaded because they can run "
            "code; save plain numbers or strings"
        ) from error


def _save_codes(path: Path, codes: np.ndarray, dataset: Any, rows: np.ndarray) -> None:
    from unweave.datasets.cache import written_whole

    with written_whole(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(
            file,
            codes=codes,
            factors=dataset.factors(rows),
            factor_names=np.array(dataset.space.names),
            factor_kinds=np.array(dataset.space.kinds),
            rows=rows,
        )


def _described(run: Any, image_shape: tuple[int, ...]) -> dict[str, Any]:
    return {**run.description.model_dump(mode="json"), "image_shape": list(image_shape)}


def _options_sentence(error: Any, objective: str) -> str:
    sentences = []
    for problem in error.errors():
        option = str(problem["loc"][-1]).replace("_", "-") if problem["loc"] else "options"
        if problem["type"] == "extra_forbidden":
            sentences.append(f"--{option} is not an option of {objective}")
        else:
            sentences.append(f"--{option}: {problem['msg']} (it is {problem['input']!r})")
    return "; ".join(sentences)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, indent=1, allow_nan=False))


@contextmanager
def _bar() -> Iterator[Any]:
    """A progress bar on stderr, told (what, done, in all); silent where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, disable=not _err.is_terminal) as progress:
        task = progress.add_task("starting", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield report


@contextmanager
def _patience(what: str) -> Iterator[None]:
    if _err.is_terminal:
        with _err.status(what):
            yield
    else:
        yield


if __name__ == "__main__":
    main()
