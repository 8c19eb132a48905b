"""Total correlation between groups of latents (PDisVAE), and the option that asks for it."""

import json
import math

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from scipy.special import logsumexp
from scipy.stats import norm

from unweave.metrics import jemmig, mutual_information_gap
from unweave.models import Network, Posterior, build_vae, decompose_kl
from unweave.models.latents import Gaussian
from unweave.models.objectives import AnyObjective, Batch, BetaTCVAE, FactorVAE
from unweave.training import TrainingConfig, train
from unweave.training.loop import check_objective

GROUPS = (2, 1, 3)


def drawn(n=8, n_latents=6, seed=0):
    """Posteriors that overlap, and a draw from each."""
    rng = np.random.default_rng(seed)
    means, noise = torch.from_numpy(rng.standard_normal((2, n, n_latents)))
    posterior = Posterior(means, torch.from_numpy(rng.uniform(-2, 0, (n, n_latents))))
    return posterior, posterior.sample(noise)


def of_latents(posterior, latents, which, **options):
    """The parts for some of the latents alone."""
    own = Posterior(posterior.mean[:, which], posterior.log_variance[:, which])
    return decompose_kl(own, latents[:, which], **options)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_the_estimate_is_its_formula(estimator):
    posterior, latents = drawn()
    n, n_images = 8, 700
    means, deviations = posterior.mean.numpy(), np.exp(posterior.log_variance.numpy() / 2)
    each = norm.logpdf(latents.numpy()[:, None], means, deviations)
    weights = np.full((n, n), (n_images - 1) / (n_images * (n - 1)))
    np.fill_diagonal(weights, 1 / n_images)
    if estimator == "weighted":
        weights[:] = 1 / (n_images * n)
    joint = logsumexp(each.sum(axis=2), b=weights, axis=1)
    marginals = [
        logsumexp(each[:, :, which].sum(axis=2), b=weights, axis=1)
        for which in (slice(0, 2), slice(2, 3), slice(3, 6))
    ]
    found = decompose_kl(posterior, latents, n_images=n_images, estimator=estimator, groups=GROUPS)
    assert float(found.total_correlation) == pytest.approx((joint - sum(marginals)).mean())
    prior = norm.logpdf(latents.numpy()).sum(axis=1)
    assert float(found.dimension_wise) == pytest.approx((sum(marginals) - prior).mean())


def test_groups_of_one_are_the_estimate_without_groups_to_the_bit():
    posterior, latents = drawn()
    plain = decompose_kl(posterior, latents, n_images=50)
    ones = decompose_kl(posterior, latents, n_images=50, groups=(1,) * 6)
    assert all(torch.equal(a, b) for a, b in zip(plain, ones, strict=True))


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_one_group_of_all_latents_has_no_total_correlation(estimator):
    posterior, latents = drawn()
    parts = decompose_kl(posterior, latents, n_images=50, estimator=estimator, groups=(6,))
    assert abs(float(parts.total_correlation)) < 1e-12


def test_total_correlation_is_that_between_groups_and_that_within_each():
    posterior, latents = drawn()
    options = {"n_images": 50}
    slices = (slice(0, 2), slice(2, 3), slice(3, 6))
    within = [of_latents(posterior, latents, w, **options) for w in slices]
    between = decompose_kl(posterior, latents, groups=GROUPS, **options)
    everything = decompose_kl(posterior, latents, **options)
    total = between.total_correlation + sum(part.total_correlation for part in within)
    assert float(total) == pytest.approx(float(everything.total_correlation))
    assert between.mutual_information == everything.mutual_information
    # The density of a group is the one whose estimate is known to be unbiased.
    information = sum(part.mutual_information for part in within) - everything.mutual_information
    assert float(between.total_correlation) == pytest.approx(float(information))


