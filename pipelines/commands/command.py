"""What all commands share: how one is made, output, named files, input lines, threads.

A command is a function in the module of its family, named in the table `COMMANDS` of app.py, which is imported when
the command runs. The function holds what only the command knows: its positionals, where results go, what is shown. Its
options, their defaults, choices, types and descriptions come from the functions of the library that it calls::

    @command(mining=options_of("interlingua.pipelines.mine.mining:mine_bitext", omit=("retrieval", "approximate")))
    def mine(
        console: Output,
        mining: dict[str, Any],
        *texts: Annotated[str, Parameter("LANGUAGE=FILE")],
        output: OutputFile,
        encoder: EncoderName = None,
    ) -> None:
        '''Find the translations between two texts.'''
        found = mine_bitext(left, right, languages=names, encoder=load_encoder(encoder), **mining)

- Parameters before ``*`` or ``*name`` are positionals, those behind it are options: ``length_ratio`` is
  ``--length-ratio``, ``k`` is ``-k``, ``filter_`` is ``--filter``; another name is said by ``Parameter("--from")``.
- Each argument of `command` names a parameter that gets a dictionary, the options that `options_of` takes from a
  function (``module:function``), method (``module:Class.method``) or dataclass of settings (``module:Class``), with
  values for all of them. What the command itself declares is left out. ``seed`` and ``progress`` are filled from what
  every command takes, unless ``only`` leaves them out. Two dictionaries may share an option, if its default is the
  same in both.
- ``console``, ``seed`` and ``given`` (the names of what was given, not left to its default) are passed to a function
  that declares them.
- What an option says in `--help` is its entry in the docstring, of the command or of the library: one entry a
  parameter. Bounds of numbers stand with the type, as in "float, above 0 and at most 1" or
  "int, from 0 to 65535"; whole numbers are at least 1 unless it says otherwise. Other values are read by a function
  with ``Annotated[int, parsed_by(size)]``.
- ``list[str]`` takes several words, `Commas` several between commas, `Repeated` one each time it is given;
  ``tuple[str, str]`` takes two, ``Annotated[list[str] | None, Parameter(consume_multiple=(0, 1))]`` one or none.
- ``exclusive=[("precision", "threshold")]``: at most one of these may be given.
- A flag that is on by default is switched off by ``--no-...``. Where the library takes one of some words or None, and
  None is not the default, the word ``none`` stands for it.
- The summary is the first line of the command's docstring, what stands under "Parameters" describes its own parameters,
  and the example is the line that begins with ``interlingua`` under "Examples".

The library's modules are imported in the function's body: `--help` reads their source and loads none, see declared.py.
Errors of usage are `UsageError`; `guarded` says what becomes of errors.
"""

import inspect
import os
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import Parameter as Variable
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from cyclopts import CoercionError, Group, Parameter

from .arguments import UsageError
from .bounds import Bounds
from .declared import Declaration, Declared, described, examples_of, with_examples
from .output import Output


def _split(_: Any, tokens: Sequence[Any]) -> list[str]:
    """Return what stands between commas."""
    return [name.strip() for name in tokens[0].value.split(",") if name.strip()]


def _joined(names: Iterable[str]) -> str:
    return ",".join(names)


#: The option that names the file, or the folder, of the results.
OutputFile = Annotated[str, Parameter(("--output", "-o"), metavar="FILE")]
OutputFolder = Annotated[str, Parameter(("--output", "-o"), metavar="FOLDER")]
#: An option that may be given again and again.
Repeated = Annotated[list[str] | None, Parameter(consume_multiple=False)]
#: Several names between commas, and options that choose an encoder and a saved space.
Commas = Annotated[
    list[str] | None, Parameter(converter=_split, n_tokens=1, consume_multiple=False, metavar="NAME,...")
]
EncoderName = Annotated[str | None, Parameter(metavar="NAME")]
SpaceFile = Annotated[str | None, Parameter(metavar="SPACE")]

