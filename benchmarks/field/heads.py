"""Tags of words by a linear layer on frozen vectors.

Find answers in passages by a linear head on frozen token vectors.

Texts written by an encoder-decoder of transformers, which goes on learning on English pairs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from interlingua.align.arrays import require, torch_device
from interlingua.pipelines import Encoder
from interlingua.pipelines.train.trainer import quiet_libraries

from .frozen import Tokens, depth, text_tokens, word_vectors
from .tasks import Question

_CHOSEN_BY = 1000


class WordClassifier:
    """A logistic regression on vectors of words, each component scaled to variance 1 where it was learned.

    Parameters
    ----------
    strength : float
        C of the regression.
    limit : int
        Words learned from, at most; drawn at random.
    seed : int
    """

    def __init__(self, *, strength: float = 0.01, limit: int = 60_000, seed: int = 0) -> None:
        self.strength, self.limit, self.seed = strength, limit, seed

    def fit(self, vectors: Sequence[NDArray[np.float32]], tags: Sequence[Sequence[str]]) -> WordClassifier:
        """Learn from [(words, d), ...] and the tags of the same sentences."""
        from interlingua.pipelines.classify.vectors import VectorClassifier

        words, labels = np.concatenate(list(vectors)), np.array([tag for each in tags for tag in each])
        chosen = np.random.default_rng(self.seed).permutation(len(labels))[: self.limit]
        words, labels = words[chosen], labels[chosen]
        self.mean_, deviation = words.mean(axis=0), words.std(axis=0)
        self.scale_ = 1 / np.where(deviation > 0, deviation, 1)
        classifier = VectorClassifier("logistic", strength=self.strength, calibrate=False)
        self.classifier_ = classifier.fit((words - self.mean_) * self.scale_, labels)
        return self

    def predict(self, vectors: Sequence[NDArray[np.float32]]) -> list[list[str]]:
        """Return the tags of each sentence."""
        words = (np.concatenate(list(vectors)) - self.mean_) * self.scale_
        found = self.classifier_.predict(words).tolist()
        ends = np.cumsum([len(each) for each in vectors])
        return [found[end - len(each) : end] for end, each in zip(ends, vectors)]


class TokenTagger:
    """Tags words by their frozen vectors in the sentence.

    Parameters
    ----------
    encoder : Encoder
    layer : int, optional
        Hidden layer of a transformer that is read. None chooses among those at a third, a half, two thirds and the end,
        by a tenth of the sentences (at most 1,000 of them are looked at): the last one knows the text, not its words.
    seed : int
        Draws that tenth.

    Attributes
    ----------
    layer_ : int
    """

    def __init__(self, encoder: Encoder, *, layer: int | None = None, seed: int = 0) -> None:
        self.encoder, self.layer, self.seed = encoder, layer, seed
        self.classifier = WordClassifier(seed=seed)

    def fit(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> TokenTagger:
        """Learn from sentences of words and their tags."""
        self.layer_ = self._choose(sentences, tags) if self.layer is None else self.layer
        self.classifier.fit(word_vectors(self.encoder, sentences, layers=(self.layer_,)), tags)
        return self

    def predict(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the tags of each sentence."""
        return self.classifier.predict(word_vectors(self.encoder, sentences, layers=(self.layer_,)))

    def _choose(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> int:
        layers = sorted({round(share * depth(self.encoder)) for share in (1 / 3, 1 / 2, 2 / 3, 1)})
        order = np.random.default_rng(self.seed).permutation(len(sentences))[:_CHOSEN_BY]
        held, rest = order[: len(order) // 10], order[len(order) // 10 :]
        if len(layers) == 1 or not len(held):
            return layers[-1]
        gold = [tag for row in held for tag in tags[row]]
        right: dict[int, int] = {}
        for layer in layers:
            vectors = dict(zip(order, word_vectors(self.encoder, [sentences[row] for row in order], layers=(layer,))))
            part = WordClassifier(seed=self.seed).fit([vectors[row] for row in rest], [tags[row] for row in rest])
            said = [tag for each in part.predict([vectors[row] for row in held]) for tag in each]
            right[layer] = sum(one == two for one, two in zip(gold, said))
        return max(right, key=lambda layer: right[layer])


_AROUND = 5


class SpanHead:
    """The likeliest first and last token of the answer, each by a softmax over the passage's tokens.

    A token h is described by [h; h * q; its best cosine with a token of the question; the mean of these best cosines
    over eleven tokens around; its cosine with q], q being the question's vector. Question and passage never see each
    other in the encoder, so expect little.

    Parameters
    ----------
    encoder : Encoder
    limit : int
        Questions learned from, at most; drawn at random.
    longest : int
        Tokens of an answer, at most.
    penalty : float
        Of the squared weights.
    seed : int
    """

    def __init__(
        self, encoder: Encoder, *, limit: int = 1000, longest: int = 30, penalty: float = 1e-4, seed: int = 0
    ) -> None:
        self.encoder, self.limit, self.longest = encoder, limit, longest
        self.penalty, self.seed = penalty, seed

    def fit(self, questions: Sequence[Question]) -> SpanHead:
        """Learn from questions with answers.

        Raises
        ------
        ValueError
            If no answer lies in the tokens that the encoder reads.
        """
        known = [each for each in questions if each.start >= 0 and each.answer]
        order = np.random.default_rng(self.seed).permutation(len(known))[: self.limit]
        chosen = [known[row] for row in order]
        features, firsts, lasts = [], [], []
        for each, tokens, described in zip(chosen, *self._describe(chosen)):
            inside = [
                row
                for row, (start, end) in enumerate(tokens.spans)
                if start < each.start + len(each.answer) and end > each.start
            ]
            if inside:
                features.append(described)
                firsts.append(inside[0])
                lasts.append(inside[-1])
        if not features:
            raise ValueError(f"none of {len(questions)} questions has an answer among the tokens of its passage")
        self.weights_ = tuple(_fit(features, places, self.penalty) for places in (firsts, lasts))
        return self

    def predict(self, questions: Sequence[Question]) -> list[str]:
        """Return the likeliest part of each passage; empty where it has no tokens."""
        found = []
        for each, tokens, described in zip(questions, *self._describe(questions)):
            if not tokens.spans:
                found.append("")
                continue
            starts, ends = (described @ weights for weights in self.weights_)
            joint = starts[:, None] + ends[None, :]
            length = len(starts)
            allowed = np.triu(np.tril(np.ones((length, length), dtype=bool), self.longest - 1))
            first, last = divmod(int(np.where(allowed, joint, -np.inf).argmax()), length)
            found.append(each.passage[tokens.spans[first][0] : tokens.spans[last][1]])
        return found

    def _describe(self, questions: Sequence[Question]) -> tuple[list[Tokens], list[NDArray[np.float32]]]:
        texts = [each.text for each in questions]
        whole = self.encoder.encode(texts, role="query")
        asked = text_tokens(self.encoder, texts, role="query")
        passages = list(dict.fromkeys(each.passage for each in questions))
        read = dict(zip(passages, text_tokens(self.encoder, passages)))
        tokens = [read[each.passage] for each in questions]
        return tokens, [_features(*each) for each in zip(whole, asked, tokens)]


def _features(question: NDArray[np.float32], asked: Tokens, passage: Tokens) -> NDArray[np.float32]:
    vectors = passage.vectors
    if not len(vectors):
        return np.empty((0, 2 * len(question) + 3), np.float32)
    best = (vectors @ asked.vectors.T).max(axis=1) if asked.spans else np.zeros(len(vectors), np.float32)
    window = np.ones(2 * _AROUND + 1)
    around = np.convolve(best, window)[_AROUND:-_AROUND] / np.convolve(np.ones(len(best)), window)[_AROUND:-_AROUND]
    columns = np.stack([best, around, vectors @ question], axis=1)
    return np.asarray(np.hstack([vectors, vectors * question, columns]), np.float32)


def _fit(features: Sequence[NDArray[np.float32]], places: Sequence[int], penalty: float) -> NDArray[np.float64]:
    """Return the w of the least mean -log softmax(F w)[place] + penalty |w|^2 / 2."""
    rows = np.concatenate(features)
    starts = np.cumsum([0] + [len(each) for each in features[:-1]])
    lengths = [len(each) for each in features]
    gold = starts + np.array(places)

    def loss(weights: NDArray[np.float64]) -> tuple[float, Any]:
        scores = rows @ weights
        scores -= np.repeat(np.maximum.reduceat(scores, starts), lengths)
        raised = np.exp(scores)
        totals = np.add.reduceat(raised, starts)
        slope = raised / np.repeat(totals, lengths)
        slope[gold] -= 1
        value = float(np.mean(np.log(totals) - scores[gold]) + penalty / 2 * weights @ weights)
        return value, rows.T @ slope / len(lengths) + penalty * weights

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x)


class TextGenerator:
    """An encoder-decoder: any checkpoint that `AutoModelForSeq2SeqLM` loads.

    Parameters
    ----------
    model : str
        A name on the Hub or a folder.
    steps, batch_size, rate
        Of the training.
    longest_source, longest_target : int
        Tokens that are read and written.
    beams : int
    seed : int
    """

    def __init__(
        self,
        model: str,
        *,
        steps: int = 1000,
        batch_size: int = 16,
        rate: float = 3e-4,
        longest_source: int = 256,
        longest_target: int = 48,
        beams: int = 1,
        seed: int = 0,
    ) -> None:
        transformers = require("transformers", extra="train")
        self.steps, self.batch_size, self.rate, self.beams, self.seed = steps, batch_size, rate, beams, seed
        self.longest_source, self.longest_target = longest_source, longest_target
        self.device = torch_device("auto", mps=True)
        with quiet_libraries():
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(model)
            self.model: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(model).to(self.device)

    def fit(self, sources: Sequence[str], targets: Sequence[str]) -> TextGenerator:
        """Train on pairs for `steps` batches.

        Raises
        ------
        ValueError
            If they do not correspond.
        """
        if len(sources) != len(targets) or not sources:
            raise ValueError(f"each source has a target, but they are {len(sources)} and {len(targets)}")
        transformers = require("transformers", extra="train")
        examples = [
            {
                "input_ids": self.tokenizer(source, truncation=True, max_length=self.longest_source)["input_ids"],
                "labels": self.tokenizer(target, truncation=True, max_length=self.longest_target)["input_ids"],
            }
            for source, target in zip(sources, targets)
        ]
        with tempfile.TemporaryDirectory() as folder, quiet_libraries():
            settings = transformers.Seq2SeqTrainingArguments(
                output_dir=folder,
                max_steps=self.steps,
                per_device_train_batch_size=self.batch_size,
                learning_rate=self.rate,
                seed=self.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=self.device == "cpu",
                dataloader_pin_memory=False,
            )
            trainer = transformers.Seq2SeqTrainer(
                model=self.model,
                args=settings,
                train_dataset=examples,
                data_collator=transformers.DataCollatorForSeq2Seq(self.tokenizer, model=self.model),
            )
            trainer.train()
        return self

    def generate(self, sources: Sequence[str]) -> list[str]:
        """Return a text of one line for each source."""
        torch = require("torch", extra="train")
        self.model.eval()
        found: list[str] = []
        for start in range(0, len(sources), self.batch_size):
            given = self.tokenizer(
                list(sources[start : start + self.batch_size]),
                truncation=True,
                max_length=self.longest_source,
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                ids = self.model.generate(
                    input_ids=given["input_ids"].to(self.device),
                    attention_mask=given["attention_mask"].to(self.device),
                    max_new_tokens=self.longest_target,
                    num_beams=self.beams,
                    do_sample=False,
                )
            found += [" ".join(each.split()) for each in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]
        return found
