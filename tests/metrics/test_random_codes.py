"""What random codes score is computed once for all codes with the same factors."""

import pytest

from unweave.metrics import MIG, InfoMEC, Metric, Noise, Sample, evaluate
from unweave.metrics._random_codes import forget_random_codes
from unweave.metrics.metric import score
from unweave.metrics.score import Measurement

NOISE = Noise(n_permutations=4, n_projections=3, n_halves=4)
N_DRAWS = 4 + 2 * 3 + 4 + 2  # and the value, and the perfect code
N_OF_RANDOM_CODES = 2 * 3 + 1


@pytest.fixture
def factors(rng):
    return rng.integers(0, 4, (200, 2))


@pytest.fixture
def reads(monkeypatch):
    """Codes that MIG was read from."""
    found, read = [], MIG.read

    def noted(metric, sample):
        found.append(sample.codes)
        return read(metric, sample)

    monkeypatch.setattr(MIG, "read", noted)
    return found


def n_reads(reads, codes, factors, metric="mig", **options):
    before = len(reads)
    evaluate(codes, factors, metrics=[metric], noise=NOISE, **options)
    return len(reads) - before


@pytest.mark.parametrize("metrics", [["mig", "sap"], ["dci_disentanglement", "infom", "infoe"]])
def test_scores_are_the_same_to_the_bit(metrics, factors, rng):
    codes = rng.standard_normal((200, 3))
    evaluate(rng.standard_normal((200, 3)), factors, metrics=metrics, noise=NOISE)
    after_others = evaluate(codes, factors, metrics=metrics, noise=NOISE)
    forget_random_codes()
    alone = evaluate(codes, factors, metrics=metrics, noise=NOISE)
    assert after_others.to_dict() == alone.to_dict()


def test_other_codes_with_the_same_factors_read_no_random_codes(reads, factors, rng):
    assert n_reads(reads, rng.standard_normal((200, 3)), factors) == N_DRAWS
    assert n_reads(reads, rng.standard_normal((200, 3)), factors) == N_DRAWS - N_OF_RANDOM_CODES


@pytest.mark.parametrize(
    "change",
    [
        lambda codes, factors: (codes[:, :2], factors, {}),
        lambda codes, factors: (codes, factors[::-1], {}),
        lambda codes, factors: (codes, factors, {"seed": 1}),
        lambda codes, factors: (codes, factors, {"metric": MIG(n_bins=7)}),
        lambda codes, factors: (codes, factors, {"factor_kinds": ["categorical", "ordinal"]}),
        lambda codes, factors: (codes, factors, {"groups": [1, 2]}),
    ],
    ids=["latents", "factors", "seed", "options", "kinds", "groups"],
)
def test_anything_that_random_codes_depend_on_reads_them_again(change, reads, factors, rng):
    codes = rng.standard_normal((200, 3))
    assert n_reads(reads, codes, factors) == N_DRAWS
    codes, factors, options = change(codes, factors)
    assert n_reads(reads, codes, factors, **options) == N_DRAWS


def test_metrics_from_outside_are_read_each_time_unless_they_say_otherwise(factors, rng):
    class Reads(Metric):
        names = ("reads",)

        def read(self, sample):
            counted.append(sample)
            return {"reads": 0.5}

    class Repeatable(Reads):
        follows_from_sample = True

    for metric, expected in ((Reads(), N_DRAWS), (Repeatable(), N_DRAWS - N_OF_RANDOM_CODES)):
        counted = []
        for _ in range(2):
            before = len(counted)
            evaluate(rng.standard_normal((200, 3)), factors, metrics=[metric], noise=NOISE)
        assert len(counted) - before == expected


def test_codes_of_few_values_cut_their_own_random_codes(rng):
    factors = rng.integers(0, 3, (300, 2))
    metric = InfoMEC(code_kind="discrete")
    coarse, fine = rng.integers(0, 2, (300, 3)), rng.integers(0, 9, (300, 3))
    score(metric, Sample.of(coarse.astype(float), factors), NOISE)
    after_others = score(metric, Sample.of(fine.astype(float), factors), NOISE)["infoe"]
    forget_random_codes()
    alone = score(metric, Sample.of(fine.astype(float), factors), NOISE)["infoe"]
    assert after_others.mixture == alone.mixture


def test_what_fails_is_not_kept(factors, rng, monkeypatch):
    codes = rng.standard_normal((200, 3))

    def failing(metric, sample):
        if sample.origin is not None:
            raise ValueError("no")
        return {"mig": Measurement(0.5)}

    with monkeypatch.context() as patched:
        patched.setattr(MIG, "read", failing)
        with pytest.raises(ValueError, match="no metric could be computed"):
            evaluate(codes, factors, metrics=["mig"], noise=NOISE)
    assert evaluate(codes, factors, metrics=["mig"], noise=NOISE)["mig"].mixture.n_draws == 3
