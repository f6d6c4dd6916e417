"""What a function or a class of the library declares of its parameters, read from the source.

The help of a command shows the defaults, choices and descriptions that stand in the library, and must not wait for
NumPy, SciPy and torch to load. So the source is parsed and not imported: an annotation is understood as far as a
command line can give it (numbers, texts, flags, choices, several of them), a default as far as it is a constant.
"""

import ast
import importlib.util
import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from inspect import cleandoc
from pathlib import Path
from types import NoneType
from typing import Any, Literal

_PLAIN = {"int": int, "float": float, "str": str, "bool": bool, "PathLike": str, "Path": str, "None": NoneType}
_SEVERAL = {"Sequence", "Iterable", "Collection", "list"}
_ARITHMETIC = {ast.Mult: operator.mul, ast.Pow: operator.pow, ast.Add: operator.add, ast.Sub: operator.sub}
_REQUIRED: Any = object()
_OTHER: Any = object()  # a type that no command line can give


@dataclass(frozen=True)
class Declared:
    """A parameter.

    Attributes
    ----------
    name : str
    type : type
        Without None, which a command line cannot say.
    default : object
        `Declared.REQUIRED` if there is none.
    said : str
        What the docstring calls its type, such as "int, at least 0".
    help : str
        First paragraph of its description, without what refers to other parts of the library ("see `mine_pairs`").
    or_none : bool
        Whether the library takes None as well.
    """

    name: str
    type: Any
    default: Any
    said: str
    help: str
    or_none: bool = False

    REQUIRED = _REQUIRED