def test_a_gaussian_has_the_total_correlation_of_its_blocks():
    """Half the log determinants of the blocks, less that of all."""
    covariance = np.array(
        [[1.0, 0.7, 0.2, 0.0], [0.7, 1.0, 0.0, 0.3], [0.2, 0.0, 1.0, -0.6], [0.0, 0.3, -0.6, 1.0]]
    )
    own = 0.2  # variance of each posterior; the rest is that of the means
    rng = np.random.default_rng(0)
    n = 1200
    means = rng.standard_normal((n, 4)) @ np.linalg.cholesky(covariance - own * np.eye(4)).T
    posterior = Posterior(torch.from_numpy(means), torch.full((n, 4), math.log(own)).double())
    latents = posterior.sample(torch.from_numpy(rng.standard_normal((n, 4))))

    def exact(*blocks):
        logs = [np.linalg.slogdet(covariance[np.ix_(b, b)])[1] for b in blocks]
        return (sum(logs) - np.linalg.slogdet(covariance)[1]) / 2

    cases = {
        (): exact([0], [1], [2], [3]),
        (2, 2): exact([0, 1], [2, 3]),
        (1, 3): exact([0], [1, 2, 3]),
    }
    for groups, expected in cases.items():
        parts = decompose_kl(posterior, latents, n_images=n, groups=groups)
        assert float(parts.total_correlation) == pytest.approx(expected, abs=0.06)
    assert cases[2, 2] < 0.15 < 0.6 < cases[()]


def test_groups_that_do_not_sum_to_the_latents_are_refused():
    posterior, latents = drawn()
    with pytest.raises(ValueError, match="groups of 2, 2 are 4 latents, and the model has 6: give"):
        decompose_kl(posterior, latents, n_images=50, groups=(2, 2))
    model = build_vae(Network(width=0.1, n_latents=4), (8, 8, 1), seed=0)
    images = np.zeros((10, 8, 8, 1), dtype=np.uint8)
    images[::2] = 255
    with pytest.raises(ValueError, match="groups of 2, 3 are 5 latents, and the model has 4"):
        train(model, BetaTCVAE(groups=(2, 3)), images, TrainingConfig(steps=1, batch_size=4))


