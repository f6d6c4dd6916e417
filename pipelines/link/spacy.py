"""Linking as a component of spaCy: ``nlp.add_pipe("interlingua_entity_linker", config={"index": FOLDER})``."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from interlingua.align.arrays import require

from .entities import EntityIndex

spacy = require("spacy", extra="spacy")


class EntityLinker:
    """Gives the named entities of documents the ids of an index as ``ent.kb_id_``; "" where none is meant.

    Documents of `pipe` are linked a batch at a time, which tells more than one alone; see `EntityIndex.link`.

    Parameters
    ----------
    index : EntityIndex
    threshold : float, optional
        Least probability of a link; by default the index's.
    context : bool
        Whether the sentence around an entity counts, or the document where there are no sentences.
    language : str, optional
        Of the documents, as the index calls it.
    labels : sequence of str
        Only entities with these labels; by default all.
    """

    def __init__(
        self,
        index: EntityIndex,
        *,
        threshold: float | None = None,
        context: bool = True,
        language: str | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        self.index, self.context, self.language, self.labels = index, context, language, frozenset(labels)
        self.threshold = index.threshold if threshold is None else threshold

    def __call__(self, doc: Any) -> Any:
        """Link the entities of one document, and return it."""
        self._link([doc])
        return doc

    def pipe(self, stream: Iterable[Any], batch_size: int = 64) -> Iterator[Any]:
        """Link document after document."""
        documents = iter(stream)
        while batch := list(islice(documents, batch_size)):
            self._link(batch)
            yield from batch

    def _link(self, docs: list[Any]) -> None:
        spans = [span for doc in docs for span in doc.ents if not self.labels or span.label_ in self.labels]
        if not spans:
            return
        around = [span.sent if span.doc.has_annotation("SENT_START") else span.doc for span in spans]
        contexts = [each.text for each in around] if self.context else None
        found = self.index.link([span.text for span in spans], contexts=contexts, language=self.language, k=2)
        for span, best in zip(spans, found, strict=True):
            sure = self.index.links(best, self.threshold)
            for token in span:
                token.ent_kb_id_ = best[0].entity.id if sure else ""


@spacy.Language.factory(  # type: ignore[untyped-decorator,unused-ignore]  # spaCy is not there where types are checked
    "interlingua_entity_linker",
    assigns=["doc.ents", "token.ent_kb_id"],
    requires=["doc.ents"],
    default_config={"index": "", "threshold": None, "context": True, "language": None, "labels": []},
)
def create_entity_linker(
    nlp: Any,
    name: str,
    index: str,
    threshold: float | None,
    context: bool,
    language: str | None,
    labels: list[str],
) -> EntityLinker:
    """Return the component for an index that `EntityIndex.save` or ``interlingua entities build`` wrote.

    Raises
    ------
    ValueError
        If no index is named, or the folder holds none.
    """
    if not index:
        raise ValueError(
            f"{name} needs an index of entities: config={{'index': FOLDER}}, see interlingua entities build"
        )
    return EntityLinker(EntityIndex.load(index), threshold=threshold, context=context, language=language, labels=labels)
