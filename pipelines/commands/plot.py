"""The commands `plot ...`: pictures of what was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, require_collection
from .command import EncoderName, OutputFile, command
from .output import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STAGES = ("before alignment", "after alignment")


@command()
def space(
    console: Output,
    seed: int,
    collection: str,
    *,
    output: OutputFile,
    limit: int = 20_000,
    encoder: EncoderName = None,
) -> None:
    """Draw the points of a collection, before and after alignment, one colour a language.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    output : str
        FILE.png, FILE.svg or FILE.html.
    limit : int
        Points at most, drawn at random.
    encoder : str
        By default that of the collection.

    Examples
    --------
    ::

        interlingua plot space COLLECTION -o SPACE.svg
    """
    from interlingua.pipelines.plots.draw import draw_points
    from interlingua.pipelines.plots.points import flat

    _check(output)
    _, languages, stages = _stages(console, collection, encoder, limit, seed)
    draw_points({title: flat(rows) for title, rows in stages.items()}, languages, output)
    told = {"file": output, "points": len(languages), "languages": len(set(languages))}
    console.result(told, lambda: [f"{output}: {len(languages)} points in {len(set(languages))} languages"])


@command()
def audit(
    console: Output,
    seed: int,
    collection: str,
    *,
    output: OutputFile,
    encoder: EncoderName = None,
) -> None:
    """Draw whose questions find whose texts, before and after alignment.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    output : str
        FILE.png, FILE.svg or FILE.html.
    encoder : str
        By default that of the collection.

    Examples
    --------
    ::

        interlingua plot audit COLLECTION -o AUDIT.png
    """
    import numpy as np

    from interlingua.pipelines.audit.measure import AuditVectors
    from interlingua.pipelines.audit.measure import audit as audited
    from interlingua.pipelines.plots.draw import draw_shares

    _check(output)
    _, languages, stages = _stages(console, collection, encoder, 2000, seed)
    found = {title: audited(AuditVectors(rows, tuple(languages)), seed=seed).raw for title, rows in stages.items()}
    first = next(iter(found.values()))
    panels = {}
    for title, each in found.items():
        own = f"{100 * each.same_language_share:.0f} % own language,\nfair {100 * each.fair_share:.0f} %"
        panels[f"{title}: {own}"] = np.asarray(each.shares, np.float64)
    draw_shares(
        panels, first.languages, first.languages, output, sides=("language of the hits", "language of the question")
    )
    told = {title: {"own": each.same_language_share, "fair": each.fair_share} for title, each in found.items()}
    console.result({"file": output, **told}, lambda: [output])


@command()
def retrieval(
    console: Output,
    seed: int,
    collection: str,
    *,
    output: OutputFile,
    id_field: str,
    encoder: EncoderName = None,
) -> None:
    """Draw how often a text's nearest one in another language is its translation.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    output : str
        FILE.png, FILE.svg or FILE.html.
    id_field : str
        The field that is the same in texts that say the same, such as the number of an article.
    encoder : str
        By default that of the collection.

    Examples
    --------
    ::

        interlingua plot retrieval COLLECTION --id-field article -o RETRIEVAL.html
    """
    import numpy as np

    from interlingua.pipelines.plots.draw import draw_shares
    from interlingua.pipelines.plots.retrieval import found_first

    _check(output)
    metadata, languages, stages = _stages(console, collection, encoder, 20_000, seed)
    lacking = sum(id_field not in row for row in metadata)
    if lacking:
        there = ", ".join(sorted({name for row in metadata for name in row})) or "none"
        raise ValueError(f"{collection}: {lacking} passages have no field {id_field!r}; fields: {there}")
    found = {
        title: found_first(rows, languages, [str(row[id_field]) for row in metadata]) for title, rows in stages.items()
    }
    names = next(iter(found.values()))[0]
    means = {title: float(np.nanmean(shares)) for title, (_, shares) in found.items()}
    panels = {f"{title}: mean {100 * means[title]:.1f} %": shares for title, (_, shares) in found.items()}
    draw_shares(panels, names, names, output, sides=("language searched", "language asked in"))
    lines = [f"{title}: {100 * mean:.1f} % found first" for title, mean in means.items()]
    console.result({"file": output, "found_first": means}, lambda: [*lines, output])


@command()
def confusion(
    console: Output,
    classifier: str,
    table: Annotated[str, Parameter("TABLE")],
    *,
    output: OutputFile,
    language: str | None = None,
    encoder: EncoderName = None,
) -> None:
    """Draw which labels a classifier takes for which.

    Parameters
    ----------
    classifier : str
        A folder of `classify train`.
    table : str
        Columns text, label and, where there is one, language (.csv .tsv .jsonl .parquet).
    output : str
        FILE.png, FILE.svg or FILE.html.
    language : str, optional
        Of the texts, where the table does not say it.
    encoder : str
        By default that of the classifier.

    Examples
    --------
    ::

        interlingua plot confusion CLASSIFIER TEST.tsv --language sw -o CONFUSION.png
    """
    import numpy as np

    from interlingua.pipelines.classify.texts import CrossLingualClassifier
    from interlingua.pipelines.plots.draw import draw_shares
    from interlingua.pipelines.texts.tables import read_columns

    _check(output)
    read = read_columns(table, ["text", "label"], optional=["language"])
    if language is None and "language" not in read:
        raise UsageError(f"{table} has no column language; name the language with --language")
    spoken = [each or language or "" for each in read.get("language", [language or ""] * len(read["text"]))]
    with console.working("classifying"):
        said = CrossLingualClassifier.load(classifier, encoder).predict(read["text"], language=spoken)
    names = sorted({*read["label"], *said})
    counts = np.zeros((len(names), len(names)))
    for true, predicted in zip(read["label"], said, strict=True):
        counts[names.index(true), names.index(predicted)] += 1
    totals = counts.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    right = float(np.trace(counts) / counts.sum())
    draw_shares({f"{100 * right:.1f} % of {len(said)} right": shares}, names, names, output, sides=("said", "true"))
    told = {"file": output, "accuracy": right, "labels": names, "counts": counts.astype(int).tolist()}
    console.result(told, lambda: [f"{100 * right:.1f} % of {len(said)} right", output])


def _check(output: str) -> None:
    from interlingua.pipelines.plots.draw import check_ending

    try:
        check_ending(output)
    except ValueError as error:
        raise UsageError(str(error)) from error
    check_output_file(output)


def _stages(
    console: Output, collection: str, encoder: str | None, limit: int, seed: int
) -> tuple[list[dict[str, Any]], list[str], dict[str, NDArray[np.float32]]]:
    """Return the metadata and languages of a collection's rows, and their vectors at each stage that there is."""
    from interlingua.pipelines.plots.points import drawn
    from interlingua.pipelines.search.search import CrossLingualSearch

    require_collection(collection)
    with console.working("reading"):
        search = CrossLingualSearch.load(collection, encoder)
        ids, languages, vectors, raw = drawn(search, limit, seed)
        metadata = search.collection.get(ids)
    stages = {"vectors": vectors} if raw is None else dict(zip(_STAGES, (raw, vectors), strict=True))
    return metadata, languages, stages
