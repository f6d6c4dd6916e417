"""The forms of requests and answers, as OpenAPI says them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from interlingua.pipelines.search.lexical.fusion import Hybrid
from interlingua.pipelines.search.preference import Preference

from .gate import Limits

_LIMITS = Limits()
_TOKENS = (
    "arrays of tokens are refused, since they are of another model; send texts "
    "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
)


def _texts_alone(value: Any) -> Any:
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, int) or (isinstance(first, list) and first and isinstance(first[0], int)):
        raise ValueError(_TOKENS)
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise ValueError("a text or a list of texts is wanted")
    return value


def _no_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("a text must be valid Unicode, without lone surrogates") from error
    return value


def _as_word(value: Any) -> Any:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _says_something(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("a text must say something, but this one is blank")
    return value


Plain = Annotated[str, BeforeValidator(_no_surrogates), StringConstraints(max_length=_LIMITS.characters)]
Text = Annotated[Plain, BeforeValidator(_says_something), StringConstraints(min_length=1)]
Short = Annotated[str, BeforeValidator(_no_surrogates), StringConstraints(min_length=1, max_length=256)]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,16}([-_][A-Za-z0-9]{1,8}){0,8}$")]
Texts = Annotated[list[Text], Field(min_length=1, max_length=_LIMITS.texts)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Hits = Annotated[int, Field(ge=1, le=_LIMITS.hits)]
Share = Annotated[float, Field(ge=0, le=1)]
Languages = Annotated[list[Short], Field(min_length=1, max_length=256)]
Values = dict[Short, Any]


class Form(BaseModel):
    """What a client sends; a field that there is not is refused, since it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class Loose(BaseModel):
    """What clients of others send, with fields that say nothing here."""

    model_config = ConfigDict(extra="ignore")


class SearchForm(Form):
    """A question."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"query": "孩子上学要付钱吗？", "k": 5, "languages": ["en", "sw"], "where": "year >= 2020"}]
        },
    )
    query: Text = Field(description="In any language.")
    k: Hits = 10
    collection: Name | None = Field(None, description="Needed where several are served.")
    language: Short | None = Field(None, description="Of the query; guessed if it is not given.")
    languages: Languages | None = Field(None, description="Only passages in these; fr finds fr-FR too.")
    where: Plain | Values | None = Field(
        None, description="Only passages with this metadata: a written filter, or fields and their values."
    )
    balance: bool = Field(False, description="Bring the best passages of all languages level.")
    prefer: Preference | Share | None = Field(
        None, description="From 0, own: passages in the query's language come first, to 1, blind: it does not count."
    )
    hybrid: Annotated[Hybrid, BeforeValidator(_as_word)] | None = Field(
        None, description="Whether words count beside vectors: auto, where they are indexed; off or false; on or true."
    )
    least: Share | None = Field(
        None, description="Nothing is found where the probability that the collection is about the query is lower."
    )
    rerank: bool = Field(
        False, description="Rank the best 50 anew by the vectors of their tokens; takes as long as encoding them."
    )


class Hit(BaseModel):
    """A passage that was found."""

    id: str
    text: str
    language: str
    score: float | None = Field(description="What hits are ranked by; higher is better.")
    cosine: float | None = Field(description="Of query and passage in the shared space.")
    probability: float | None = Field(description="That it answers the query; null where the encoder cannot tell.")
    metadata: dict[str, Any]
    window: tuple[int, int] | None = Field(None, description="The characters that were found, of a long text.")
    window_text: str | None = Field(None, description="They themselves.")
    copies: list[str] = Field(default_factory=list, description="Passages of the same text and language.")


class Found(BaseModel):
    """The answer to a question."""

    collection: str
    language: str = Field(description="Of the query, as given or guessed.")
    hits: list[Hit]


class PassageForm(Form):
    """A text to be found."""

    id: Short
    text: Text
    language: Tag = "und"
    metadata: Values = Field(default_factory=dict)


class PassagesForm(Form):
    """Texts to be found, in place of those with the same ids."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"passages": [{"id": "sw-7", "text": "Badilisha kichujio kila mwaka.", "language": "sw"}]}]
        },
    )
    passages: Annotated[list[PassageForm], Field(min_length=1, max_length=_LIMITS.texts)]


