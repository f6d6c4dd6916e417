"""Features that do not tell their language: discriminator, gradient reversal, and the alternating game.

Works on torch tensors, whatever made them; it knows neither texts nor transformers.
"""

import math
from collections.abc import Iterable
from typing import Any, Literal

from interlingua.align.arrays import require

Deception = Literal["uniform", "flipped"]


def language_discriminator(
    dimension: int, n_languages: int, *, hidden: int = 128, dropout: float = 0.0, seed: int = 0
) -> Any:
    """Return a torch module (n, dimension) -> (n, n_languages) of scores, with one hidden layer.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    ValueError
        If there are fewer than two languages.
    """
    torch = require("torch", extra="torch")
    if n_languages < 2:
        raise ValueError(f"a discriminator needs at least 2 languages to tell apart, got {n_languages}")
    nn = torch.nn
    # subtle: layers draw their weights from torch's global generator, which is put back afterwards
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = (nn.Linear(dimension, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_languages))
        return nn.Sequential(*layers)


def reversal_strength(progress: float, *, ceiling: float = 1.0) -> float:
    """Return DANN's weight of the reversed gradient, ``ceiling * (2 / (1 + exp(-10 p)) - 1)`` [1]_.

    It rises from 0 at the start of training (p = 0), while the discriminator knows nothing, to `ceiling` at its end.

    Raises
    ------
    ValueError
        If `progress` is not between 0 and 1.

    References
    ----------
    .. [1] Ganin et al. (2016), "Domain-adversarial training of neural networks", JMLR 17. arXiv:1505.07818

    Examples
    --------
    >>> [round(reversal_strength(p), 4) for p in (0.0, 0.1, 0.5, 1.0)]
    [0.0, 0.4621, 0.9866, 0.9999]
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress is the share of training done, between 0 and 1, but is {progress}")
    return ceiling * (2 / (1 + math.exp(-10 * progress)) - 1)


def reverse_gradient(values: Any, strength: float) -> Any:
    """Return `values` as they are; the gradient that comes back through them is multiplied by ``-strength``.

    A loss on the result is thus minimised by what stands behind it and maximised by what made `values` [1]_.

    References
    ----------
    .. [1] Ganin and Lempitsky (2015), "Unsupervised domain adaptation by backpropagation", ICML. arXiv:1409.7495
    """
    same = values.view_as(values)
    if same.requires_grad:
        same.register_hook(lambda gradient: -strength * gradient)
    return same


def language_loss(scores: Any, languages: Any, targets: Any = None) -> Any:
    """Return the cross-entropy of (n, K) scores, each language of the batch with equal weight.

    Parameters
    ----------
    scores : (n, K) tensor
        The discriminator's, before softmax.
    languages : (n,) tensor of int
        The language that each row is written in.
    targets : (n, K) tensor, optional
        What the discriminator should say; by default the language itself.
    """
    torch = require("torch", extra="torch")
    wanted = languages if targets is None else targets
    losses = torch.nn.functional.cross_entropy(scores.float(), wanted, reduction="none")
    weights = 1.0 / torch.bincount(languages)[languages]
    return (losses * weights).sum() / weights.sum()


def deceiving_targets(languages: Any, n_languages: int, deception: Deception = "uniform") -> Any:
    """Return what the encoder wants the discriminator to say: (n, K) probabilities.

    "uniform": each language alike, the features tell nothing. "flipped": each of the other languages alike, never the
    right one; with two languages the flipped labels of Keung et al. (2019).

    Raises
    ------
    ValueError
        If the deception is neither.
    """
    torch = require("torch", extra="torch")
    if deception == "uniform":
        return torch.full((len(languages), n_languages), 1 / n_languages, device=languages.device)
    if deception != "flipped":
        raise ValueError(f"deception is 'uniform' or 'flipped', got {deception!r}")
    right = torch.nn.functional.one_hot(languages, n_languages).float()
    return (1 - right) / (n_languages - 1)


class AlternatingGame:
    """Play discriminator against encoder in turns, each with its own optimiser and learning rate [1]_.

    In each turn the discriminator learns to name the language of the features; then the encoder learns features for
    which the discriminator says what `deceiving_targets` gives. Neither step moves the other's weights. The task's own
    step follows outside.

    Parameters
    ----------
    discriminator : torch module
        See `language_discriminator`.
    encoder_parameters : iterable of torch parameters
        What the encoder's step may change; those that need no gradient are left out.
    discriminator_rate, generator_rate : float
        Learning rates of the two (Adam). The encoder's should lie well below that of its task.
    deception : {"uniform", "flipped"}
        What the encoder strives for. Flipped labels reward features of a *wrong* language; uniform ones stop where
        the languages cannot be told apart.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    ValueError
        If the deception is neither, or the encoder has nothing to learn.

    References
    ----------
    .. [1] Keung, Lu and Bhardwaj (2019), "Adversarial learning with contextual embeddings for zero-resource
       cross-lingual classification and NER", EMNLP. arXiv:1909.00153
    """

    def __init__(
        self,
        discriminator: Any,
        encoder_parameters: Iterable[Any],
        *,
        discriminator_rate: float = 1e-3,
        generator_rate: float = 1e-5,
        deception: Deception = "uniform",
    ) -> None:
        torch = require("torch", extra="torch")
        if deception not in ("uniform", "flipped"):
            raise ValueError(f"deception is 'uniform' or 'flipped', got {deception!r}")
        self._learned = [each for each in encoder_parameters if each.requires_grad]
        if not self._learned:
            raise ValueError("the encoder has no parameter that requires a gradient; freeze less of it")
        self.discriminator, self.deception = discriminator, deception
        self._discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=discriminator_rate)
        self._generator_optimizer = torch.optim.Adam(self._learned, lr=generator_rate)

    def step(self, features: Any, languages: Any) -> tuple[float, float]:
        """Play one turn on (n, d) features that carry the encoder's graph; return both losses."""
        return self.discriminator_step(features, languages), self.generator_step(features, languages)

    def discriminator_step(self, features: Any, languages: Any) -> float:
        """Let the discriminator learn the languages; the encoder stays. Return the loss before the step."""
        loss = language_loss(self.discriminator(features.detach().float()), languages)
        self._discriminator_optimizer.zero_grad()
        loss.backward()
        self._discriminator_optimizer.step()
        return float(loss.detach())

    def generator_step(self, features: Any, languages: Any) -> float:
        """Let the encoder learn to deceive; the discriminator stays. Return the loss before the step."""
        torch = require("torch", extra="torch")
        scores = self.discriminator(features.float())
        loss = language_loss(scores, languages, deceiving_targets(languages, scores.shape[1], self.deception))
        gradients = torch.autograd.grad(loss, self._learned, allow_unused=True)
        waiting = [each.grad for each in self._learned]  # the task's, where it gathers them over several batches
        for parameter, gradient in zip(self._learned, gradients, strict=True):
            parameter.grad = gradient
        self._generator_optimizer.step()
        for parameter, gradient in zip(self._learned, waiting, strict=True):
            parameter.grad = gradient
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """Return both optimisers' state, to go on from; the discriminator's weights are the caller's."""
        return {
            "discriminator": self._discriminator_optimizer.state_dict(),
            "generator": self._generator_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._discriminator_optimizer.load_state_dict(state["discriminator"])
        self._generator_optimizer.load_state_dict(state["generator"])
