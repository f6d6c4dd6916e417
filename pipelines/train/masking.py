"""Turn sentences and pairs into masked batches; each batch depends on the seed and its number only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.pipelines.texts.corpus import Corpus
from interlingua.pipelines.texts.pairs import Pair

from .settings import PretrainingSettings

_WINDOW = 16  # batches whose examples are sorted by length together
_PAD_TO = 8
_BATCH, _HELD_OUT = 0, 1  # kinds of seed: the masks of training never meet those of a measurement


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of a sentence, or of a pair; where each stands, and in which language (0: not told)."""

    ids: Sequence[int]
    positions: Sequence[int]
    languages: Sequence[int]


def join_pair(source: Sequence[int], target: Sequence[int], languages: tuple[int, int]) -> Example:
    """Put two sentences behind each other; the positions of the second begin anew, so that both have equal ones.

    References
    ----------
    Conneau and Lample (2019), "Cross-lingual language model pretraining", NeurIPS. arXiv:1901.07291

    Examples
    --------
    >>> join_pair([0, 7, 2], [0, 8, 9, 2], (1, 2))
    Example(ids=[0, 7, 2, 0, 8, 9, 2], positions=[0, 1, 2, 0, 1, 2, 3], languages=[1, 1, 1, 2, 2, 2, 2])
    """
    return Example(
        [*source, *target],
        [*range(len(source)), *range(len(target))],
        [languages[0]] * len(source) + [languages[1]] * len(target),
    )


