"""The adversarial parts against closed forms; the players against each other."""

import math

import pytest

torch = pytest.importorskip("torch")

from interlingua.align.sentence.adversary import (  # noqa: E402
    AlternatingGame,
    deceiving_targets,
    language_discriminator,
    language_loss,
    reversal_strength,
    reverse_gradient,
)


def players(seed=0, **settings):
    generator = torch.Generator().manual_seed(seed)
    encoder = torch.nn.Linear(4, 3)
    with torch.no_grad():
        for each in encoder.parameters():
            each.copy_(torch.randn(each.shape, generator=generator))
    game = AlternatingGame(language_discriminator(3, 3, hidden=8), encoder.parameters(), **settings)
    texts = torch.randn(12, 4, generator=generator)
    return encoder, game, texts, torch.arange(12) % 3


def copies(module):
    return [each.detach().clone() for each in module.parameters()]


def test_reversal_keeps_the_values_and_turns_the_gradient():
    values = torch.randn(5, 3, requires_grad=True)
    weights = torch.randn(5, 3)
    reversed_values = reverse_gradient(values, 0.3)
    assert torch.equal(reversed_values, values)
    (reversed_values * weights).sum().backward()
    torch.testing.assert_close(values.grad, -0.3 * weights, rtol=0, atol=0)


def test_reversal_leaves_the_gradient_of_what_stands_behind_it():
    values, weight = torch.randn(5, 3), torch.randn(3, requires_grad=True)
    (reverse_gradient(values.requires_grad_(), 0.3) @ weight).sum().backward()
    torch.testing.assert_close(weight.grad, values.detach().sum(0))


def test_reversal_passes_values_that_need_no_gradient():
    with torch.no_grad():
        assert torch.equal(reverse_gradient(torch.ones(2), 1.0), torch.ones(2))


@pytest.mark.parametrize("progress", [0.0, 0.05, 0.3, 1.0])
def test_strength_is_the_hyperbolic_tangent_of_five_p(progress):
    assert reversal_strength(progress, ceiling=0.4) == pytest.approx(0.4 * math.tanh(5 * progress), abs=1e-12)


@pytest.mark.parametrize("progress", [-0.1, 1.1])
def test_strength_refuses_what_is_no_share(progress):
    with pytest.raises(ValueError, match="between 0 and 1"):
        reversal_strength(progress)


def test_language_loss_is_the_mean_over_languages_of_their_mean_loss():
    scores = torch.randn(10, 3)
    languages = torch.tensor([0] * 7 + [2] * 3)
    single = torch.nn.functional.cross_entropy(scores, languages, reduction="none")
    expected = (single[:7].mean() + single[7:].mean()) / 2
    torch.testing.assert_close(language_loss(scores, languages), expected)


def test_deceiving_targets_are_uniform_or_spare_the_right_language():
    languages = torch.tensor([0, 1])
    assert deceiving_targets(languages, 4).tolist() == [[0.25] * 4] * 2
    assert deceiving_targets(languages, 2, "flipped").tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert deceiving_targets(languages, 3, "flipped").tolist() == [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]
    with pytest.raises(ValueError, match="deception"):
        deceiving_targets(languages, 2, "other")


def test_the_discriminators_step_leaves_the_encoder():
    encoder, game, texts, languages = players()
    before, own = copies(encoder), copies(game.discriminator)
    game.discriminator_step(encoder(texts), languages)
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True))
    assert all(each.grad is None for each in encoder.parameters())
    assert not all(torch.equal(a, b) for a, b in zip(own, game.discriminator.parameters(), strict=True))


def test_the_encoders_step_leaves_the_discriminator_and_gathered_gradients():
    encoder, game, texts, languages = players()
    encoder.weight.grad = torch.ones_like(encoder.weight)
    before, own = copies(encoder), copies(game.discriminator)
    game.generator_step(encoder(texts), languages)
    assert all(torch.equal(a, b) for a, b in zip(own, game.discriminator.parameters(), strict=True))
    assert all(each.grad is None for each in game.discriminator.parameters())
    assert torch.equal(encoder.weight.grad, torch.ones_like(encoder.weight))
    assert not torch.equal(before[0], encoder.weight)


def test_each_player_gains_by_its_own_step():
    encoder, game, texts, languages = players(discriminator_rate=1e-2, generator_rate=1e-2)
    losses = [game.discriminator_step(encoder(texts), languages) for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    deceived = [game.generator_step(encoder(texts), languages) for _ in range(30)]
    assert deceived[-1] < deceived[0]


def test_the_game_goes_on_from_its_state():
    def play(turns, state=None):
        encoder, game, texts, languages = players(generator_rate=1e-2)
        if state is not None:
            encoder.load_state_dict(state[0])
            game.discriminator.load_state_dict(state[1])
            game.load_state_dict(state[2])
        for _ in range(turns):
            game.step(encoder(texts), languages)
        return encoder.state_dict(), game.discriminator.state_dict(), game.state_dict()

    whole, resumed = play(6), play(3, play(3))
    for name in whole[0]:
        torch.testing.assert_close(whole[0][name], resumed[0][name], rtol=0, atol=0)


def test_the_discriminator_is_drawn_from_its_seed_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, second, other = (language_discriminator(3, 2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first[0].weight, second[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_too_little_to_play_with_is_refused():
    with pytest.raises(ValueError, match="at least 2 languages"):
        language_discriminator(3, 1)
    frozen = torch.nn.Linear(2, 2).requires_grad_(requires_grad=False)
    with pytest.raises(ValueError, match="freeze less"):
        AlternatingGame(language_discriminator(2, 2), frozen.parameters())
    with pytest.raises(ValueError, match="deception"):
        AlternatingGame(language_discriminator(2, 2), torch.nn.Linear(2, 2).parameters(), deception="none")
