"""Distil a teacher into a multilingual student: every language gives the vector that the teacher gives for English."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.align.linalg import svd
from interlingua.pipelines.encoders.load import load_encoder
from interlingua.pipelines.texts.pairs import Pair

from .classifier import keep_layers
from .contrastive import EncoderLike, pairs_dataset, pairs_hash
from .losses import distillation_module
from .scores import hold_out, mean_scores, score_translations, spread
from .sentences import OpenEncoder, SentenceTraining, freeze_word_embeddings
from .settings import CostEstimate, DistillationSettings, TrainingRun

_RIDGE_PAIRS = 1000
_RIDGE_GRID = tuple(10.0**power for power in range(-6, 3))  # shares of the mean squared singular value


def distill(
    teacher: EncoderLike,
    student: EncoderLike,
    pairs: Iterable[Pair],
    *,
    output: str | Path,
    settings: DistillationSettings | None = None,
    resume: bool = False,
    callback: Callable[[Mapping[str, float]], None] | None = None,
) -> TrainingRun:
    """Train a student to give the teacher's vector of a text for the text and for its translation [1]_.

    The loss is the squared error as a share of the teacher's variance (`scaled_distillation_loss`): a student that
    gives one vector for all texts scores 1. What is selected by and reported is retrieval: the held-out texts of the
    other language look for the teacher's vectors ("accuracy", "mrr", both directions) and for the student's own
    ("accuracy_of_pairs"); "unexplained" is the loss. A run whose vectors fall together, to a tenth of the teacher's
    spread, is ended.

    Parameters
    ----------
    teacher : str, Path, Encoder or None
        Any encoder; it reads the pivot side only, once.
    student : str, Path, Encoder or None
        A sentence-transformers model; None is the bundled one.
    pairs : iterable of Pair
        One side in the teacher's language.
    output : path
        A folder that does not exist yet; plain `SentenceTransformer(output)` loads it.
    settings : DistillationSettings, optional
        The teacher's side, the student's size, length, batches, learning rate, precision, evaluation.
    resume : bool
        Go on from the checkpoints beside `output`, where there are.
    callback : callable, optional
        Gets a dict with "step" at each evaluation: "loss" and the held-out scores, as "eval_mrr".

    Raises
    ------
    MissingExtraError
        If the extra `train` is not installed.
    ValueError
        If the dimensions differ without a projection, or there are fewer than two pairs.

    References
    ----------
    .. [1] Reimers and Gurevych (2020), "Making monolingual sentence embeddings multilingual using knowledge
       distillation", EMNLP. doi:10.18653/v1/2020.emnlp-main.365
    """
    training = _training(teacher, student, pairs, settings or DistillationSettings())
    return training.run(output, resume=resume, callback=callback)


def estimate_distillation(
    teacher: EncoderLike,
    student: EncoderLike,
    pairs: Iterable[Pair],
    *,
    settings: DistillationSettings | None = None,
) -> CostEstimate:
    """Say what `distill` would cost beside encoding with the teacher, from three of its steps; write nothing."""
    return _training(teacher, student, pairs, settings or DistillationSettings()).estimate()


def project_onto_teacher(
    teacher: EncoderLike,
    student: EncoderLike,
    pairs: Iterable[Pair],
    *,
    output: str | Path,
    settings: DistillationSettings | None = None,
) -> Path:
    """Write the student with the ridge projection that `distill` starts from, and train nothing.

    A multilingual student then searches among vectors that the teacher has made, in the seconds that 1,000 pairs take
    to be encoded. The parameters are those of `distill`.
    """
    _training(teacher, student, pairs, settings or DistillationSettings()).write_start(Path(output))
    return Path(output)


def ridge_projection(
    student: NDArray[np.floating], teacher: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    r"""Return the W, b that minimise :math:`\sum_i \lVert W s_i + b - t_i \rVert^2 + \lambda \lVert W \rVert_F^2`.

    Parameters
    ----------
    student : (n, d) array
    teacher : (n, k) array

    Returns
    -------
    weight : (k, d) float32 array
    bias : (k,) float32 array

    Notes
    -----
    lambda has the smallest leave-one-out error on a grid of powers of ten, which has a closed form: the residual of
    row i divided by 1 - h_i, with h_i its leverage [1]_. The bias is not penalised.

    References
    ----------
    .. [1] Allen (1974), "The relationship between variable selection and data augmentation and a method for
       prediction", Technometrics 16. doi:10.1080/00401706.1974.10489157
    """
    x, y = np.asarray(student, np.float64), np.asarray(teacher, np.float64)
    mean, aim = x.mean(axis=0), y.mean(axis=0)
    left, values, right = svd(x - mean)
    against = left.T @ (y - aim)
    errors = []
    for share in _RIDGE_GRID:
        shrink = values**2 / (values**2 + share * np.square(values).mean() + np.finfo(float).tiny)
        leverage = np.square(left) @ shrink + 1 / len(x)
        residual = (y - aim) - left @ (shrink[:, None] * against)
        errors.append((np.square(residual / np.maximum(1 - leverage, 1e-9)[:, None]).sum(), share))
    penalty = min(errors)[1] * np.square(values).mean()
    weight = (right.T @ ((values / (values**2 + penalty + np.finfo(float).tiny))[:, None] * against)).T
    return weight.astype(np.float32), (aim - weight @ mean).astype(np.float32)


def _training(
    teacher: EncoderLike, student: EncoderLike, pairs: Iterable[Pair], settings: DistillationSettings
) -> SentenceTraining:
    every = [pair if settings.pivot == "target" else pair.swapped for pair in pairs]
    kept, held = hold_out(every, settings.held_out, seed=settings.seed)
    guide = load_encoder(teacher) if teacher is None or isinstance(teacher, str | Path) else teacher
    aims = guide.encode([pair.target for pair in kept])
    held_aims = guide.encode([pair.target for pair in held]) if held else aims[:0]
    variance = float(np.square(aims - aims.mean(axis=0, dtype=np.float64)).sum(axis=1).mean())
    if not variance > 0:
        raise ValueError("the teacher gives one vector for all texts; there is nothing to distil")
    opened = OpenEncoder.of(student, device=settings.device, precision=settings.precision)
    model = _student(opened, kept, aims, settings)
    if not settings.train_word_embeddings:
        freeze_word_embeddings(model)
    prompt = opened.prompts["symmetric"]

    def score(scored: Any) -> dict[str, float]:
        sides = [pair.source for pair in held], [pair.target for pair in held]
        u, v = (opened.encode(scored, texts, prompt=prompt) for texts in sides)
        return {
            **mean_scores(score_translations(held, u, held_aims)),
            "accuracy_of_pairs": mean_scores(score_translations(held, u, v))["accuracy"],
            "spread": spread(np.concatenate([u, v])),
            "unexplained": float(np.square(u - held_aims).sum(axis=1).mean() / variance),
        }

    return SentenceTraining(
        encoder=opened,
        model=model,
        dataset=pairs_dataset(kept).add_column("label", list(aims)),
        loss=distillation_module(model, variance=variance),
        settings=settings,
        score=score if held else None,
        prompts={"source": prompt, "target": prompt},
        identity={"pairs": pairs_hash(every), "teacher": guide.identity},
        finish=_with_normalize,
        at_start=lambda: _with_normalize(_student(opened, kept, aims, settings)),
        reference_spread=spread(held_aims) if held else None,
        n_held_out=len(held),
        accumulate=True,
        method=f"A multilingual sentence encoder, distilled from the teacher `{guide.identity}`.",
    )


def _student(opened: OpenEncoder, pairs: list[Pair], aims: NDArray[np.float32], settings: DistillationSettings) -> Any:
    """Return the student as it is before training; `aims` are the teacher's vectors of the pairs' targets."""
    model = opened.fresh()
    keep_layers(model.transformers_model, settings.layers)
    # without a last `Normalize`: unit vectors could not be the teacher's mean, and the loss would have another scale
    model = _rebuilt(model, [each for each in model if not isinstance(each, _modules().Normalize)])
    if settings.projection == "none":
        if model.get_embedding_dimension() != aims.shape[1]:
            raise ValueError(
                f"the student has {model.get_embedding_dimension()} dimensions and the teacher {aims.shape[1]}; "
                "use projection='ridge'"
            )
        return model
    some = np.random.default_rng(settings.seed).permutation(len(pairs))[:_RIDGE_PAIRS]
    texts = [text for row in some for text in (pairs[row].source, pairs[row].target)]
    limit = model.max_seq_length
    model.max_seq_length = min(limit or settings.max_tokens, settings.max_tokens)
    vectors = opened.encode(model, texts, prompt=opened.prompts["symmetric"])
    model.max_seq_length = limit
    return _with_dense(model, *ridge_projection(vectors, np.repeat(aims[some], 2, axis=0)))


def _modules() -> Any:
    return require("sentence_transformers.sentence_transformer.modules", extra="train")


def _rebuilt(model: Any, modules: list[Any]) -> Any:
    library = require("sentence_transformers", extra="train")
    return library.SentenceTransformer(
        modules=modules, device=str(model.device), prompts=model.prompts, similarity_fn_name="cosine"
    )


def _with_normalize(model: Any) -> Any:
    return _rebuilt(model, [*model, _modules().Normalize()])


def _with_dense(model: Any, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
    torch = require("torch", extra="torch")
    with torch.random.fork_rng():
        dense = _modules().Dense(
            weight.shape[1],
            weight.shape[0],
            activation_function=torch.nn.Identity(),
            init_weight=torch.tensor(weight),
            init_bias=torch.tensor(bias),
        )
    return _rebuilt(model, [*model, dense])