class Declaration:
    """What a function, a method or a dataclass declares.

    Parameters
    ----------
    target : str
        Such as "interlingua.pipelines.mine.mining:mine_bitext", "module:Class" or "module:Class.method".

    Raises
    ------
    LookupError
        If there is none of that name.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        module, _, path = target.partition(":")
        self._module, self._node = _Source.of(module).find(path)
        self._parameters = dict(self._declared(self._module, self._node))
        self._texts = self._described(self._module, self._node)

    @property
    def names(self) -> list[str]:
        """Names of the parameters, in order."""
        return list(self._parameters)

    @property
    def summary(self) -> str:
        """The first line of the docstring, without its full stop."""
        return (ast.get_docstring(self._node) or "").partition("\n")[0].removesuffix(".")

    @property
    def examples(self) -> list[str]:
        """The command lines under "Examples" in the docstring."""
        return examples_of(ast.get_docstring(self._node) or "")

    def __getitem__(self, name: str) -> Declared:
        """Return a parameter.

        Raises
        ------
        LookupError
            If there is none of that name.
        TypeError
            If no command line can give its type, or its default is not a constant.
        """
        self.require(name)
        source, annotation, default = self._parameters[name]
        kind = source.type_of(annotation)
        if kind is _OTHER:
            raise TypeError(f"a command line cannot give {name!r} of {self.target}; omit it")
        value = _REQUIRED if default is None else source.value_of(default)
        said, text = self._texts.get(name, ("", ""))
        return Declared(name, kind, value, said, text, source.takes_none(annotation))

    def require(self, name: str) -> None:
        """Refuse a parameter that is not declared.

        Raises
        ------
        LookupError
            If there is none of that name.
        """
        if name not in self._parameters:
            raise LookupError(f"{self.target} has no parameter {name!r}; it has: {', '.join(self.names)}")

    @staticmethod
    def _described(source: "_Source", node: ast.FunctionDef | ast.ClassDef) -> dict[str, tuple[str, str]]:
        bases = source.bases(node) if isinstance(node, ast.ClassDef) else ()
        found: dict[str, tuple[str, str]] = {}
        for where, base in bases:
            found |= Declaration._described(where, base)
        return found | described(ast.get_docstring(node) or "")

    @staticmethod
    def _declared(
        source: "_Source", node: ast.FunctionDef | ast.ClassDef
    ) -> Iterator[tuple[str, tuple["_Source", ast.expr | None, ast.expr | None]]]:
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                    yield from Declaration._declared(source, each)
                    return
            for where, base in source.bases(node):
                yield from Declaration._declared(where, base)
            for each in node.body:
                if not isinstance(each, ast.AnnAssign) or not isinstance(each.target, ast.Name):
                    continue
                if "ClassVar" not in ast.unparse(each.annotation):
                    yield each.target.id, (source, each.annotation, each.value)
            return
        given = [*node.args.posonlyargs, *node.args.args]
        defaults = [None] * (len(given) - len(node.args.defaults)) + list(node.args.defaults)
        both = [*zip(given, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
        yield from (
            (each.arg, (source, each.annotation, value)) for each, value in both if each.arg not in ("self", "cls")
        )


def names_in(*modules: str) -> tuple[str, ...]:
    """Return what classes call themselves by ``name: ClassVar[str] = ...``; a package stands for its modules.

    Examples
    --------
    >>> names_in("interlingua.align.language")
    ('centring', 'mean-variance', 'mean-covariance', 'lir', 'lsar', 'leace')
    """
    return tuple(
        statement.value.value
        for module in modules
        for tree in _Source.of(module).trees()
        for node in tree.body
        for statement in (node.body if isinstance(node, ast.ClassDef) else ())
        if isinstance(statement, ast.AnnAssign)
        and ast.unparse(statement.target) == "name"
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def keys_of(target: str) -> tuple[str, ...]:
    """Return the keys of a constant mapping.

    Examples
    --------
    >>> keys_of("interlingua.align.space:PRESETS")[:3]
    ('none', 'unit', 'centre')
    """
    module, _, name = target.partition(":")
    found = _Source.of(module).resolve(name)
    if found is None or not isinstance(found[1], ast.Dict):
        raise LookupError(f"{module} has no mapping {name!r}")
    return tuple(found[0].value_of(key) for key in found[1].keys if key is not None)


def described(docstring: str) -> dict[str, tuple[str, str]]:
    r"""Return type and first paragraph of each entry under "Parameters" or "Attributes" of a NumPy docstring.

    Examples
    --------
    >>> described("Sum.\n\nParameters\n----------\nk : int, at least 0\n    How\n    many.\n")
    {'k': ('int, at least 0', 'How many.')}
    """
    found: dict[str, tuple[str, str]] = {}
    for section in re.split(r"\n(?=[A-Z][A-Za-z ]+\n-{3,}\n)", cleandoc(docstring)):
        title, _, body = section.strip("\n").partition("\n")
        if title not in ("Parameters", "Attributes"):
            continue
        for entry in re.split(r"\n(?=\S)", body.partition("\n")[2]):
            head, _, text = entry.partition("\n")
            names, _, said = head.partition(" : ")
            paragraph = " ".join(cleandoc("\n" + text).strip("\n").partition("\n\n")[0].split())
            paragraph = re.sub(r"[;,]? ?\b[Ss]ee `[\w.]+`", "", paragraph).strip(" .") + "." if paragraph else ""
            found |= {name.strip(" *"): (said.strip(), paragraph) for name in names.split(",")}
    return found


def examples_of(docstring: str) -> list[str]:
    r"""Return the command lines under "Examples" in a docstring.

    Examples
    --------
    >>> examples_of("Say.\n\nExamples\n--------\n::\n\n    interlingua info FILE\n")
    ['interlingua info FILE']
    """
    _, _, example = cleandoc(docstring).partition("\nExamples\n--------\n")
    lines = [line.strip() for line in example.partition("\n\n\n")[0].splitlines()]
    return [line for line in lines if line.startswith("interlingua ")]


def with_examples(told: str, examples: Sequence[str]) -> str:
    """Return what `--help` says, and below it the examples, if there are any."""
    return "\n".join((told + "\n\nFor example:\n", *(f"    {each}" for each in examples))) if examples else told


class _Source:
    """The parsed source of a module: what its names stand for."""

    def __init__(self, module: str) -> None:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise LookupError(f"there is no module {module}")
        path = Path(spec.origin)
        stub = path.with_suffix(".pyi")  # of a package that loads its modules lazily
        self.tree = ast.parse((stub if stub.exists() else path).read_text(encoding="utf-8"))
        self.package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
        self.module = module
        self._folder = path.parent

    @staticmethod
    @cache
    def of(module: str) -> "_Source":
        return _Source(module)

    def trees(self) -> Iterator[ast.Module]:
        """Yield the parsed module, or those of a package."""
        yield self.tree
        if self.module == self.package:
            # subtle: to find the modules by their names would import the package
            yield from (ast.parse(path.read_text(encoding="utf-8")) for path in sorted(self._folder.glob("[!_]*.py")))

    def find(self, path: str) -> tuple["_Source", Any]:
        """Return the function or class of a dotted path, and the module that holds it."""
        source, *names = self, *path.split(".")
        found = source.resolve(names[0])
        for name in names[1:]:
            inside = found[1].body if found is not None and isinstance(found[1], ast.ClassDef) else ()
            node = next((each for each in inside if getattr(each, "name", "") == name), None)
            found = None if found is None or node is None else (found[0], node)
        if found is None or not isinstance(found[1], ast.FunctionDef | ast.ClassDef):
            raise LookupError(f"{self.module} has no function or class {path!r}")
        return found

    def bases(self, node: ast.ClassDef) -> Iterator[tuple["_Source", ast.ClassDef]]:
        """Yield the classes that a class of the module extends, with the modules that hold them."""
        for base in node.bases:
            found = self.resolve(base.id) if isinstance(base, ast.Name) else None
            if found is not None and isinstance(found[1], ast.ClassDef):
                yield found[0], found[1]

    def resolve(self, name: str) -> tuple["_Source", ast.AST] | None:
        """Return what a name of the module stands for, and the module that says so."""
        for node in self._statements(self.tree.body):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return self, node
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
                return self.resolve(node.value.id) if isinstance(node.value, ast.Name) else (self, node.value)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
                return None if node.value is None else (self, node.value)
            if isinstance(node, ast.ImportFrom):
                for each in node.names:
                    if name == (each.asname or each.name):
                        where = "." * node.level + (node.module or "")
                        if not where.startswith((".", "interlingua.")):
                            return None
                        return _Source.of(importlib.util.resolve_name(where, self.package)).resolve(each.name)
        return None

    def _statements(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        for node in body:
            yield from self._statements(node.body) if isinstance(node, ast.If) else (node,)  # if TYPE_CHECKING

    def type_of(self, node: ast.AST | None) -> Any:
        """Return the type that an annotation names, without None, or `_OTHER` if no command line can give it."""
        kind = self._kind(node)
        return _OTHER if kind is NoneType else kind

    def takes_none(self, node: ast.AST | None) -> bool:
        """Return whether None is among the types that an annotation names."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        kinds = _alternatives(node) if isinstance(node, ast.expr) else ()
        return any(isinstance(each, ast.Constant) and each.value is None for each in kinds)

    def _kind(self, node: ast.AST | None) -> Any:
        if isinstance(node, ast.Constant):
            if node.value is None:
                return NoneType
            return self._kind(ast.parse(node.value, mode="eval").body) if isinstance(node.value, str) else _OTHER
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            kinds = dict.fromkeys(self._kind(each) for each in _alternatives(node))
            kinds = {each: None for each in kinds if each not in (_OTHER, NoneType)}
            return reduce(operator.or_, kinds) if kinds else _OTHER
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in _PLAIN:
            return _PLAIN[name]
        found = self.resolve(name)
        return _OTHER if found is None or isinstance(found[1], ast.ClassDef) else found[0]._kind(found[1])

    def _subscript(self, node: ast.Subscript) -> Any:
        name = ast.unparse(node.value).rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            return Literal[tuple(self.value_of(each) for each in inner)]
        if name == "PathLike":
            return str
        kinds = [... if isinstance(each, ast.Constant) and each.value is ... else self._kind(each) for each in inner]
        if _OTHER in kinds:
            return _OTHER
        if name in _SEVERAL or (name == "tuple" and kinds[-1] is ...):
            return list[kinds[0]]  # type: ignore[valid-type]
        return tuple[tuple(kinds)] if name == "tuple" else _OTHER  # type: ignore[misc]

    def value_of(self, node: ast.AST) -> Any:
        """Return the value of a constant expression.

        Raises
        ------
        TypeError
            If it is none.
        """
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.value_of(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](self.value_of(node.left), self.value_of(node.right))
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(self.value_of(each) for each in node.elts)
        if isinstance(node, ast.Name) and (found := self.resolve(node.id)) is not None:
            return found[0].value_of(found[1])
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "field":
            default = {each.arg: each.value for each in node.keywords}.get("default")
            if default is not None:
                return self.value_of(default)
        raise TypeError(f"{self.module}: {ast.unparse(node)} is no constant")


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _alternatives(node.left)
        yield from _alternatives(node.right)
    else:
        yield node
