"""Fine-tune a sentence encoder on translations: each text nearer to its translation than to the rest of its batch."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.base import Encoder, check_role
from interlingua.pipelines.texts.pairs import Pair

from .losses import ranking_module
from .scores import hold_out, mean_scores, score_translations, spread
from .sentences import OpenEncoder, SentenceTraining, add_lora, freeze_word_embeddings, merge_lora
from .settings import ContrastiveSettings, CostEstimate, TrainingRun

EncoderLike = str | Path | Encoder | None


def finetune_contrastive(
    encoder: EncoderLike,
    pairs: Iterable[Pair],
    *,
    output: str | Path,
    settings: ContrastiveSettings | None = None,
    resume: bool = False,
    callback: Callable[[Mapping[str, float]], None] | None = None,
) -> TrainingRun:
    """Fine-tune an encoder on sentence pairs with `translation_ranking_loss` [1]_; write the best one to a folder.

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
    settings : ContrastiveSettings, optional
        Loss, length, batches, learning rate, precision, evaluation.
    resume : bool
        Go on from the checkpoints beside `output`, where there are.
    callback : callable, optional
        Gets a dict with "step" at each evaluation: "loss", "eval_mrr", "eval_accuracy", "eval_spread".

    Raises
    ------
    MissingExtraError
        If the extra `train` is not installed.
    ValueError
        If the encoder is no transformer, or there are fewer than two pairs to learn from.
    FileExistsError
        If `output` exists, or its checkpoints do and `resume` is not set.

    References
    ----------
    .. [1] Feng, Yang, Cer, Arivazhagan and Wang (2022), "Language-agnostic BERT sentence embedding", ACL.
       doi:10.18653/v1/2022.acl-long.62
    """
    return _training(encoder, pairs, settings or ContrastiveSettings()).run(output, resume=resume, callback=callback)


def estimate_contrastive(
    encoder: EncoderLike, pairs: Iterable[Pair], *, settings: ContrastiveSettings | None = None
) -> CostEstimate:
    """Say what `finetune_contrastive` would cost, from three of its steps; write nothing."""
    return _training(encoder, pairs, settings or ContrastiveSettings()).estimate()


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


def _training(encoder: EncoderLike, pairs: Iterable[Pair], settings: ContrastiveSettings) -> SentenceTraining:
    every = list(pairs)
    kept, held = hold_out(every, settings.held_out, seed=settings.seed)
    opened = OpenEncoder.of(encoder, device=settings.device, precision=settings.precision)
    model = opened.fresh()
    if settings.lora_rank is not None:
        add_lora(model, settings.lora_rank, seed=settings.seed)
    elif not settings.train_word_embeddings:
        freeze_word_embeddings(model)
    prefixes = [opened.prompts[check_role(role)] for role in settings.roles]

    def score(scored: Any) -> dict[str, float]:
        sides = [pair.source for pair in held], [pair.target for pair in held]
        u, v = (opened.encode(scored, texts, prompt=prefix) for texts, prefix in zip(sides, prefixes, strict=True))
        return {**mean_scores(score_translations(held, u, v)), "spread": spread(np.concatenate([u, v]))}

    return SentenceTraining(
        encoder=opened,
        model=model,
        dataset=pairs_dataset(kept, by_language_pair=settings.one_language_pair_a_batch),
        loss=ranking_module(model, settings),
        settings=settings,
        score=score if held else None,
        prompts={"source": prefixes[0], "target": prefixes[1]},
        identity={"pairs": pairs_hash(every)},
        finish=merge_lora if settings.lora_rank is not None else lambda trained: trained,
        at_start=opened.fresh,
        n_held_out=len(held),
        method="A multilingual sentence encoder, fine-tuned contrastively on translations.",
    )