_EXPECTED = (ValueError, OSError, ImportError, LookupError, TypeError)
# The library's errors name its own arguments; here the way out is an option.
_IN_OPTIONS = {
    "read with on_malformed='skip'": "use --skip-malformed",
    "choose two with languages=(..., ...)": "choose two with --languages A,B",
    "; choose it with format=...": "; give it one of these endings",
    ", or choose unknown='zero'": "",
    "<stream>": "standard input",
}
_NONE = "none"
_INJECTED = ("console", "seed", "given")
_MOST_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that a command takes from a function or class of the library; made by `options_of`."""

    target: str
    only: tuple[str, ...] | None
    omit: tuple[str, ...]
    commas: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]
    metavars: Mapping[str, str]
    group: str | None
    flags: Mapping[str, str | tuple[str, ...]]

    def select(self, own: Iterable[str]) -> tuple[Declaration, list[str]]:
        """Return the declaration, and which of its parameters become options beside the command's own."""
        declaration = Declaration(self.target)
        for name in (*(self.only or ()), *self.omit, *self.commas, *self.choices, *self.metavars, *self.flags):
            declaration.require(name)
        left_out = {*own, *self.omit, "seed", "progress"}
        return declaration, [each for each in self.only or declaration.names if each not in left_out]


def options_of(
    target: str,
    *,
    only: Sequence[str] | None = None,
    omit: Sequence[str] = (),
    commas: Sequence[str] = (),
    choices: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    metavars: Mapping[str, str] = MappingProxyType({}),
    group: str | None = None,
    **flags: str | tuple[str, ...],
) -> Options:
    """Say which options a command takes from the library.

    Parameters
    ----------
    target : str
        Function, method or dataclass: "interlingua.pipelines.mine.mining:mine_bitext".
    only : sequence of str, optional
        These parameters; by default all that the command does not declare itself.
    omit : sequence of str
        All but these.
    commas : sequence of str
        These take several values between commas: ``--languages sw,zh``.
    choices : mapping of str to tuple of str
        The values of a parameter that the library declares as a plain text, such as names of its methods.
    metavars : mapping of str to str
        What `--help` calls the values of a parameter, as "LANGUAGE=FILE".
    group : str, optional
        Heading in `--help`.
    **flags : str or tuple of str
        Names of options that are called otherwise than their parameter; of a flag that is on by default, or by a name
        that begins with ``--no-``, the name of what switches it off.

    Raises
    ------
    LookupError
        When the command is made, if the target has no parameter of a name.
    """
    return Options(
        target=target,
        only=None if only is None else tuple(only),
        omit=tuple(omit),
        commas=tuple(commas),
        choices=choices,
        metavars=metavars,
        group=group,
        flags=flags,
    )


#: How an encoder is driven, for the commands that take one by name.
ENCODING = options_of("interlingua.pipelines.encoders.load:load_encoder", only=("device", "cache"))


def command(
    *, exclusive: Sequence[tuple[str, ...]] = (), **taken: Options
) -> Callable[[Callable[..., None]], Callable[..., int]]:
    """Make a command of a function; see the head of this module.

    Parameters
    ----------
    exclusive : sequence of tuples of str
        Parameters of which at most one may be given.
    **taken : Options
        Parameters of the function that get a dictionary of options of the library.
    """

    def make(function: Callable[..., None]) -> Callable[..., int]:
        composed = _Composed(function, taken)

        def run(*positional: Any, **named: Any) -> int:
            common = {name: named.pop(name, each.default) for name, each in _COMMON.items()}
            console = Output(as_json=common["json"], quiet=common["quiet"])

            def work() -> None:
                for names in exclusive:
                    if len(both := [composed.flags[each] for each in names if each in named]) > 1:
                        raise UsageError(f"{both[1]} and {both[0]} exclude each other; leave one of them out")
                composed.call(positional, named, console, common["seed"])

            return guarded(work, console, threads=common["threads"], debug=common["debug"])

        run.__name__, run.__module__, run.__doc__ = function.__name__, function.__module__, composed.help
        run.__signature__ = composed.signature  # type: ignore[attr-defined]
        run.__annotations__ = {}
        return run

    return make


