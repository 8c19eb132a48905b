import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score

from unweave.integrations.scikit_learn import disentanglement_scorer
from unweave.metrics import METRICS


@pytest.fixture
def table(rng):
    factors = np.stack([rng.integers(0, k, 600) for k in (3, 4)], axis=1)
    return (factors + 0.1 * rng.standard_normal((600, 2))).astype(np.float32), factors


def test_torchmetrics_gathers_batches(table):
    pytest.importorskip("torchmetrics")
    from unweave.integrations.torchmetrics import DisentanglementMetric

    codes, factors = (torch.from_numpy(array) for array in table)
    metric = DisentanglementMetric("mig")
    for rows in torch.arange(600).split(100):
        metric.update(codes[rows], factors[rows])
    whole = METRICS["mig"](*table, noise=None)
    assert float(metric.compute()) == pytest.approx(float(whole), abs=1e-6)
    assert metric.score.per_factor == whole.per_factor
    metric.reset()
    metric.update(codes[:100], factors[:100])
    assert metric.score.n_samples == 600
    metric.compute()
    assert metric.score.n_samples == 100
    with pytest.raises(ValueError, match="did you mean 'mig'"):
        DisentanglementMetric("miq")


def gathered(rank, world, file, results):
    import torch.distributed as dist

    from unweave.integrations.torchmetrics import DisentanglementMetric

    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)
    table = np.load(f"{file}.npz")
    mine = slice(rank, None, world)
    metric = DisentanglementMetric("mig")
    metric.update(torch.from_numpy(table["codes"][mine]), torch.from_numpy(table["factors"][mine]))
    results.put((rank, float(metric.compute()), metric.score.n_samples))
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_score_the_rows_of_both(table, tmp_path):
    pytest.importorskip("torchmetrics")
    codes, factors = table
    np.savez(tmp_path / "rendezvous.npz", codes=codes, factors=factors)
    context = torch.multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=gathered, args=(r, 2, str(tmp_path / "rendezvous"), results))
        for r in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    found = sorted(results.get(timeout=1) for _ in workers)
    whole = float(METRICS["mig"](codes, factors, noise=None))
    assert [n for _, _, n in found] == [600, 600]
    assert [value for _, value, _ in found] == pytest.approx([whole, whole], abs=1e-6)


def test_scikit_learn_scores_what_an_estimator_transforms(table, rng):
    codes, factors = table
    images = codes @ rng.standard_normal((2, 20))
    scorer = disentanglement_scorer("mig")
    scores = cross_val_score(PCA(2), images, factors, scoring=scorer, cv=3)
    assert scores.shape == (3,)
    assert (0 < scores).all()
    assert disentanglement_scorer("latent_mi")(PCA(2).fit(images), images, factors) < 0
    predictor = LinearRegression().fit(images, factors)
    with pytest.raises(ValueError, match="LinearRegression has no transform"):
        scorer(predictor, images, factors)
