"""Learning curves, as CSV and for those who watch."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from unweave._files import DamagedFileError, is_file
from unweave._storage import writable_folder, written_whole
from unweave.training.loggers import open_loggers

__all__ = ["Curves", "read_curves"]


class Curves:
    """Points of a learning curve, added to a folder's ``curves.csv`` and shown by loggers.

    Parameters
    ----------
    folder
        The run's folder.
    n_latents
        How many columns of single latents there are.
    rate
        What the nats of a latent are called: ``kl``, or ``entropy`` of quantised latents.
    others
        Names of further terms.
    resumed_at
        Step of the checkpoint that the run resumes from. Later points are dropped: they come again.
    """

    def __init__(
        self,
        folder: str | Path,
        n_latents: int,
        *,
        rate: str = "kl",
        others: Sequence[str] = (),
        resumed_at: int = 0,
    ) -> None:
        self._rate = rate
        folder = writable_folder(folder)
        self.path = folder / "curves.csv"
        self.columns = ["step", "loss", "reconstruction", rate, *others]
        self.columns += [f"{rate}_{j}" for j in range(n_latents)]
        kept = [row for row in read_curves(folder) if row["step"] <= resumed_at]
        with (
            written_whole(self.path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(kept)
        self._loggers = open_loggers(folder, resumed_at=resumed_at)
        self._file = open(self.path, "a", newline="", encoding="utf-8")  # noqa: SIM115 - closed by close()
        self._writer = csv.DictWriter(self._file, self.columns)

    def add(self, step: int, terms: Mapping[str, float], rates: list[float]) -> None:
        """One point: means over the steps since the last one, in nats per image.

        Raises
        ------
        OSError
            If it cannot be written, as when the disk is full.
        """
        rate = self._rate
        values = {**terms, rate: sum(rates)}
        values |= {f"{rate}_{j}": value for j, value in enumerate(rates)}
        try:
            self._writer.writerow({"step": step, **values})
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, f"cannot write {self.path} ({error.strerror})") from error
        grouped = {
            f"{f'{rate}_per_latent' if name.startswith(f'{rate}_') else 'terms'}/{name}": value
            for name, value in values.items()
        }
        for logger in self._loggers:
            logger.add(step, grouped)

    def show(self, step: int, scores: Mapping[str, float]) -> None:
        """Scores at a milestone, to loggers alone."""
        for logger in self._loggers:
            logger.add(step, {f"scores/{name}": value for name, value in scores.items()})

    def close(self) -> None:
        """Write out what is left. A full disk does not cost what was trained."""
        for close in (self._file.close, *(logger.close for logger in self._loggers)):
            try:
                close()
            except OSError as error:
                warnings.warn(
                    f"the end of the learning curve is lost ({error.strerror})",
                    RuntimeWarning,
                    stacklevel=2,
                )


def read_curves(folder: str | Path) -> list[dict[str, float]]:
    """The rows of a run's ``curves.csv``; none if there is no such file.

    A last line that a killed run left unfinished is dropped.

    Raises
    ------
    DamagedFileError
        If the file does not hold numbers, or is not a file.
    """
    path = Path(folder) / "curves.csv"
    if not is_file(path):
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        return [{"step": int(row.pop("step")), **_numbers(row)} for row in rows]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DamagedFileError(f"{path} is damaged ({error}): remove it") from error


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
    return {key: float(value) for key, value in row.items()}