class Batches:
    """Batches of one sentence an example (MLM) and of one pair an example (TLM), without end.

    The k-th of n TLM batches in n / share batches comes as soon as the share allows: floor((b + 1) share) >
    floor(b share) tells whether batch b is one. Examples are drawn by `Corpus.draw`, 16 batches at a time sorted by
    length, so that little is padding, and the order of those batches is drawn.

    Parameters
    ----------
    texts : Corpus of str
        By language.
    pairs : Corpus of Pair or None
        By any name.
    tokenizer : tokenizer of transformers
    settings : PretrainingSettings
        Its `batch_size` sentences a batch, of pairs half as many, so that both kinds cost alike; `max_length` tokens of
        a sentence, of a pair twice as many; `tlm_share`, `alpha`, `untold` and `seed`.
    languages : mapping of str to int
        The number of each language; others have 0.
    """

    def __init__(
        self,
        texts: Corpus[str],
        pairs: Corpus[Pair] | None,
        tokenizer: Any,
        settings: PretrainingSettings,
        *,
        languages: Mapping[str, int],
    ) -> None:
        self.texts, self.pairs = texts, pairs
        self.tokenizer = tokenizer
        self.settings = settings
        self.tlm_share = settings.tlm_share if pairs is not None else 0.0
        self.languages = languages

    def draw(self, start: int = 0) -> Iterator[list[Example]]:
        """Yield the batches from number `start` on."""
        before = int(start * self.tlm_share)
        sentences = self._windows(self.texts, self._sentences, 0, start - before)
        pairs = iter(()) if self.pairs is None else self._windows(self.pairs, self._pairs, 1, before)
        number = start
        while True:
            is_pair = int((number + 1) * self.tlm_share) > int(number * self.tlm_share)
            yield next(pairs if is_pair else sentences)
            number += 1

    def sentences(self, language: str, texts: Sequence[str]) -> list[Example]:
        """Return each text as an example, its language told."""
        number = self.languages.get(language, 0)
        return [Example(ids, [*range(len(ids))], [number] * len(ids)) for ids in self._tokens(texts)]

    def _windows(
        self,
        corpus: Corpus[Any],
        examples: Callable[[list[tuple[str, Any]], np.random.Generator], list[Example]],
        kind: int,
        start: int,
    ) -> Iterator[list[Example]]:
        window, offset = divmod(start, _WINDOW)
        size = _WINDOW * max(self.settings.batch_size // (1 + kind), 1)
        # subtle: texts and pairs need seeds of their own, else both would draw alike
        stream = corpus.draw(alpha=self.settings.alpha, seed=self.settings.seed * 2 + kind, start=window * size)
        while True:
            rng = np.random.default_rng((self.settings.seed, 2 + kind, window))
            made = examples([next(stream) for _ in range(size)], rng)
            order = np.argsort([len(example.ids) for example in made], kind="stable").reshape(_WINDOW, -1)
            for row in rng.permutation(_WINDOW)[offset:]:
                yield [made[column] for column in order[row]]
            window, offset = window + 1, 0

    def _sentences(self, drawn: list[tuple[str, str]], rng: np.random.Generator) -> list[Example]:
        told = rng.random(len(drawn)) >= self.settings.untold
        numbers = [self.languages.get(name, 0) * int(tell) for (name, _), tell in zip(drawn, told)]
        tokens = self._tokens([text for _, text in drawn])
        return [
            Example(ids, [*range(len(ids))], [number] * len(ids)) for ids, number in zip(tokens, numbers, strict=True)
        ]

    def _pairs(self, drawn: list[tuple[str, Pair]], rng: np.random.Generator) -> list[Example]:
        told, swapped = rng.random(len(drawn)) >= self.settings.untold, rng.random(len(drawn)) < 0.5
        some = [pair.swapped if swap else pair for (_, pair), swap in zip(drawn, swapped)]
        sources, targets = self._tokens([pair.source for pair in some]), self._tokens([pair.target for pair in some])
        return [
            join_pair(
                source,
                target,
                (
                    self.languages.get(pair.source_language, 0) * int(tell),
                    self.languages.get(pair.target_language, 0) * int(tell),
                ),
            )
            for pair, source, target, tell in zip(some, sources, targets, told, strict=True)
        ]

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        made = self.tokenizer(list(texts), truncation=True, max_length=self.settings.max_length)["input_ids"]
        return [list(ids) for ids in made]


class Masking:
    """Pad examples to one length and mask 15 % of their tokens, as the Trainer's own data collator does.

    Of the masked tokens 80 % become the mask, 10 % a random token, 10 % stay [1]_; the tokens that begin, end and pad
    a sentence are never masked. Each batch is masked anew.

    References
    ----------
    .. [1] Devlin, Chang, Lee and Toutanova (2019), "BERT: pre-training of deep bidirectional transformers for language
       understanding", NAACL. doi:10.18653/v1/N19-1423
    """

    def __init__(self, tokenizer: Any, *, rate: float, seed: int, first_position: int, told: bool) -> None:
        transformers = require("transformers", extra="train")
        self.collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=rate)
        self.torch = require("torch", extra="train")
        self.pad = int(tokenizer.pad_token_id)
        self.special = self.torch.tensor(sorted(set(tokenizer.all_special_ids) - {tokenizer.mask_token_id}))
        self.seed, self.first_position, self.told = seed, first_position, told

    def training(self, number: int, examples: Sequence[Example]) -> dict[str, Any]:
        """Return the tensors of a training batch; `number` is its place in the stream."""
        return self._masked(examples, (self.seed, _BATCH, number))

    def held_out(self, number: int, examples: Sequence[Example]) -> dict[str, Any]:
        """Return the tensors of a batch to measure on: masked alike whenever that is done, whatever the seed."""
        return self._masked(examples, (_HELD_OUT, _HELD_OUT, number))

    def _masked(self, examples: Sequence[Example], seed: tuple[int, int, int]) -> dict[str, Any]:
        torch = self.torch
        length = -(-max(len(example.ids) for example in examples) // _PAD_TO) * _PAD_TO
        ids = torch.full((len(examples), length), self.pad)
        positions, languages, attended = (torch.zeros_like(ids) for _ in range(3))
        for row, example in enumerate(examples):
            end = len(example.ids)
            ids[row, :end] = torch.tensor(example.ids)
            positions[row, :end] = torch.tensor(example.positions)
            languages[row, :end] = torch.tensor(example.languages)
            attended[row, :end] = 1
        word = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(word % 2**63)
            masked, labels = self.collator.torch_mask_tokens(ids, special_tokens_mask=torch.isin(ids, self.special))
        batch = {"input_ids": masked, "attention_mask": attended, "labels": labels}
        batch["position_ids"] = positions + self.first_position
        if self.told:
            batch["token_type_ids"] = languages
        return batch
