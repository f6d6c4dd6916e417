"""Fine-tune a sentence encoder on translations: each text nearer to its translation than to the rest of its batch."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.base import Encoder, Role, check_role
from interlingua.pipelines.texts.pairs import Pair

from .losses import ranking_module
from .scores import hold_out, mean_scores, score_translations, spread
from .sentences import OpenEncoder, SentenceTraining, add_lora, encode_texts, freeze_word_embeddings, merge_lora
from .settings import CostEstimate, TrainingRun, TrainingSettings

EncoderLike = str | Path | Encoder | None


def finetune_contrastive(
    encoder: EncoderLike,
    pairs: Iterable[Pair],
    *,
    output: str | Path,
    temperature: float = 0.05,
    margin: float = 0.0,
    same_language_negatives: bool = False,
    one_language_pair_a_batch: bool = False,
    train_word_embeddings: bool = False,
    lora_rank: int | None = None,
    roles: tuple[Role, Role] = ("symmetric", "symmetric"),
    settings: TrainingSettings | None = None,
    resume: bool = False,
    callback: Callable[[Mapping[str, float]], None] | None = None,
) -> TrainingRun:
    """Fine-tune an encoder on sentence pairs with `translation_ranking_loss`, and write the best one to a folder.

    The pairs of a batch are each other's negatives, in both directions; no batch holds a text twice. Some pairs of each
    language pair are held out: after each evaluation the mean reciprocal rank of their translations, among the held-out
    texts of both languages, is compared with the best so far, the untrained encoder's included, and the best weights
    are kept. All vectors falling together ends the run.

    Parameters
    ----------
    encoder : str, Path, Encoder or None
        A sentence-transformers model; None is the bundled one. It is loaded anew in float32 and left as it is.
    pairs : iterable of Pair
        Of any number of languages; see `read_pairs`. They are held in memory.
    output : path
        A folder that does not exist yet. `SentenceTransformer(output)` and `load_encoder(output)` load it.
    temperature : float
        What cosines are divided by in the softmax.
    margin : float
        Additive margin of the right answers; 0 is InfoNCE, LaBSE takes 0.3 [1]_.
    same_language_negatives : bool
        The other texts of a text's own language are negatives too: for search among texts of all languages at once.
    one_language_pair_a_batch : bool
        Every batch is of one language pair, so that negatives are of the answer's language (and, with
        `same_language_negatives`, of the query's): harder ones.
    train_word_embeddings : bool
        They are frozen by default.
    lora_rank : int, optional
        Train low-rank updates of the linear layers only; they are merged in the end.
    roles : (Role, Role)
        Which of the encoder's prompts the sources and the targets get.
    settings : TrainingSettings, optional
        Length, batches, learning rate, precision, evaluation.
    resume : bool
        Go on from the checkpoints beside `output`, where there are.
    callback : callable, optional
        Gets a dict with "step" at each evaluation: "loss", "eval_mrr", "eval_accuracy", "eval_spread".

    Raises
    ------
    MissingExtraError
        If the extra `train` is not installed.
    TypeError
        If the encoder is no sentence-transformers model.
    ValueError
        If there are fewer than two pairs to learn from, or a parameter is out of range.
    FileExistsError
        If `output` exists, or its checkpoints do and `resume` is not set.

    References
    ----------
    .. [1] Feng, Yang, Cer, Arivazhagan and Wang (2022), "Language-agnostic BERT sentence embedding", ACL.
       doi:10.18653/v1/2022.acl-long.62
    """
    options = (
        temperature,
        margin,
        same_language_negatives,
        one_language_pair_a_batch,
        train_word_embeddings,
        lora_rank,
        roles,
    )
    training = _training(encoder, pairs, *options, settings or TrainingSettings())
    return training.run(output, resume=resume, callback=callback)


def estimate_contrastive(
    encoder: EncoderLike,
    pairs: Iterable[Pair],
    *,
    temperature: float = 0.05,
    margin: float = 0.0,
    same_language_negatives: bool = False,
    one_language_pair_a_batch: bool = False,
    train_word_embeddings: bool = False,
    lora_rank: int | None = None,
    roles: tuple[Role, Role] = ("symmetric", "symmetric"),
    settings: TrainingSettings | None = None,
) -> CostEstimate:
    """Say what `finetune_contrastive` would cost, from three of its steps; write nothing."""
    options = (
        temperature,
        margin,
        same_language_negatives,
        one_language_pair_a_batch,
        train_word_embeddings,
        lora_rank,
        roles,
    )
    return _training(encoder, pairs, *options, settings or TrainingSettings()).estimate()


def pairs_dataset(pairs: list[Pair], *, by_language_pair: bool = False) -> Any:
    """Return the texts as a `Dataset` with the columns "source" and "target", or one for each language pair."""
    datasets = require("datasets", extra="train")
    if not by_language_pair:
        return datasets.Dataset.from_dict(
            {"source": [pair.source for pair in pairs], "target": [pair.target for pair in pairs]}
        )
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(f"{pair.source_language}-{pair.target_language}", []).append(pair)
    return datasets.DatasetDict({name: pairs_dataset(group) for name, group in sorted(groups.items())})


def pairs_hash(pairs: Iterable[Pair]) -> str:
    """Return a hash of the texts and languages, in order."""
    digest = blake2b(digest_size=16)
    for pair in pairs:
        text = "\0".join((pair.source_language, pair.target_language, pair.source, pair.target, ""))
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _training(
    encoder: EncoderLike,
    pairs: Iterable[Pair],
    temperature: float,
    margin: float,
    same_language_negatives: bool,
    one_language_pair_a_batch: bool,
    train_word_embeddings: bool,
    lora_rank: int | None,
    roles: tuple[Role, Role],
    settings: TrainingSettings,
) -> SentenceTraining:
    if not temperature > 0 or margin < 0:
        raise ValueError(f"expected temperature > 0 and margin >= 0, got {temperature} and {margin}")
    every = list(pairs)
    kept, held = hold_out(every, settings.held_out, seed=settings.seed)
    if len(kept) < 2:
        raise ValueError(f"at least two pairs are needed to learn from, got {len(kept)} of {len(every)}")
    opened = OpenEncoder.of(encoder, device=settings.device)
    model = opened.fresh()
    if lora_rank is not None:
        add_lora(model, lora_rank, seed=settings.seed)
    elif not train_word_embeddings:
        freeze_word_embeddings(model)
    prefixes = [opened.prompts[check_role(role)] for role in roles]

    def score(scored: Any) -> dict[str, float]:
        sides = [pair.source for pair in held], [pair.target for pair in held]
        u, v = (
            encode_texts(scored, texts, prompt=prefix, opened=opened, precision=settings.precision)
            for texts, prefix in zip(sides, prefixes, strict=True)
        )
        return {**mean_scores(score_translations(held, u, v)), "spread": spread(np.concatenate([u, v]))}

    return SentenceTraining(
        encoder=opened,
        model=model,
        dataset=pairs_dataset(kept, by_language_pair=one_language_pair_a_batch),
        loss=ranking_module(
            model,
            temperature=temperature,
            margin=margin,
            same_language_negatives=same_language_negatives,
            batch_size=settings.batch_size,
            mini_batch_size=settings.mini_batch_size,
        ),
        settings=settings,
        score=score if held else None,
        prompts={"source": prefixes[0], "target": prefixes[1]},
        identity={
            "pairs": pairs_hash(every),
            "temperature": temperature,
            "margin": margin,
            "same_language_negatives": same_language_negatives,
            "one_language_pair_a_batch": one_language_pair_a_batch,
            "train_word_embeddings": train_word_embeddings,
            "lora_rank": lora_rank,
            "roles": list(roles),
        },
        finish=merge_lora if lora_rank is not None else _same,
        at_start=opened.fresh,
        n_held_out=len(held),
        method="A multilingual sentence encoder, fine-tuned contrastively on translations.",
    )


def _same(model: Any) -> Any:
    return model
