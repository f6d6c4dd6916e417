from interlingua.pipelines.demo.demo import load_declaration, load_questions


def test_thirty_languages_or_more_in_eight_scripts_or_more_have_thirty_articles():
    declaration = load_declaration()
    assert len(declaration) >= 30
    assert len({each.script for each in declaration.values()}) >= 8
    assert {len(each.articles) for each in declaration.values()} == {30}
    assert list(declaration) == sorted(declaration)
    assert all(code == each.language and each.name for code, each in declaration.items())


def test_articles_are_texts_of_their_own():
    for each in load_declaration().values():
        assert all(article.strip() == article and len(article) > 10 for article in each.articles)
        assert len(set(each.articles)) == 30


def test_articles_stand_in_their_script():
    ranges = {"Cyrl": ("Ѐ", "ӿ"), "Arab": ("؀", "ۿ"), "Deva": ("ऀ", "ॿ"), "Grek": ("Ͱ", "Ͽ"), "Hebr": ("֐", "׿")}
    for each in load_declaration().values():
        if each.script in ranges:
            first, last = ranges[each.script]
            letters = [letter for letter in "".join(each.articles) if letter.isalpha()]
            assert sum(first <= letter <= last for letter in letters) > 0.95 * len(letters)


def test_each_language_asks_the_same_questions_of_existing_articles():
    questions = load_questions()
    asked = {}
    for each in questions:
        asked.setdefault(each.language, []).append((each.article, each.english))
    assert len(asked) == 6
    assert len({tuple(each) for each in asked.values()}) == 1
    assert set(asked) <= set(load_declaration())
    assert all(1 <= each.article <= 30 for each in questions)
    assert len({each.text for each in questions}) == len(questions)


def test_no_question_stands_in_the_text():
    declaration = load_declaration()
    assert not any(each.text in "\n".join(declaration[each.language].articles) for each in load_questions())
