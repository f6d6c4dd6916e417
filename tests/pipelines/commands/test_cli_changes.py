"""Collections change on the command line: index add, index remove, and searches of mapped vectors."""

import pytest

from interlingua.index import Collection, CollectionStore, verify


@pytest.fixture
def collection(cli, texts_file, word_files):
    path = word_files.folder / "collection"
    assert cli("index", "build", texts_file, "--encoder", word_files.en, "-o", path).code == 0
    return path


def ids(cli, collection, question, *options):
    found = cli("search", collection, question, "--json", *options)
    return [hit["id"] for hit in found.result[0]["hits"]]


def test_texts_are_added_and_replaced_by_id_and_found(cli, collection):
    lines = '{"text": "queen of the moon", "id": "new", "language": "en"}\n{"text": "bread", "id": "b"}\n'
    done = cli("index", "add", collection, "-", "--language", "en", "--json", stdin=lines)
    assert (done.result["added"], done.result["replaced"], done.result["passages"]) == (1, 1, 4)
    assert ids(cli, collection, "queen")[0] == "new"
    assert ids(cli, collection, "bread")[0] == "b"
    assert cli("index", "add", collection, "-", stdin=lines).out.rstrip().endswith("0 added, 2 replaced; 4 passages")


def test_texts_of_a_table_are_added_too(cli, collection, tmp_path):
    (tmp_path / "more.csv").write_text('id,text,language\nnew,"queen, of the moon",en\nb,bread,en\n\n')
    done = cli("index", "add", collection, tmp_path / "more.csv", "--json")
    assert (done.result["added"], done.result["replaced"]) == (1, 1)
    assert ids(cli, collection, "queen")[0] == "new"


def test_texts_without_ids_would_replace_others_and_are_refused(cli, collection):
    before = ids(cli, collection, "sun")
    done = cli("index", "add", collection, "-", stdin='{"text": "sun", "id": "x"}\n\n{"text": "moon"}\n')
    assert done.code == 1
    assert 'line 3: texts that are added need an "id"' in done.err
    assert cli("index", "add", collection, "-", stdin="\n").code == 1
    assert ids(cli, collection, "sun") == before


def test_rows_are_removed_without_an_encoder_and_are_gone_at_once(cli, collection):
    done = cli("index", "remove", collection, "a", "-", "--json", stdin="b\n")
    assert (done.result["removed"], done.result["rows"]) == (2, 1)
    assert ids(cli, collection, "sun") == ["c"]
    assert verify(collection).problems == ()
    assert "ids are not in the collection: 'a'" in cli("index", "remove", collection, "c", "a").err
    assert "named twice" in cli("index", "remove", collection, "c", "c").err
    assert len(Collection.load(collection)) == 1


def test_nothing_is_changed_while_another_writer_has_it(cli, collection):
    with CollectionStore(collection):
        for command in (("remove", collection, "a"), ("add", collection, "-")):
            done = cli("index", *command, stdin='{"text": "sun", "id": "x"}\n')
            assert done.code == 1
            assert "open for writing elsewhere" in done.err


def test_mapped_vectors_are_searched_unless_there_is_a_journal(cli, collection):
    assert ids(cli, collection, "sun", "--mapped") == ids(cli, collection, "sun")
    assert cli("index", "remove", collection, "a").code == 0
    assert "interlingua index compact" in cli("search", collection, "sun", "--mapped").err
    assert cli("index", "compact", collection).code == 0
    assert ids(cli, collection, "sun", "--mapped") == ids(cli, collection, "sun")
