"""The table of commands, and the app made of it: a command's module is imported when it runs.

Any option can also be set in the environment, as ``INTERLINGUA_MINE_LENGTH_RATIO=3``, or in ``interlingua.toml``, in
the working folder, one above it or the user's folder of settings. The command line comes first, then the environment,
then the file::

    [common]             # of every command that has such an option
    threads = 4

    [mine]
    length-ratio = 3.0

    [index.build]
    encoder = "my-model"
"""

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from cyclopts import App, ArgumentCollection, CycloptsError, Group
from cyclopts.config import Env, Toml
from platformdirs import user_config_path

from .command import fail, one_line
from .declared import Declaration, with_examples

#: Commands by what people want to do: module and function in this folder.
COMMANDS = {
    "Search and ask": {
        "demo": "demo:demo",
        "encode": "sentences:encode",
        "index build": "index:build",
        "index add": "index_changes:add",
        "index remove": "index:remove",
        "index words": "index_changes:words",
        "index build-shards": "index:build_shards",
        "index plan": "index:plan",
        "index recommend": "index:recommend",
        "index verify": "index:verify",
        "index snapshot": "index:snapshot",
        "index restore": "index:restore",
        "index compact": "index:compact",
        "index export": "exchange:export",
        "index import": "exchange:import_",
        "search": "search:search",
        "answer": "answer:answer",
        "chat": "answer:chat",
        "serve": "serve:serve",
    },
    "Translate": {
        "translate": "words:translate",
        "lexicon": "words:lexicon",
        "memory build": "memory:build",
        "memory add": "memory:add",
        "memory search": "memory:search",
        "mine": "mine:mine",
        "align-text": "mine:align_text",
    },
    "Link": {
        "link": "link:link",
        "entities build": "link:build",
        "entities accept": "link:accept",
        "reconcile serve": "link:serve",
        "graph align": "graph:align",
    },
    "Align": {
        "align": "words:align",
        "space fit": "sentences:fit",
        "map": "words:map_vectors",
        "bridge fit": "bridge:fit",
        "bridge map": "bridge:map_",
        "bridge verify": "bridge:verify",
        "bridge plan": "bridge:plan",
        "bridge stage": "bridge:stage",
        "bridge rollback": "bridge:rollback",
        "evaluate": "evaluate:evaluate",
    },
    "Train": {
        "train head": "train:head",
        "train contrastive": "train:contrastive",
        "train distill": "train:distill",
        "train static": "train:static",
        "train pretrain": "train:pretrain",
        "train finetune": "finetune:finetune",
        "tune": "finetune:tune",
        "classify train": "classify:train",
        "classify predict": "classify:predict",
        "classify evaluate": "classify:evaluate",
    },
    "Look after": {
        "doctor": "doctor:doctor",
        "info": "info:info",
        "export": "info:export",
        "audit": "audit:audit",
        "plot space": "plot:space",
        "plot audit": "plot:audit",
        "plot retrieval": "plot:retrieval",
        "plot confusion": "plot:confusion",
        "completion": "completion:completion",
    },
}
#: What the commands of several words are about.
FAMILIES = {
    "index": "Build collections that can be searched, and look after them",
    "memory": "Keep translations, and find them from any language",
    "entities": "Index entities",
    "reconcile": "Match the cells of a table with entities, from OpenRefine and other clients",
    "graph": "Align the entities of knowledge graphs",
    "space": "Learn a shared space of sentence vectors",
    "bridge": "Ask an index of one encoder with the questions of another",
    "plot": "Draw what was saved, as PNG, SVG or HTML",
    "train": "Train an encoder, or a head on one",
    "classify": "Train on texts of one language, classify texts of all",
}
_ADDED = "Added by other packages"
_FIRST = (
    "interlingua demo",
    "interlingua index build TEXTS.jsonl -o COLLECTION",
    'interlingua search COLLECTION "QUESTION"',
    "interlingua search --help",
)
_SETTINGS = "interlingua.toml"
_PREFIX = "INTERLINGUA_"
# Options that may be set for all commands at once, in the environment.
_GENERAL = ("ENCODER", "JSON", "QUIET", "SEED", "THREADS", "DEBUG")
_SHORT = "Options may also be set in interlingua.toml and in the environment; `interlingua --help` says how."
_END = (
    "Options may also be set in the environment (INTERLINGUA_MINE_LENGTH_RATIO=3, or INTERLINGUA_THREADS=4 for every "
    "command) and in interlingua.toml ([mine] length-ratio = 3, or [common] threads = 4), here, in a folder above, or "
    "in {folder}. The command line comes first, then the environment, then the file."
)


