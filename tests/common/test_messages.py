"""Every sentence that the library raises is met by a test, by its words."""

import ast
import re
from collections import Counter
from pathlib import Path

import unweave

SOURCE = Path(unweave.__file__).parent
TESTS = Path(__file__).parents[1]


def words(text):
    return re.findall(r"[\w']+", text.replace("\\", " "))


def runs(text, n=2):
    """Each n words that stand beside each other, with nothing filled in between them."""
    found = set()
    for piece in text.split("\0"):
        own = words(piece)
        found |= {tuple(own[i : i + n]) for i in range(len(own) - n + 1)}
    return found


def sentence(node):
    """The text of a string, with a zero character for what is filled in; None for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(sentence(part) or "\0" for part in node.values)
    if isinstance(node, ast.BinOp):
        return (sentence(node.left) or "\0") + (sentence(node.right) or "\0")
    return None


def raised():
    """Place and text of each sentence that is raised with an exception."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                texts = [sentence(argument) for argument in node.exc.args]
                texts = [text for text in texts if text and runs(text)]
                if texts:
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", texts[-1]


def said_in_tests():
    found = set()
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                text = sentence(node) or ""
                for n in (2, 3, 4):
                    found |= runs(text, n)
    return found


def test_every_sentence_is_met_by_a_test():
    """By two words in a row that no other sentence has, by three that at most one has, or four."""
    sentences = list(raised())
    n_with = Counter(run for _, text in sentences for n in (2, 3) for run in runs(text, n))
    said = said_in_tests()
    unmet = []
    for place, text in sentences:
        distinctive = {run for n in (2, 3) for run in runs(text, n) if n_with[run] < n}
        if not (distinctive | runs(text, 4) or runs(text)) & said:
            unmet.append(f"{place}: {text.replace(chr(0), '...')}")
    assert len(sentences) > 200
    assert unmet == [], "\n".join(unmet)
