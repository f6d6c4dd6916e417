import numpy as np
import pytest

torch = pytest.importorskip("torch")

from interlingua.align.word.evaluation import parallel_accuracy  # noqa: E402
from interlingua.align.word.methods.adversarial import Adversarial, _Game, orthogonalize  # noqa: E402

TOY = {
    "normalize": "none",
    "epochs": 3,
    "steps": 40,
    "hidden": 32,
    "discriminator_steps": 2,
    "learning_rate": 0.3,
    "orthogonalization": 0.1,
    "criterion_vocabulary": 400,
}


def two_clusters(n=400, d_target=2, seed=0):
    """Return two clusters of unlike size and spread in the plane, and the same turned by a third of a circle."""
    rng = np.random.default_rng(seed)
    large = np.arange(n) % 4 > 0
    source = np.where(large[:, None], [1.5, 0.3], [-0.4, -1.2]) + np.where(large[:, None], 0.25, 0.1) * rng.normal(
        size=(n, 2)
    )
    angle = 2 * np.pi / 3
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    embedding = np.linalg.qr(rng.normal(size=(d_target, d_target)))[0][:2]
    target = source @ rotation @ embedding + 0.001 * rng.normal(size=(n, d_target))
    return source.astype(np.float32), target.astype(np.float32), large


def same_cluster(space, source, target, large):
    """Return how many words lie nearer to the translation's cluster than to the other."""
    x, y = space.transform(source, "source"), space.transform(target, "target")
    centres = np.stack([y[large].mean(axis=0), y[~large].mean(axis=0)])
    return float(((x @ centres.T).argmax(axis=1) == np.where(large, 0, 1)).mean())


@pytest.mark.parametrize("d_target", [2, 3])
def test_a_planted_rotation_of_two_clusters_is_found(d_target):
    source, target, large = two_clusters(d_target=d_target)
    # a reflection or a swap of the clusters would be another local optimum: the best of a few seeds, by the criterion
    fits = [Adversarial(seed=seed, **TOY).fit(source, target) for seed in range(2)]
    best = max(fits, key=lambda each: each.criterion_)
    assert same_cluster(best.space_, source, target, large) > 0.95
    assert best.space_.dimension == 2
    assert len(best.history_) == 3 + 5
    assert best.criterion_ == pytest.approx(max(event["objective"] for event in best.history_))


def test_equal_seeds_give_equal_maps_and_the_global_generator_is_left_alone():
    source, target, _ = two_clusters(n=60)
    settings = {**TOY, "epochs": 1, "steps": 3, "refinements": 0}
    before = torch.random.get_rng_state()
    first, again = (Adversarial(seed=1, **settings).fit(source, target).space_ for _ in range(2))
    other = Adversarial(seed=2, **settings).fit(source, target).space_
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_labels_are_smoothed_and_the_map_plays_against_the_discriminator():
    source, target, _ = two_clusters(n=60)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        game = _Game(torch, source, target, Adversarial(hidden=8, batch_size=4, smoothing=0.1), "cpu")
        expected = torch.tensor([0.9] * 4 + [0.1] * 4)
        torch.testing.assert_close(game.labels, expected)
        batch = game._batch()
        game.discriminator.eval()
        probability = torch.sigmoid(game.discriminator(batch).squeeze(1))
        by_hand = -(expected * probability.log() + (1 - expected) * (1 - probability).log()).mean()
        torch.testing.assert_close(game._loss(batch, game.labels), by_hand)
        weights = [each.detach().clone() for each in game.discriminator.parameters()]
        before = game.matrix()
        game.map_step(0.1)
        assert not np.array_equal(before, game.matrix())
        for each, was in zip(game.discriminator.parameters(), weights, strict=True):
            torch.testing.assert_close(each.detach(), was)
        moved = game.matrix()
        game.discriminator_step()
        np.testing.assert_array_equal(moved, game.matrix())
        assert not torch.equal(next(game.discriminator.parameters()), weights[0])


def test_a_map_step_is_a_gradient_step_by_finite_differences():
    source, target, _ = two_clusters(n=30)
    settings = Adversarial(hidden=6, batch_size=5, orthogonalization=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        game = _Game(torch, source, target, settings, "cpu")
        game.discriminator.double().eval()
        game.x, game.y, game.labels = game.x.double(), game.y.double(), game.labels.double()
        game.map = game.map.detach().double().requires_grad_()
        state = torch.random.get_rng_state()

        def loss(matrix):
            torch.random.set_rng_state(state)
            game.map, kept = matrix, game.map
            with torch.no_grad():
                value = float(game._loss(game._batch(), 1 - game.labels))
            game.map = kept
            return value

        start, expected = game.map.detach().clone(), torch.zeros(2, 2, dtype=torch.float64)
        for i in range(2):
            for j in range(2):
                step = torch.zeros(2, 2, dtype=torch.float64)
                step[i, j] = 1e-5
                expected[i, j] = (loss(start + step) - loss(start - step)) / 2e-5
        torch.random.set_rng_state(state)
        game.map_step(1.0)
        torch.testing.assert_close(start - game.map.detach(), expected, atol=1e-6, rtol=1e-4)


def test_orthogonalising_again_and_again_gives_the_nearest_rotation():
    matrix = np.eye(4) + 0.3 * np.random.default_rng(0).normal(size=(4, 4))
    u, _, vt = np.linalg.svd(matrix)
    for _ in range(200):
        matrix = orthogonalize(matrix, 0.2)
    np.testing.assert_allclose(matrix, u @ vt, atol=1e-9)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"smoothing": 0.5}, r"smoothing must be in \[0, 0.5\)"),
    ],
)
def test_bad_parameters_are_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        Adversarial(**bad).fit(np.eye(3), np.eye(3))


def test_a_game_that_diverges_says_so():
    source, target, _ = two_clusters(n=60)
    with pytest.raises(ValueError, match="diverged: the map is not finite; lower learning_rate"):
        Adversarial(**{**TOY, "orthogonalization": 50.0, "learning_rate": 100.0}).fit(source, target)


def test_refinement_turns_a_rough_map_into_the_rotation():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(300, 6)).astype(np.float32)
    u, _, vt = np.linalg.svd(np.eye(6) + 0.2 * rng.normal(size=(6, 6)))
    tilt = u @ vt
    target = (source @ tilt).astype(np.float32)
    # one step from the identity: the game does nothing, the refinement does all
    settings = {"epochs": 1, "steps": 1, "discriminator_steps": 1, "hidden": 4, "normalize": "unit"}
    rough = Adversarial(refinements=0, **settings).fit(source, target).space_
    refined = Adversarial(refinements=5, **settings).fit(source, target).space_
    scores = [
        min(parallel_accuracy(space.transform(source, "source"), space.transform(target, "target")))
        for space in (rough, refined)
    ]
    assert scores[0] < 0.9
    assert scores[1] == 1.0
