"""Write the table of datasets into docs/data.md, from the catalogue."""

from pathlib import Path

from unweave.datasets import DATASETS

PAGE = Path(__file__).parent / "data.md"
BEGIN = "<!-- table of datasets: generated from unweave.datasets.DATASETS -->"
END = "<!-- end of the table -->"


def table() -> str:
    """A row for each dataset that has a name."""
    lines = [
        "| name | what it shows | images | size | factors | licence | files |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in DATASETS.values():
        n = "" if entry.n_images is None else f"{entry.n_images:,}"
        shape = "" if entry.image_shape is None else " x ".join(map(str, entry.image_shape))
        if not entry.files:
            files = "drawn here"
        elif entry.downloads:
            files = f"`unweave data fetch {entry.name}`"
        else:
            files = f"`{entry.name}:PATH`"
        is_address = entry.source.startswith("http") and " " not in entry.source
        name = f"[`{entry.name}`]({entry.source})" if is_address else f"`{entry.name}`"
        row = (name, entry.text, n, shape, entry.factors, entry.licence, files)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def filled(page: str) -> str:
    """The page with the table between its marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
