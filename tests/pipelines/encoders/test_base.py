import pytest

from interlingua.pipelines.encoders.base import resolve_prompts

E5 = {"symmetric": "query: ", "query": "query: ", "passage": "passage: "}


@pytest.mark.parametrize("name", ["intfloat/multilingual-e5-small", "intfloat/e5-base-v2", "multilingual-e5-large"])
def test_e5_gets_its_mandatory_prompts(name):
    assert resolve_prompts(name, {}) == E5


def test_e5_instruct_instructs_the_queries_only():
    prompts = resolve_prompts("intfloat/multilingual-e5-large-instruct", {})
    assert prompts["passage"] == ""
    assert prompts["query"].startswith("Instruct: ")
    assert prompts["query"].endswith("\nQuery: ")
    assert prompts["symmetric"] != prompts["query"]


def test_e5_under_another_name_is_known_by_its_prompts():
    assert resolve_prompts("my-finetuned", {"query": "query: ", "passage": "passage: "}) == E5


def test_other_models_get_no_prompt():
    assert set(resolve_prompts("sentence-transformers/LaBSE", {"query": "", "document": ""}).values()) == {""}


def test_what_the_model_states_goes_before_its_family():
    assert resolve_prompts("intfloat/e5-small", {"query": "Q: "})["query"] == "Q: "


def test_document_is_another_name_of_passage():
    assert resolve_prompts("m", {"document": "title: none | text: "})["passage"] == "title: none | text: "


def test_the_callers_choice_goes_before_all():
    prompts = resolve_prompts("intfloat/e5-small", {"query": "Q: "}, {"query": "", "symmetric": "s "})
    assert prompts == {"symmetric": "s ", "query": "", "passage": "passage: "}


def test_a_prompt_for_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="document"):
        resolve_prompts("m", {}, {"document": "x"})
