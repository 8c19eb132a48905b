import numpy as np
import polars
import pytest
import torch
from matplotlib import pyplot
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score

from unweave.integrations.scikit_learn import disentanglement_scorer
from unweave.metrics import METRICS, evaluate


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


@pytest.fixture
def mig_of():
    pytest.importorskip("torchmetrics")
    from unweave.integrations.torchmetrics import DisentanglementMetric

    def make(**options):
        return DisentanglementMetric("mig", options=options)

    return make


def test_torchmetrics_without_rows_answers_as_its_own_metrics(mig_of, table):
    from torchmetrics.classification import BinaryAUROC

    metric = mig_of()
    for empty in (BinaryAUROC(thresholds=None), metric):
        with (
            pytest.warns(UserWarning, match="was called before the ``update`` method"),
            pytest.raises(ValueError, match="No samples|no rows to score: call update"),
        ):
            empty.compute()
    metric.update(*map(torch.from_numpy, table))
    metric.compute()
    metric.reset()
    with (
        pytest.warns(UserWarning, match="was called before the ``update`` method"),
        pytest.raises(ValueError, match=r"call update\(codes, factors\) before compute\(\)"),
    ):
        metric.compute()


def test_torchmetrics_takes_batches_of_any_container(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes, factors = table
    whole = float(METRICS["mig"](codes, factors, noise=None))
    containers = (
        lambda x: x,
        lambda x: x.tolist(),
        pandas.DataFrame,
        lambda x: torch.tensor(x).to_sparse(),
        lambda x: torch.tensor(x, dtype=torch.float32, requires_grad=True),
        lambda x: np.ma.array(x),
    )
    for make in containers:
        metric = mig_of()
        for rows in np.split(np.arange(600), 4):
            metric.update(make(codes[rows]), make(factors[rows]))
        assert float(metric.compute()) == pytest.approx(whole, abs=1e-6)


def test_torchmetrics_refuses_batches_that_do_not_fit(mig_of, table):
    codes, factors = table
    metric = mig_of()
    for batch, message in (
        ((codes[:9], factors[:8]), "codes of this batch have 9 rows and factors 8"),
        ((codes[:, 0], factors), "codes must be two-dimensional"),
        ((torch.tensor(codes), torch.tensor(factors[:, 0])), "factors of a batch must be two-d"),
        ((np.array([["a"]] * 600), factors), "codes must be an array of numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.update(*batch)
    metric.update(np.ma.masked_less(codes, 0), factors)
    with pytest.raises(ValueError, match="missing values"):
        metric.compute()
    with pytest.raises(ValueError, match="'a' is the name of factors 0, 1"):
        mig_of(factor_names=["a", "a"])


def test_torchmetrics_matches_rows_and_columns_of_data_frames(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes = pandas.DataFrame(table[0])
    factors = pandas.DataFrame(table[1], columns=["size", "hue"])
    metric = mig_of()
    metric.update(codes[:300], factors[:300].iloc[::-1])
    metric.update(codes[300:], factors[300:][["hue", "size"]])
    assert float(metric.compute()) == pytest.approx(float(METRICS["mig"](*table, noise=None)))
    assert list(metric.score.per_factor) == ["size", "hue"]
    with pytest.raises(ValueError, match="columns of earlier factors and factors of this batch"):
        metric.update(codes, factors.rename(columns={"hue": "x"}))
    metric.reset()
    metric.update(codes, factors.rename(columns={"hue": "x"}))


def two_batches(metric, codes, factors):
    for rows in (slice(0, 350), slice(350, None)):
        metric.update(codes[rows], factors[rows])
    return float(metric.compute())


def frames_of_kinds(pandas, polars, factors):
    names = np.array(["low", "mid", "top"])[factors[:, 0]]
    order = ["top", "low", "unused", "mid"]
    first, second = factors[:, 0], factors[:, 1]
    is_low = first == 0
    ordered = pandas.Categorical(names, categories=order, ordered=True)
    yield pandas.DataFrame(factors).astype("category")
    yield pandas.DataFrame({"a": is_low, "b": second})
    yield pandas.DataFrame({"a": is_low, "b": second > 1})
    yield pandas.DataFrame({"a": ordered, "b": second + 0.5})
    yield pandas.DataFrame({"a": names, "b": second})
    yield polars.DataFrame({"a": is_low, "b": second})
    yield polars.DataFrame({"a": names, "b": second}, schema_overrides={"a": polars.Enum(order)})
    yield np.column_stack([names, second.astype(str)])


@pytest.mark.parametrize("name", ["sap", "linear_r2", "mig"])
def test_torchmetrics_keeps_kinds_of_columns(table, name):
    pytest.importorskip("torchmetrics")
    pandas = pytest.importorskip("pandas")
    from unweave.integrations.torchmetrics import DisentanglementMetric

    codes, factors = table[0].astype(float), table[1]
    for frame in frames_of_kinds(pandas, polars, factors):
        whole = evaluate(codes, frame, metrics=[name], noise=None)[name]
        metric = DisentanglementMetric(name)
        assert two_batches(metric, codes, frame) == pytest.approx(float(whole), abs=1e-6)
        assert metric.score.levels == whole.levels
        assert list(metric.score.per_factor or ()) == list(whole.per_factor or ())


def test_torchmetrics_knows_categories_that_a_batch_lacks(table):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("torchmetrics")
    from unweave.integrations.torchmetrics import DisentanglementMetric

    rows = np.argsort(table[1][:, 0], kind="stable")  # each batch lacks words
    codes, factors = table[0][rows].astype(float), table[1][rows]
    words = np.array(["b", "c", "a"])[factors[:, 0]]
    frame = pandas.DataFrame({"x": words, "y": factors[:, 1]})
    metric = DisentanglementMetric("linear_r2")
    with pytest.raises(ValueError, match=r"factor 0 \(x\) has the words c, a in|the words a, c in"):
        two_batches(metric, codes, frame)
    declared = frame.astype({"x": pandas.CategoricalDtype(["c", "unused", "a", "b"], True)})
    expected = float(METRICS["linear_r2"](codes, declared, noise=None))
    metric.reset()
    assert two_batches(metric, codes, declared) == pytest.approx(expected, abs=1e-6)
    assert metric.score.levels == {"x": ("c", "a", "b")}
    other = frame.astype({"x": pandas.CategoricalDtype(["a", "b", "c"], True)})
    with pytest.raises(ValueError, match="has the words a, b, c in one batch and c, unused, a, b"):
        metric.update(codes, other)
    with pytest.raises(ValueError, match=r"factor 0 \(x\) holds numbers in one batch and words"):
        metric.update(codes, pandas.DataFrame({"x": factors[:, 0], "y": factors[:, 1]}))


def test_torchmetrics_matches_columns_of_codes_by_name(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes, factors = pandas.DataFrame(table[0], columns=["u", "v"]), table[1]
    whole = float(METRICS["mig"](*table, noise=None))
    for gather in ("update", "forward"):
        metric = mig_of()
        getattr(metric, gather)(codes[:300], factors[:300])
        getattr(metric, gather)(codes.loc[300:, ["v", "u"]], factors[300:])
        assert float(metric.compute()) == pytest.approx(whole, abs=1e-6)
        with pytest.raises(ValueError, match="columns of earlier codes and codes of this batch"):
            metric.update(codes.rename(columns={"v": "w"}), factors)


def test_torchmetrics_learns_names_from_the_first_batch_that_has_some(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes, factors = table
    frame = pandas.DataFrame(factors, columns=["size", "hue"])
    metric = mig_of()
    metric.update(codes[:200], factors[:200])
    metric.update(codes[200:400], frame[200:400])
    metric.update(codes[400:], frame.loc[400:, ["hue", "size"]])
    assert float(metric.compute()) == pytest.approx(float(METRICS["mig"](*table, noise=None)))
    assert list(metric.score.per_factor) == ["size", "hue"]


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_torchmetrics_refuses_batches_of_other_widths(mig_of, table, make):
    codes, factors = table
    metric = mig_of()
    metric.update(make(codes), make(factors))
    with pytest.raises(ValueError, match="codes of this batch have 3 columns and earlier codes 2"):
        metric.update(make(codes[:, [0, 1, 1]]), make(factors))
    with pytest.raises(ValueError, match="factors of this batch have 1 columns and earlier fact"):
        metric.update(make(codes), make(factors[:, :1]))
    assert float(metric.compute()) == pytest.approx(float(METRICS["mig"](*table, noise=None)))
    assert metric.score.n_samples == len(codes)


def test_torchmetrics_in_a_collection_keep_kinds_after_a_reset(table):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("torchmetrics")
    from torchmetrics import MetricCollection

    from unweave.integrations.torchmetrics import DisentanglementMetric

    codes, frame = table[0].astype(float), pandas.DataFrame(table[1]).astype("category")
    names = ["mig", "sap"]
    metrics = MetricCollection({name: DisentanglementMetric(name) for name in names})
    for _ in range(2):
        metrics.update(codes[:300], frame[:300])
        metrics.update(codes[300:], frame[300:])
        found = metrics.compute()
        for name in names:
            expected = float(METRICS[name](codes, frame, noise=None))
            assert float(found[name]) == pytest.approx(expected, abs=1e-6)
        metrics.reset()


def test_torchmetrics_refuses_rows_of_processes_with_other_columns(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes, factors = table
    words = np.array(["a", "b", "c"])[factors[:, 0]]
    for frames, message in (
        ([{"a": factors[:, 0]}, {"b": factors[:, 0]}], "factors have other columns in one process"),
        ([{"a": factors[:, 0]}, {"a": words}], r"factor 0 \(a\) holds words in one batch and num"),
    ):
        here, there = mig_of(), mig_of()
        here.update(codes, pandas.DataFrame(frames[0]))
        there.update(codes, pandas.DataFrame(frames[1]))
        for state in ("codes", "factors", "codes_layouts", "factors_layouts"):
            getattr(here, state).extend(getattr(there, state))
        with pytest.raises(ValueError, match=message):
            here.compute()


def test_torchmetrics_notes_half_precision_column_by_column(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes, factors = table[0].astype(np.float64), table[1]
    mixed = pandas.DataFrame({"a": (codes[:, 0] + 1e7).astype(np.float32), "b": codes[:, 1]})
    for moved, kind in (
        (torch.tensor(codes + 1000).half(), "float16"),
        (torch.tensor(codes + 100).bfloat16(), "bfloat16"),
        (mixed, "float32"),
    ):
        metric = mig_of()
        two_batches(metric, moved, factors)
        assert f"steps of {kind}" in " ".join(metric.score.notes)


def test_torchmetrics_refuses_whole_numbers_that_its_tensors_cannot_hold(mig_of, table):
    pandas = pytest.importorskip("pandas")
    codes, factors = np.round(table[0] * 100).astype(np.int64), table[1]
    expected = two_batches(mig_of(), codes, factors)
    assert two_batches(mig_of(), codes + 2**60, factors) == pytest.approx(expected)
    mixed = pandas.DataFrame({"a": codes[:, 0] + 2**60, "b": codes[:, 1] / 100})
    with pytest.raises(ValueError, match=r"latent 0 \(a\) holds .*, more than a tensor can beside"):
        mig_of().update(mixed, factors)
    with pytest.raises(ValueError, match="latent 0 holds .*, more than a signed 64-bit whole num"):
        mig_of().update(np.full((600, 2), 2**63, dtype=np.uint64), factors)


def test_torchmetrics_plots_one_value_or_several(mig_of, table):
    metric = mig_of()
    values = []
    for rows in torch.arange(600).split(200):
        metric.update(torch.from_numpy(table[0])[rows], torch.from_numpy(table[1])[rows])
        values.append(metric.compute())
    figure, axes = metric.plot()
    (point,) = axes.get_lines()
    assert point.get_ydata() == pytest.approx([float(values[-1])])
    _, drawn = metric.plot(values, ax=figure.add_subplot())
    (line,) = drawn.get_lines()
    assert drawn is figure.axes[-1]
    pyplot.close(figure)
    assert line.get_ydata().tolist() == pytest.approx([float(value) for value in values])


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


def test_scikit_learn_scores_tables_by_the_labels_of_their_rows(table, rng):
    pandas = pytest.importorskip("pandas")
    labels = [f"r{i}" for i in range(600)]
    codes, factors = (pandas.DataFrame(array, labels) for array in table)
    codes, factors = codes.rename(columns=str), factors.rename(columns=str)
    scorer = disentanglement_scorer("mcc")
    shuffled = factors.iloc[rng.permutation(600)]
    for transform in ("default", "pandas"):
        pca = PCA(2).set_output(transform=transform).fit(codes)
        right = scorer(pca, codes, factors)
        assert scorer(pca, codes, shuffled) == right
        assert right == pytest.approx(scorer(pca, codes, factors.to_numpy()))
        with pytest.raises(ValueError, match="differ in 1 of 600 labels"):
            scorer(pca, codes, factors.rename(index={"r3": "other"}))
    words = factors.assign(**{"0": np.array(["a", "b", "c"])[factors["0"]]})
    assert 0 < disentanglement_scorer("sap")(pca, codes, words) < 1
    with pytest.raises(ValueError, match="'a' is the name of factors 0, 1"):
        disentanglement_scorer("mig", factor_names=["a", "a"])
