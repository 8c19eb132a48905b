"""`unweave pipe`."""

from __future__ import annotations

from typing import Annotated

import unweave
from unweave._bounds import MOST_ROWS
from unweave.cli.console import patience, print_json, print_line, print_note
from unweave.cli.options import Json, NumpySeed, Step, within

__all__ = ["pipe"]

_ROWS = 4_000


def pipe(
    run: str,
    /,
    *,
    step: Step | None = None,
    dataset: str | None = None,
    rows: Annotated[int, within(40, MOST_ROWS)] | None = None,
    seed: NumpySeed = 0,
    json: Json = False,  # noqa: A002
) -> None:
    """Score a model without factors: are decodings of permuted latents like reconstructions (PIPE).

    Parameters
    ----------
    run
        A folder that `unweave train`, `import` or `export` wrote, a run of a study, or
        pretrained:NAME (`unweave pretrained`).
    step
        Milestone; by default the last one.
    dataset
        Dataset whose images are encoded: a name, a file or a folder; by default the one that the
        model was trained on.
    rows
        Number of images; by default 4,000, or all if there are fewer.
    seed
        Seed for drawing rows, permutations and the discriminator.
    json
        Print JSON instead of text.
    """
    from unweave._files import read_json
    from unweave.datasets import load
    from unweave.datasets.selection import check_n_rows
    from unweave.metrics import posterior_indifference_projection_equivalence
    from unweave.models.pretrained import read_training
    from unweave.models.shipped import model_folder
    from unweave.training import load_model
    from unweave.training.course import CONFIG, RunConfig

    model = load_model(run, step=step)
    folder = model_folder(run)
    config = {**read_json(folder / CONFIG, RunConfig), **read_training(folder)}
    images = load(dataset or config.get("dataset") or "dsprites")
    n_rows = min(_ROWS, len(images)) if rows is None else check_n_rows(images, rows)
    with patience("encoding and decoding"):
        chosen = images.images(images.sample_indices(n_rows, seed=seed))
        score = posterior_indifference_projection_equivalence(model, chosen, seed=seed)
    if json:
        about = {"unweave": unweave.__version__, "run": run, "dataset": images.name}
        print_json({**about, "pipe": score.to_dict()})
        return
    print_line(str(score))
    print_note(
        "1 is the best: decodings of permuted latents look like reconstructions. "
        f"accuracy of the discriminator: {score.extras['accuracy']:.4f}",
        style="dim",
    )
    for note in score.notes:
        print_note(f"note: {note}")
