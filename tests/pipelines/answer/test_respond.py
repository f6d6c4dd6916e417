import json

import pytest

from interlingua.pipelines import Exchange, ResponseSelector, read_exchanges
from interlingua.pipelines.encoders import load as encoder_loading

TOPICS = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king", "bread", "fire")


@pytest.fixture
def bot(fake_encoder):
    exchanges = [
        Exchange(f"about {topic} in {code}", f"{topic}.{code} why.{code}", code)
        for code in ("en", "sw")
        for topic in TOPICS
    ]
    return ResponseSelector.build(exchanges, fake_encoder)


def test_the_reply_is_that_of_the_same_question_in_another_language(bot):
    replies = bot.respond(["fish.sw why.sw"], least=0, languages=["en"])  # texts about anything know no such Swahili
    assert replies[0].response == "about fish in en"
    assert replies[0].prompt == "fish.en why.en"
    assert {each.language for each in bot.respond(["fish.sw"], 12, languages=["sw"])} == {"sw"}


def test_scores_are_the_weighted_means_of_the_turns_own_scores(bot):
    turns = ["fish.en", "road.en", "king.en"]
    alone = [{each.response: each.score for each in bot.respond([turn], 24)} for turn in turns]
    together = bot.respond(turns, 24)
    weights = [0.09 / 1.39, 0.3 / 1.39, 1 / 1.39]
    for each in together:
        wanted = sum(weight * scores[each.response] for weight, scores in zip(weights, alone, strict=True))
        assert each.score == pytest.approx(wanted, abs=1e-5)
    assert [each.score for each in together] == sorted((each.score for each in together), reverse=True)


def test_an_earlier_turn_tells_what_an_unclear_one_is_about(bot):
    assert "fish" in bot.respond(["fish.en", "why.en"])[0].response
    bot.decay = 0.0
    first = bot.respond(["why.en"], 24)
    assert bot.respond(["fish.en", "why.en"], 24) == first


def test_without_prompts_the_replies_are_matched(fake_encoder):
    bot = ResponseSelector.build([Exchange(f"{topic}.en", language="en") for topic in TOPICS], fake_encoder)
    best = bot.respond(["bird.en"])[0]
    assert (best.response, best.prompt) == ("bird.en", "")


def test_what_cannot_be_replied_to_is_refused(bot, fake_encoder):
    with pytest.raises(ValueError, match="at least one turn"):
        bot.respond([])
    with pytest.raises(ValueError, match="number 2 has none"):
        ResponseSelector.build([Exchange("yes"), Exchange(" ")], fake_encoder)
    with pytest.raises(ValueError, match="there are none"):
        ResponseSelector.build([], fake_encoder)
    with pytest.raises(ValueError, match="they are 2 and 3"):
        ResponseSelector(bot.search, decay=2)


def test_a_table_of_exchanges_is_read(tmp_path):
    path = tmp_path / "faq.jsonl"
    rows = [{"q": "Wer?", "a": "Ich.", "language": "de"}, {"q": "Who?", "a": "I.", "language": "en"}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert read_exchanges(path, prompt="q", response="a") == [
        Exchange("Ich.", "Wer?", "de"),
        Exchange("I.", "Who?", "en"),
    ]


def test_chat_replies_line_by_line_and_starts_anew_at_an_empty_one(cli, monkeypatch, fake_encoder, tmp_path):
    monkeypatch.setattr(encoder_loading, "load_encoder", lambda *_: fake_encoder)
    rows = "".join(f"{topic}.en why.en\tabout {topic}\n" for topic in TOPICS)
    (tmp_path / "faq.tsv").write_text("question\tanswer\n" + rows)
    said = "fish.en\nwhy.en\n\nking.en\n"
    found = cli("chat", tmp_path / "faq.tsv", "--language", "en", stdin=said)
    assert found.code == 0
    assert found.out.splitlines() == ["about fish", "about fish", "about king"]
    assert "12 answers" in found.err
    found = cli("chat", tmp_path / "faq.tsv", "--least", "0.99", stdin="fish.sw moon.sw\n")
    assert found.out.splitlines() == ["(no answer)"]