class IdsForm(Form):
    """Ids of passages."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": ["sw-7"]}]})
    ids: Annotated[list[Short], Field(min_length=1, max_length=_LIMITS.texts)]


class CollectionAbout(BaseModel):
    """What a collection is."""

    name: str
    passages: int
    languages: dict[str, int]
    ranking: Literal["csls", "cosine"]
    encoder: str
    writable: bool
    deletable: bool


class CollectionList(BaseModel):
    """The collections that are served."""

    collections: list[CollectionAbout]
    served: dict[str, list[str]] = Field(description="What else is served, by kind.")
    uploads: bool = Field(description="Whether collections can be made here.")


class Changed(BaseModel):
    """What was done; it is on the disk."""

    collection: str
    changed: int
    passages: int


class JobAbout(BaseModel):
    """How far a piece of long work is."""

    id: str
    collection: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    stage: str
    done: int
    total: int
    rows: int = Field(description="Passages of it that are on the disk.")
    problem: dict[str, Any] | None


class Accepted(BaseModel):
    """Long work that has begun."""

    job: JobAbout
    events: str = Field(description="Where its state comes as server-sent events.")


class ClassifyForm(Form):
    """Texts to be labelled."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": ["Timu ilishinda mechi jana."], "language": "sw"}]}
    )
    texts: Texts
    language: Short = Field(description="Of the texts, one of those that the classifier knows.")
    classifier: Name | None = None


class AnswerForm(Form):
    """A question that passages may answer."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "When was the bridge built?", "least": 0.5}]}
    )
    question: Text
    answers: Name | None = None
    k: Annotated[int, Field(ge=1, le=20)] = 1
    least: Share | None = Field(None, description="No answer below this probability; by default 0.5, 0 always answers.")
    precision: Share | None = Field(None, description="Share of right answers; only where the folder is calibrated.")
    language: Short | None = None
    languages: Languages | None = None


class LinkForm(Form):
    """Names, and what they may mean."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"mentions": ["德国", "Deutschland"], "k": 2}]}
    )
    mentions: Texts
    contexts: Annotated[list[Plain], Field(max_length=_LIMITS.texts)] | None = None
    language: Short | None = None
    types: Languages | None = None
    k: Annotated[int, Field(ge=1, le=20)] = 1
    threshold: Share | None = Field(None, description="Nothing is linked below this probability.")
    unknown: Share | None = Field(None, description="Which share of the mentions means no entity.")
    entities: Name | None = None


class AcceptForm(Form):
    """What a person has decided."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mention": "Allemagne", "id": "Q183"}]})
    mention: Text
    id: Short
    entities: Name | None = None


class TranslateForm(Form):
    """Texts whose translations a memory may have."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": ["Wo ist der Bahnhof?"], "to": "en"}]}
    )
    texts: Texts
    to: Short | None = None
    language: Short | None = None
    k: Annotated[int, Field(ge=1, le=20)] = 3
    least: Share = 0.0
    memory: Name | None = None


class EmbeddingForm(Loose):
    """Texts whose vectors are wanted, as OpenAI's clients ask for them."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"model": "bundled", "input": ["Habari", "hello"]}]}
    )
    input: Annotated[Text | Texts, BeforeValidator(_texts_alone)] = Field(description="A text, or several.")
    model: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        description="ENCODER[@COLLECTION][:query|passage]: see /v1/models."
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1, le=65536)] | None = None
    language: Short | None = Field(None, description="Of the texts, for a model with a collection; else guessed.")


class DocumentForm(Loose):
    """A document of Jina's and of Cohere's first form."""

    text: Text


class RerankForm(Loose):
    """A query and documents, as Cohere's and Jina's clients send them."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [{"model": "bundled", "query": "Who may vote?", "documents": ["Habari", "Kila mtu ana haki"]}]
        },
    )
    query: Text
    documents: Annotated[list[Text | DocumentForm], Field(min_length=1, max_length=_LIMITS.texts)]
    model: Annotated[str, StringConstraints(max_length=512)] | None = None
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool | None = None
