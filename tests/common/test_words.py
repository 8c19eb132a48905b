"""Words and idioms that the project's texts and identifiers do without, with better ones."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = ("src/**/*.py", "src/**/*.html", "src/**/*.toml", "src/**/*.md", "docs/**/*.md")
TEXTS += ("docs/**/*.py", "examples/*.py", "benchmarks/*.py", "*.md", "mkdocs.yml")
HISTORY = ("docs/decisions/", "CHANGELOG.md")  # these keep the words of their time

BETTER = {
    r"told apart|tell(?:s|ing)? (?:\w+ ){1,5}apart": "distinguish, separate",
    r"told from|tell(?:s|ing)? (?:\w+ ){1,5}from (?:noise|one another)": "significant, distinguish",
    r"untold": "not given",
    r"(?:go|goes|going|gone|went) on": "resume, continue",
    r"dear(?:er|est)?": "expensive",
    r"(?:is|are|was|were) no (?!longer\b)\w+": "is not a",
    r"will do": "is accepted",
    r"anew": "again",
    r"data sets?|data-sets?": "dataset",
}
# A gap between two words, also over the end of a line, a comment's or a string's, or in a name.
GAP = r"""(?:[ ]?["']?[ ]*\n\s*(?:\#\s*|[rf]*["'])?|\s+|_)"""
EXPECTED = re.compile(r"there\s+$", re.IGNORECASE)  # "there is no file" is plain
BARE_OF = re.compile(
    r'^ *r?"{3}Of '  # the text of an attribute or a function
    r"|^( *)[\w*]+(?:, [\w*]+)*\n\1    Of ",  # the text of a parameter, below its name
    re.MULTILINE,
)


def matcher(idiom):
    words = idiom.replace(" ", GAP)
    return re.compile(rf"(?<![a-zA-Z])(?:{words})(?![a-z])", re.IGNORECASE)


IDIOMS = {matcher(idiom): better for idiom, better in BETTER.items()}


def worse_words(text):
    """Line, words and better words of each idiom in a text."""
    found = []
    for idiom, better in IDIOMS.items():
        for match in idiom.finditer(text):
            if not EXPECTED.search(text[max(match.start() - 50, 0) : match.start()]):
                found.append((match.start(), match.group(), better))
    for match in BARE_OF.finditer(text):
        found.append((match.end() - 3, "Of", "begin with a noun or an imperative"))
    return [(text.count("\n", 0, at) + 1, words, better) for at, words, better in sorted(found)]


def texts():
    paths = {path for pattern in TEXTS for path in ROOT.glob(pattern)}
    return sorted(p for p in paths if not str(p.relative_to(ROOT)).startswith(HISTORY))


def test_texts_and_names_keep_to_plain_words():
    paths = texts()
    assert len(paths) > 300
    found = [
        f"{path.relative_to(ROOT)}:{line}: {' '.join(words.split())!r}; better: {better}"
        for path in paths
        for line, words, better in worse_words(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no trend can be told from noise", "told from"),
        ("what tells the two factors apart", "tells the two factors apart"),
        ("the number of factors found untold", "untold"),
        ("A run that is killed goes\non where it was.", "goes\non"),
        ("    # a wrong file may go\n    # on for ever", "go\n    # on"),
        ("fits are so dear", "dear"),
        ("FileNotFoundError: here is no run", "is no run"),
        ('f"{path} is "\n    f"no archive"', 'is "\n    f"no archive'),
        ("any array will do", "will do"),
        ("Codes are drawn anew.", "anew"),
        ("the Data sets of the literature", "Data sets"),
        ("def is_told_from_noise(self):", "told_from"),
        ("goes_on = True", "goes_on"),
        ('    seed: int\n    """Of the draws."""', "Of"),
        ("    seed\n        Of the draws.\n", "Of"),
        ("    low, high\n        Of the interval.\n", "Of"),
    ],
)
def test_a_planted_idiom_is_found(text, words):
    assert [found for _, found, _ in worse_words(f"# A text.\n{text}")] == [words]
    assert worse_words(f"# A text.\n{text}")[0][0] in (2, 3)


@pytest.mark.parametrize(
    "text",
    [
        "there is no file at x",
        "there are no\nfactors",
        "the loss is no longer finite",
        "One of the draws. Of these, most are equal.",
        "a dataset, and datasets",
        "it was told which factors there are",
        "undergo once",
        "a metadata setting",
    ],
)
def test_plain_words_pass(text):
    assert worse_words(text) == []
