"""`unweave explore`."""

import os
import re
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest


@pytest.fixture
def file(tmp_path, two_factors):
    codes, factors = two_factors
    np.savez(
        tmp_path / "mine.npz", codes=codes, factors=factors, factor_names=["a", "b"],
        images=np.zeros((len(codes), 8, 8), np.uint8) + 200,
    )  # fmt: skip
    return tmp_path / "mine.npz"


def test_a_page_of_a_strangers_file_is_saved(cli, file, tmp_path, opened):
    code, printed, errors = cli("explore", file, "--save", tmp_path / "page.html")
    assert (code, errors) == (0, "")
    assert f"page: {tmp_path / 'page.html'}" in printed
    page = opened((tmp_path / "page.html").as_uri())
    assert page.locator("h1").inner_text() == "mine.npz"
    assert page.locator("section.view > h2").all_inner_texts() == ["Factors", "Map", "Information"]


def test_codes_alone_and_two_files(cli, tmp_path, two_factors):
    for name in ("one", "two"):
        np.save(tmp_path / f"{name}.npy", two_factors[0])
    code, printed, _ = cli(
        "explore",
        tmp_path / "one.npy",
        "--against",
        tmp_path / "two.npy",
        "--save",
        tmp_path / "p.html",
    )
    assert code == 0
    assert "there is no decoder" in " ".join(printed.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pixels", "--codes", "z*"], "--codes chooses arrays of a file, and pixels is an encoder"),
        (["FILE", "--dataset", "dsprites"], "is a file of codes, which needs no --dataset"),
        (["none.npz"], "no file at none.npz"),
        (["pretrained:none"], "none"),
        (["qlea"], "unknown encoder 'qlea'"),
        (["FILE", "--port", "70000"], "--port: a number of at most 65535 is needed"),
        (["FILE", "--rows", "1"], "rows must be a whole number of at least 2"),
    ],
)
def test_what_cannot_be_explored_is_a_sentence(cli, file, words, sentence):
    words = [str(file) if word == "FILE" else word for word in words]
    code, printed, errors = cli("explore", *words, "--save", "page.html")
    assert (code, printed) == (2, "")
    assert sentence in errors


def test_the_page_is_served_until_it_is_stopped(file):
    process = subprocess.Popen(
        [sys.executable, "-m", "unweave", "explore", str(file), "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    try:
        address = None
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+", line)
            if found:
                address = found[0]
                break
        assert address is not None
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert b"<title>mine.npz" in answer.read(4000)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