@pytest.mark.parametrize("groups", ["2,2,1", "2, 2, 1", [2, 2, 1], (2, 2, 1)])
def test_groups_are_read_from_text_and_lists(groups):
    chosen = TypeAdapter(AnyObjective).validate_python({"name": "beta_tc_vae", "groups": groups})
    assert chosen.groups == (2, 2, 1)
    assert chosen.label == "β-TCVAE (β = 6, groups 2,2,1)"
    assert type(chosen)(**chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize("groups", ["2,x", "2,,1", "0,2", [2, 0], [1.5], [True], 3, None])
def test_sizes_that_are_none_are_refused(groups):
    with pytest.raises(ValidationError, match="groups are numbers of latents, each a whole number"):
        BetaTCVAE(groups=groups)


def test_descriptions_without_groups_are_as_they_were():
    assert "groups" not in BetaTCVAE().model_dump()
    assert BetaTCVAE().label == "β-TCVAE (β = 6)"


def test_the_loss_has_the_groups_total_correlation(model, batch):
    out = model(batch.images, batch.noise)
    parts = decompose_kl(out.posterior, out.latents, n_images=1000, groups=(2, 2))
    terms = BetaTCVAE(groups=(2, 2))(model, batch)
    torch.testing.assert_close(terms.others["total_correlation"], parts.total_correlation)
    expected = terms.reconstruction + terms.kl.sum() + 5 * parts.total_correlation
    torch.testing.assert_close(terms.loss, expected)


class TestLatentSpace:
    """Gaussian latents in groups: the groups are the model's, and whoever asks gets them."""

    def test_gives_the_objective_its_groups(self):
        network = Network(width=0.125, n_latents=4, latent_space={"name": "grouped",
                                                                  "groups": (3, 1)})  # fmt: skip
        grouped = build_vae(network, (32, 32, 1), seed=0)
        plain = build_vae(network.model_copy(update={"latent_space": Gaussian()}), (32, 32, 1),
                          seed=0)  # fmt: skip
        images = torch.from_numpy(np.random.default_rng(0).random((8, 1, 32, 32), np.float32))
        noise = torch.from_numpy(np.random.default_rng(1).standard_normal((8, 4), np.float32))
        batch = Batch(images, noise, noise, 0, 100)
        of_space = BetaTCVAE()(grouped, batch)
        of_objective = BetaTCVAE(groups=(3, 1))(plain, batch)
        assert of_space.loss == of_objective.loss != BetaTCVAE()(plain, batch).loss
        assert grouped.has_posterior
        assert (grouped.groups, plain.groups) == ((3, 1), ())

    def test_is_kept_with_the_model(self, tmp_path):
        space = {"name": "grouped", "groups": [3, 1]}
        model = build_vae(Network(width=0.125, n_latents=4, latent_space=space), (32, 32, 1),
                          seed=0)  # fmt: skip
        model.save_pretrained(tmp_path)
        assert type(model).from_pretrained(tmp_path).groups == (3, 1)

    @pytest.mark.parametrize(
        ("space", "message"),
        [
            ({"groups": "2,1"}, "groups of 2, 1 are 3 latents, and the model has 4"),
            ({"groups": []}, "grouped needs the sizes of its groups, as 2,2,1"),
            ({}, "grouped needs the sizes of its groups"),
        ],
    )
    def test_refuses_groups_that_are_none(self, space, message):
        with pytest.raises(ValueError, match=message):
            Network(n_latents=4, latent_space={"name": "grouped", **space})

    def test_is_for_objectives_that_have_groups(self):
        network = Network(n_latents=4, latent_space={"name": "grouped", "groups": (2, 2)})
        config = TrainingConfig(steps=1)
        check_objective(BetaTCVAE(groups=(2, 2)), network, config)
        with pytest.raises(ValueError, match="has groups of 3, 1, and the latent space has groups"):
            check_objective(BetaTCVAE(groups=(3, 1)), network, config)
        with pytest.raises(ValueError, match="trains gaussian latents, and those of .* grouped"):
            check_objective(FactorVAE(), network, config)

    def test_reaches_files_scores_and_pages(self, cli, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        words = ("--dataset", "torus", "--width", 0.125, "--latents", 3, "--steps", 3)
        words = (*words, "--latent-groups", "2,1", "--out", "run")
        code, _, err = cli("train", "beta_tc_vae", *words)
        assert code == 0, err
        result = json.loads((tmp_path / "run/result.json").read_text())
        assert result["milestones"]["3"]["metrics"]["mig"]["settings"]["groups"] == {
            "0+1": [0, 1], "2": [2],
        }  # fmt: skip
        code, _, err = cli("encode", "run:run", "--rows", 400, "--out", "codes.npz")
        assert code == 0, err
        with np.load("codes.npz") as file:
            codes, factors = file["codes"], file["factors"]
            assert file["latent_groups"].tolist() == [2, 1]
        own = ("--metrics", "mig,sap,jemmig,infom", "--json")
        code, out, err = cli("score", "codes.npz", *own)
        assert code == 0, err
        found = json.loads(out)["metrics"]
        kinds = ["circular"] * 3
        options = {"factor_kinds": kinds, "noise": None}
        grouped = mutual_information_gap(codes, factors, groups=[2, 1], **options)
        assert found["mig"]["value"] == float(grouped)
        assert found["jemmig"]["value"] == float(jemmig(codes, factors, **options))
        code, out, _ = cli("score", "codes.npz", "--metrics", "mig,sap", "--groups", "1,2")
        assert "groups of 1, 2 latents are the units of: mig" in " ".join(out.split())
        code, out, err = cli("score", "codes.npz", "--metrics", "mig", "--groups", "1,1")
        assert code == 2
        assert "2 latents in all and codes have 3" in err
        assert cli("show", "run")[0] == 0
        assert "3 latents in groups of 2, 1" in (tmp_path / "run/show/index.html").read_text()