def run(tokens: list[str]) -> int:
    """Run a command of these words and return the exit code."""
    named = any(name.split() == tokens[: name.count(" ") + 1] for _, name, _ in _own())
    added = [] if named else added_commands()
    app = build_app(added, listing=not named and not any(name == tokens[0] for _, name, _ in added if tokens))
    tokens = [_Dash(each) if each == "-" else each for each in tokens]
    chain: tuple[str, ...] = ()
    try:
        chain, apps, rest = app.parse_commands(tokens)
        if apps[-1].default_command is None:
            raise CycloptsError(msg=_unknown(rest[0], apps[-1]) if rest else "A command is missing.")
        code: int | None = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        path = " ".join(("interlingua", *(each for each in chain if not each.startswith("-"))))
        said = one_line(error)
        stop = "" if said.endswith((".", "?", "!", "...")) else "."
        return fail(f"{said}{stop} See `{path} --help`.", 2)
    except Exception as error:  # of a module that cannot be imported
        return fail(f"{type(error).__name__}: {one_line(error)}", 1)
    return code or 0


class _Dash(str):
    """A lone ``-``, standard input or nothing: a value, which cyclopts would take for an option."""

    __slots__ = ()

    def startswith(self, *_: Any) -> bool:
        return False


def _unknown(word: str, app: App) -> str:
    """Say that a word is no command; cyclopts would import all commands to say so."""
    if word.startswith("-"):
        return f"Unknown option {word}; options stand behind the command."
    names = [name for name in app if not name.startswith("-")]
    near = get_close_matches(word, names, 1)
    return f"Unknown command {word!r}" + (f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(names)}.")


def build_app(added: Sequence[tuple[str, str, str]] = (), *, listing: bool = False) -> App:
    """Return the app of our commands and added ones.

    Parameters
    ----------
    added : sequence of (heading, name, target)
        From `added_commands`.
    listing : bool
        Read what each command is about from its source, for a list of them; else a command itself says it.
    """
    app = App(
        name="interlingua",
        help=with_examples("One space for many languages: align, index and search embeddings.", _FIRST),
        version=_version,
        group_commands=Group("Help", sort_key=99),
        group_parameters=Group("Options", sort_key=1),
        help_format="plaintext",
        help_epilogue=_END.format(folder=user_config_path("interlingua")),
        config=_sources(),
    )
    groups = {title: Group(title, sort_key=at) for at, title in enumerate((*COMMANDS, _ADDED))}
    families: dict[str, App] = {}
    for at, (title, name, target) in enumerate((*_own(), *added)):
        family, _, verb = name.rpartition(" ")
        if family and family not in families:
            families[family] = App(
                name=family,
                help=with_examples(FAMILIES[family], Declaration(target).examples if listing else ()),
                group=groups[title],
                group_commands=Group("Commands"),
                sort_key=at,
            )
            app.command(families[family])
        about = _about(target) if listing else None
        if family:
            families[family].command(target, name=verb, help=about, sort_key=at, help_epilogue=_SHORT)
        else:
            app.command(target, name=verb, help=about, sort_key=at, help_epilogue=_SHORT, group=groups[title])
    return app


def _version() -> str:
    from importlib import metadata

    return f"interlingua {metadata.version('interlingua')}"


def _own() -> Iterator[tuple[str, str, str]]:
    """Yield heading, name and target of each command."""
    for title, commands in COMMANDS.items():
        for name, target in commands.items():
            yield title, name, f"{__package__}.{target}"


def added_commands() -> list[tuple[str, str, str]]:
    """Return heading, name and target of what a room above, or another package, adds by an entry point."""
    from importlib import metadata  # takes as long as a third of cyclopts

    entries = metadata.entry_points(group="interlingua.commands")
    return sorted((_ADDED, entry.name, entry.value) for entry in entries)


def _about(target: str) -> str:
    try:
        return Declaration(target).summary
    except (LookupError, ImportError, SyntaxError) as error:  # of another package; ours are tested
        return f"cannot be read: {one_line(error)}"


def _sources() -> list[Callable[..., Any]]:
    """Return where options are looked for behind the command line, first come first."""
    files = [Toml(_SETTINGS, search_parents=True), Toml(user_config_path("interlingua") / _SETTINGS)]
    common = [
        Toml(
            each.path,
            search_parents=each.search_parents,
            root_keys=("common",),
            use_commands_as_keys=False,
            allow_unknown=True,
        )
        for each in files
    ]
    both = [source for pair in zip(files, common, strict=True) for source in pair]
    return [Env(_PREFIX, show=False), _general, *both]


def _general(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take what the environment says for every command."""
    # subtle: not of every option, since INTERLINGUA_DATA and INTERLINGUA_CACHE mean something else
    some = arguments.copy()
    some[:] = [each for each in arguments if each.name.lstrip("-").upper() in _GENERAL]
    Env(_PREFIX, command=False, show=False)(app, commands, some)