class _Composed:
    """The signature of a command: its own parameters, those taken from the library, those that every command takes."""

    def __init__(self, function: Callable[..., None], taken: Mapping[str, Options]) -> None:
        self._function, self._taken = function, taken
        self._own = dict(inspect.signature(function, eval_str=True).parameters)
        self._injected = [name for name in _INJECTED if name in self._own]
        text = inspect.getdoc(function) or ""
        self.help = _help(text)
        self.flags: dict[str, str] = {}
        about = described(text)
        made = [
            self._made(each, *about.get(name, ("", "")))
            for name, each in self._own.items()
            if name not in self._injected and name not in taken
        ]
        self._sets: dict[str, dict[str, Any]] = {}  # for each dictionary, its options and their defaults
        self._filled: dict[str, list[str]] = {}
        self._none: set[str] = set()  # options that take the word for None
        borrowed: dict[str, Variable] = {}
        for key, options in taken.items():
            declaration, names = options.select([each.name for each in made])
            declared = {name: declaration[name] for name in names}
            self._sets[key] = {name: each.default for name, each in declared.items()}
            self._filled[key] = [name for name in ("seed", "progress") if name in (options.only or declaration.names)]
            for name, each in declared.items():
                if name in borrowed and borrowed[name].default != each.default:
                    raise TypeError(f"{name!r} has another default in {options.target}")
                borrowed.setdefault(name, self._borrowed(each, options))
        every = [*made, *borrowed.values(), *_COMMON.values()]
        self.signature = inspect.Signature(sorted(every, key=lambda each: each.kind))

    def call(self, positional: Sequence[Any], named: Mapping[str, Any], console: Output, seed: int) -> None:
        """Run the function with what was given, and with the library's defaults for what was not."""
        own = {name: value for name, value in named.items() if name in self._own}
        common = {"seed": seed, "progress": console.progress}
        for key, defaults in self._sets.items():
            own[key] = {name: named.get(name, default) for name, default in defaults.items()}
            own[key] |= {name: None for name in self._none if own[key].get(name) == _NONE}
            own[key] |= {name: common[name] for name in self._filled[key]}
        injected = {"console": console, "seed": seed, "given": frozenset(named)}
        own |= {name: injected[name] for name in self._injected}
        before = [
            name
            for name, each in self._own.items()
            if each.kind in (Variable.POSITIONAL_OR_KEYWORD, Variable.POSITIONAL_ONLY)
        ]
        values = iter(positional)
        given = []
        for name in before:
            if name in own:
                given.append(own.pop(name))
            else:
                given.append(next(values, self._own[name].default))
        self._function(*given, *values, **own)

    def _made(self, each: Variable, said: str, text: str) -> Variable:
        """Return a parameter of the command's own as cyclopts takes it."""
        kind, *settings = get_args(each.annotation) if get_origin(each.annotation) is Annotated else (each.annotation,)
        positional = each.kind is not Variable.KEYWORD_ONLY
        name = each.name.rstrip("_")
        flag = (name.upper(),) if positional else _flag(name)
        made = _parameter(_without_none(kind), flag, text, said, each.default, positional=positional)
        made = Parameter.combine(made, *settings)
        self.flags[each.name] = typing.cast(tuple[str, ...], made.name)[0]
        kind_of = Variable.POSITIONAL_ONLY if each.kind is Variable.POSITIONAL_OR_KEYWORD else each.kind
        return each.replace(annotation=Annotated[kind, made], kind=kind_of)

    def _borrowed(self, each: Declared, options: Options) -> Variable:
        """Return a parameter of the library as an option."""
        if not each.help:
            raise TypeError(f"the docstring of {options.target} does not describe {each.name!r}")
        flag = options.flags.get(each.name, _flag(each.name))
        flag = (flag,) if isinstance(flag, str) else flag
        choices = options.choices.get(each.name)
        kind = each.type if choices is None else Literal[choices]
        if get_origin(kind) is Literal and each.or_none and each.default is not None:
            kind = Literal[(*get_args(kind), _NONE)]
            self._none.add(each.name)
        made = _parameter(kind, flag, each.help, each.said, each.default, group=options.group)
        off = each.default is True or flag[0].startswith("--no-")
        if kind is bool and off and each.name in options.flags:
            made = Parameter.combine(made, Parameter(name=_flag(each.name), negative=flag))
        if each.name in options.metavars:
            made = Parameter.combine(made, Parameter(metavar=options.metavars[each.name]))
        if each.name in options.commas:
            made = Parameter.combine(
                made, *get_args(Commas)[1:], Parameter(show_default=_joined if each.default else False)
            )
        self.flags[each.name] = typing.cast(tuple[str, ...], made.name)[0]
        default = Variable.empty if each.default is Declared.REQUIRED else each.default
        annotation: Any = Annotated[kind | None if default is None else kind, made]
        return Variable(each.name, Variable.KEYWORD_ONLY, default=default, annotation=annotation)


def _flag(name: str) -> tuple[str, ...]:
    # in files of settings an option goes by a name behind two hyphens, so one letter has this name as well
    return (f"-{name}", f"--{name}") if len(name) == 1 else ("--" + name.replace("_", "-"),)


