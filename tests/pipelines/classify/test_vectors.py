import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from interlingua.pipelines.classify.vectors import VectorClassifier


def _clusters(n: int = 60, *, noise: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    vectors = np.eye(3, 12)[labels] + noise * rng.standard_normal((n, 12))
    return vectors.astype(np.float32), np.array(["a", "b", "c"])[labels]


@parametrize_with_checks([VectorClassifier("prototype"), VectorClassifier("knn")])
def test_scikit_learns_own_checks_pass(estimator: VectorClassifier, check: object) -> None:
    check(estimator)  # type: ignore[operator]


@pytest.mark.parametrize("method", ["mixed", "logistic", "prototype", "knn"])
def test_clusters_are_told_apart_with_probabilities_that_sum_to_one(method: str) -> None:
    classifier = VectorClassifier(method).fit(*_clusters())
    vectors, labels = _clusters(300, seed=1)
    found = classifier.predict_proba(vectors)
    assert (classifier.predict(vectors) == labels).mean() > 0.8
    assert np.allclose(found.sum(axis=1), 1)
    assert (classifier.classes_[found.argmax(axis=1)] == classifier.predict(vectors)).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_part_is_scikit_learns_regression(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, labels = _clusters()
    kept = labels != "c" if classes == 2 else np.ones(len(labels), bool)
    ours = VectorClassifier("logistic", strength=2.0, calibrate=False).fit(vectors[kept], labels[kept])
    theirs = LogisticRegression(C=2.0, max_iter=1000).fit(vectors[kept], labels[kept])
    assert np.allclose(ours.predict_proba(vectors), theirs.predict_proba(vectors), atol=1e-6)


def test_neighbours_vote_by_their_closeness() -> None:
    vectors, labels = _clusters(30)
    classifier = VectorClassifier("knn", calibrate=False).fit(vectors, labels)
    k, warmth, share = classifier.mix_
    assert (k, share) == (15, 1.0)
    query = vectors[3] + 0.1
    cosines = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
    best = np.argsort(-cosines)[:k]
    weights = np.exp(cosines[best] / warmth)
    wanted = [weights[labels[best] == name].sum() / weights.sum() for name in "abc"]
    assert np.allclose(classifier.predict_proba(query[None])[0], wanted, atol=1e-5)


def test_the_mixture_is_its_two_parts_in_their_shares() -> None:
    vectors, labels = _clusters(60)
    mixed = VectorClassifier("mixed", strength=1.0, calibrate=False).fit(vectors, labels)
    k, warmth, share = mixed.mix_
    query = _clusters(9, seed=4)[0]
    linear = VectorClassifier("logistic", strength=1.0, calibrate=False).fit(vectors, labels).predict_proba(query)
    units, queries = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (vectors, query))
    wanted = (1 - share) * linear
    for row, cosines in enumerate(queries @ units.T):
        best = np.argsort(-cosines)[:k]
        weights = np.exp(cosines[best] / warmth)
        for neighbour, weight in zip(best, weights / weights.sum(), strict=True):
            wanted[row, "abc".index(labels[neighbour])] += share * weight
    assert 0 < share < 1
    assert np.allclose(mixed.predict_proba(query), wanted, atol=1e-5)


def test_the_strength_is_the_least_within_a_standard_error_of_the_best() -> None:
    from sklearn.linear_model import LogisticRegression

    from interlingua.pipelines.classify.vectors import _STRENGTHS, _folds

    vectors, labels = _clusters(90, noise=0.7, seed=2)
    folds = _folds(np.searchsorted(["a", "b", "c"], labels), 0)
    scores = {}
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        scores[strength] = np.array(
            [
                model.fit(vectors[folds != each], labels[folds != each]).score(
                    vectors[folds == each], labels[folds == each]
                )
                for each in range(10)
            ]
        )
    best = max(scores.values(), key=np.mean)
    least = best.mean() - best.std(ddof=1) / np.sqrt(10)
    wanted = min(strength for strength, each in scores.items() if each.mean() >= least)
    assert VectorClassifier("logistic").fit(vectors, labels).strength_ == wanted
    assert wanted != max(scores, key=lambda each: scores[each].mean()) or wanted == _STRENGTHS[0]


def test_calibration_makes_held_out_labels_likelier() -> None:
    vectors, labels = _clusters(90, noise=0.8)
    later, truth = _clusters(600, noise=0.8, seed=5)
    columns = np.searchsorted(["a", "b", "c"], truth)

    def likelihood(classifier: VectorClassifier) -> float:
        found = classifier.fit(vectors, labels).predict_proba(later)
        return float(np.log(found[np.arange(len(columns)), columns]).mean())

    plain = VectorClassifier("prototype", calibrate=False)
    assert likelihood(clone(plain).set_params(calibrate=True)) > likelihood(plain) + 0.05


def test_labels_that_occur_once_are_learned_without_cross_validation() -> None:
    classifier = VectorClassifier().fit(np.eye(3, dtype=np.float32), ["x", "y", "z"])
    assert classifier.predict(np.eye(3, dtype=np.float32)).tolist() == ["x", "y", "z"]
    assert classifier.temperature_ == 1


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 classes, but all 3 labels are one class"):
        VectorClassifier().fit(np.eye(3, dtype=np.float32), ["x", "x", "x"])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match=r"method must be 'mixed', .* got 'svm'"):
        VectorClassifier("svm").fit(*_clusters())  # type: ignore[arg-type]