def _parameter(
    kind: Any,
    names: tuple[str, ...],
    text: str,
    said: str,
    default: Any,
    *,
    positional: bool = False,
    group: str | None = None,
) -> Parameter:
    """Return what cyclopts must know of a parameter."""
    several = get_origin(kind) is list
    settings: dict[str, Any] = {"name": names, "help": text or None, "negative": ()}
    if kind is bool and default is not False:
        settings["negative"] = "--no-" + names[0].removeprefix("--")
    numbers = {*get_args(kind)} if get_origin(kind) in (list, tuple) else {kind}
    if numbers in ({int}, {float}):
        settings |= {"converter": _numbers(Bounds.of(said, whole=int in numbers))}
    if several:
        settings["consume_multiple"] = (1, None)
    if not positional or default is None or default is Variable.empty:
        settings["show_default"] = default not in (None, False, "", (), Variable.empty, Declared.REQUIRED)
    if group is not None:
        settings["group"] = Group(group, sort_key=5)  # before those of every command
    return Parameter(**settings)


def _numbers(bounds: Bounds) -> Callable[[Any, Sequence[Any]], Any]:
    """Return a converter to numbers in these bounds."""

    def read(kind: Any, token: Any) -> float:
        try:
            return bounds.read(token.value)
        except ValueError as error:  # said with the option, which cyclopts does for a single word only
            raise CoercionError(msg=str(error), token=token, target_type=kind) from error

    def convert(kind: Any, tokens: Sequence[Any]) -> Any:
        numbers = [read(kind, each) for each in tokens]
        several = get_origin(kind)
        return several(numbers) if several in (list, tuple) else numbers[0]

    return convert


def parsed_by(read: Callable[[str], Any], *, several: bool = False) -> Parameter:
    """Return what makes an option's value of one word by a function, which raises ValueError with what it expects.

    Of `several` words, it makes one value each.

    Examples
    --------
    >>> from typing import Annotated
    >>> Size = Annotated[int, parsed_by(lambda text: int(text.removesuffix("GB")) * 10**9)]
    """

    def convert(_: Any, tokens: Sequence[Any]) -> Any:
        return [read(each.value) for each in tokens] if several else read(tokens[0].value)

    return Parameter(converter=convert) if several else Parameter(converter=convert, n_tokens=1, consume_multiple=False)


def _without_none(kind: Any) -> Any:
    """Return a type without None: what is not given is None, and nobody writes it."""
    kinds = [each for each in get_args(kind) if each is not NoneType]
    return typing.Union[tuple(kinds)] if NoneType in get_args(kind) else kind  # noqa: UP007 - of a variable number


def _help(docstring: str) -> str:
    """Return summary, description and example of a docstring, as `--help` shows them."""
    told, *_ = docstring.partition("\nParameters\n---")[0].partition("\nExamples\n---")
    return with_examples(told.strip(), examples_of(docstring))


_COMMON_GROUP = Group("Common options", sort_key=9)


def _common(name: str, kind: Any, default: Any, text: str, **settings: Any) -> Variable:
    about = Parameter(f"--{name}", help=text, negative=(), group=_COMMON_GROUP, **settings)
    return Variable(name, Variable.KEYWORD_ONLY, default=default, annotation=Annotated[kind, about])


#: What every command takes.
_COMMON = {
    each.name: each
    for each in (
        _common("json", bool, False, "Print the result as JSON.", show_default=False),
        _common("quiet", bool, False, "No notes and no progress.", show_default=False),
        _common(
            "seed", int, 0, "For what is drawn at random.", converter=_numbers(Bounds(True, least=0, most=_MOST_SEED))
        ),
        _common(
            "threads", int | None, None, "Use at most this many threads.", converter=_numbers(Bounds(True, least=1))
        ),
        _common("debug", bool, False, "Show the traceback of an error.", show_default=False),
    )
}


def guarded(work: Callable[[], None], console: Output, *, threads: int | None, debug: bool) -> int:
    """Do the work and return the exit code; what goes wrong is said in one line."""
    try:
        with console.warnings_as_notes():
            limit_threads(threads)
            work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    except BrokenPipeError:
        # the reader has gone (`| head`): say nothing, and keep Python from saying it at exit
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        expected = isinstance(error, _EXPECTED)
        text = one_line(error) if expected else f"{type(error).__name__}: {one_line(error)}"
        for said, meant in _IN_OPTIONS.items():
            text = text.replace(said, meant)
        hint = "" if debug or expected else " (--debug shows where)"
        return fail(text + hint, 2 if isinstance(error, UsageError) else 1)
    return 0


def one_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # str(KeyError) would add quotes
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())


def fail(text: str, code: int) -> int:
    """Say an error and return the exit code."""
    sys.stderr.write(f"interlingua: error: {text}\n")
    return code


def limit_threads(threads: int | None) -> None:
    """Hold NumPy's, FAISS's and torch's pools to a number of threads, loaded already or not yet."""
    if threads is None:
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
